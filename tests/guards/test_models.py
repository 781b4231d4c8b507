"""Every table says whose it is: the way from a row to its organisation, or why it has none."""

import pytest
from django.apps import apps
from django.core.exceptions import FieldDoesNotExist

from tests.closing import guards as closing
from tests.offboarding import guards as offboarding
from tests.support import guards as support

OURS = {"accounts", "operations", "audit", "cells", "support", "offboarding", "closing"}

# From a row to its organisation.
TENANCY_PATHS = {
    "accounts.Organisation": "",
    "accounts.Membership": "organisation",
    "accounts.Invitation": "organisation",
    "accounts.Contact": "organisation",
    "accounts.CloudAccount": "organisation",
    "accounts.Kit": "account__organisation",
    "accounts.Preparation": "organisation",
    "accounts.StepLink": "kit__account__organisation",
    "accounts.TrustChange": "account__organisation",
    "accounts.TrustCheck": "account__organisation",
    "accounts.Assessment": "account__organisation",
    "accounts.EnvironmentFinding": "assessment__account__organisation",
    "accounts.TrustWatch": "account__organisation",
    "cells.Cell": "organisation",
    "cells.InstanceDraft": "organisation",
    "cells.Instance": "organisation",
    "cells.InstanceRevision": "instance__organisation",
    "cells.HostingAccount": "account__organisation",
    "cells.AgentKey": "cell__organisation",
    "cells.Enrolment": "cell__organisation",
    "cells.SeenAssertion": "key__cell__organisation",
    "cells.AgentOrder": "cell__organisation",
    "cells.FinalBackup": "instance__organisation",
    "cells.CellOrder": "cell__organisation",
    "cells.CellResource": "account__organisation",
    "cells.CellStatus": "cell__organisation",
    "cells.InstanceStatus": "instance__organisation",
    "cells.CellSample": "cell__organisation",
    "cells.InstanceSample": "instance__organisation",
    "cells.CellLink": "cell__organisation",
    "cells.StatusChange": "cell__organisation",  # or the instance's: of one of the two
    "cells.Alarm": "cell__organisation",
    "operations.Operation": "organisation",
    "operations.Step": "operation__organisation",
    "operations.StepLog": "step__operation__organisation",
    "audit.Event": "organisation_id",
    **support.TENANCY_PATHS,
    **offboarding.TENANCY_PATHS,
    **closing.TENANCY_PATHS,
}
# Rows of nobody in particular, with the reason.
WITHOUT_TENANT = {
    "accounts.User": "a person may belong to several organisations; what ties them is the membership",
    "accounts.SigningKey": "the issuer's own keys",
    "accounts.OutgoingMail": "to one address, which may belong to nobody yet; no page shows it and it is gone once sent",
    "cells.AgentPackage": "the agent's file, the same for everybody and no secret",
    "cells.Plan": "what the provider offers, to every organisation alike",
    "cells.PlanSize": "of a plan",
    "cells.Release": "of a plan",
    "cells.SweepRound": "one row: when the sweep looked last",
    **closing.WITHOUT_TENANT,
    "audit.ChainHead": "the end of each chain; its key is the organisation's id, and it holds no content",
}


def our_models():
    return {model._meta.label: model for model in apps.get_models() if model._meta.app_label in OURS}


def test_every_model_is_in_one_list():
    assert set(our_models()) == set(TENANCY_PATHS) | set(WITHOUT_TENANT)
    assert set() == set(TENANCY_PATHS) & set(WITHOUT_TENANT)


@pytest.mark.parametrize("label", TENANCY_PATHS)
def test_path_leads_to_the_organisation(label):
    model = our_models()[label]
    for name in filter(None, TENANCY_PATHS[label].split("__")):
        field = model._meta.get_field(name)
        model = field.related_model or apps.get_model("accounts.Organisation")
        assert not field.many_to_many

    assert model._meta.label == "accounts.Organisation"


@pytest.mark.parametrize("label", WITHOUT_TENANT)
def test_model_without_tenant_has_no_organisation(label):
    with pytest.raises(FieldDoesNotExist):
        our_models()[label]._meta.get_field("organisation")


@pytest.mark.parametrize("label", sorted({*TENANCY_PATHS, *WITHOUT_TENANT} - {"operations.Step", "operations.StepLog", "audit.ChainHead"}))
def test_rows_are_not_counted_by_their_keys(label):
    """Keys that reach an address or a log are UUIDs: nothing to count, nothing to guess."""
    key = our_models()[label]._meta.pk
    while key.remote_field:  # a row that shares the key of another
        key = key.target_field
    assert key.get_internal_type() == "UUIDField" or label in COUNTED


# Numbered rows that no address names.
COUNTED = {
    *("accounts.TrustChange", "accounts.TrustCheck", "accounts.EnvironmentFinding", "accounts.SigningKey", "audit.Event"),
    *("cells.InstanceRevision", "cells.PlanSize", "cells.SeenAssertion", "cells.StatusChange", "cells.Alarm", "cells.SweepRound"),
    "cells.CellOrder",
    *("cells.CellSample", "cells.InstanceSample"),  # by what they are of, and when
    "cells.AgentPackage",  # by its content
    *offboarding.COUNTED,
}
