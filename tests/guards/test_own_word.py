"""Who decides for a customer: its own people. Whoever belongs to the provider and is a member there does everyday work, and no more.

Every URL of an organisation that writes an event stands in one of the two tables below.
"""

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.access import Role
from accounts.models import Organisation, User
from portal.audit.models import Event
from tests.closing.guards import make_closing
from tests.factories import answers_to_terms, make_membership, make_prepared_account, make_user
from tests.guards.test_activity import ONE_EVENT, SCENES

pytestmark = pytest.mark.django_db

# What binds the customer, ends in a certificate or a receipt, lets the provider in or out, or cannot be taken back for all that it has.
OWN_WORD = {
    "accounts:connect_terms",
    "accounts:connect_decline",
    "accounts:connect_review",
    "accounts:connect_preflight",
    "accounts:connect_run_again",
    "accounts:account_kit_update",
    "accounts:account_kit_removed",
    "accounts:account_reconnect",
    "accounts:account_disconnect",
    "offboarding:offboarding_start",
    "offboarding:offboarding_cancel",
    "offboarding:offboarding_consent",
    "offboarding:offboarding_never_run",
    "cells:account_instances_delete",
    "cells:account_leftovers_keep",
    "cells:cell_keep",
    "cells:cell_release",
    "closing:closing_start",
    "closing:closing_cancel",
    "support:access_approve",
    "support:access_ask",
    "support:access_decline",
    "support:access_policy_change",
    "support:access_policy_confirm",
    "support:access_policy_drop",
    "support:bundle_collect",
    "support:bundle_discard",
    "support:bundle_new",
    "support:bundle_release",
}
# What a customer takes an operator or an owner on for, also one of the provider: each can be undone, or is about one thing.
EVERYDAY = {
    "accounts:account_environment_check",
    "accounts:account_kit_report",
    "accounts:account_kit_stay",
    "accounts:account_kit_stop",
    "accounts:account_rename",
    "accounts:activity_export",
    "accounts:connect_account",
    "accounts:connect_discard",
    "accounts:connect_place",
    "accounts:connect_report",
    "accounts:connect_send",
    "accounts:connect_send_withdraw",
    "accounts:connect_start",
    "accounts:connect_stop",
    "accounts:contact_add",
    "accounts:contact_remove",
    "accounts:contact_resend",
    "accounts:invitation_create",
    "accounts:invitation_resend",
    "accounts:invitation_revoke",
    "accounts:member_leave",
    "accounts:member_remove",
    "accounts:member_role",
    "accounts:operation_cancel",
    "accounts:operation_retry",
    "accounts:organisation_settings",
    "cells:cell_agent_off",
    "cells:cell_agent_on",
    "cells:cell_agent_replace",
    "cells:cell_delete",
    "cells:cell_update",
    "cells:instance_delete",
    "cells:instance_keep",
    "cells:instance_modify",
    "cells:instance_new_check",
    "cells:instance_protect",
    "cells:instance_restart",
    "cells:instance_start",
    "cells:instance_stop",
    "cells:instance_upgrade",
    "closing:closing_export",
    "offboarding:offboarding_hand_over",
    # An end to what the provider may, whoever asks for it; and what only looks.
    "support:access_end",
    "support:access_export",
    "support:access_receipt_compare",
}
# Scenes of their own (tests/guards/test_activity.py): the object, what is sent, the event.
TERMS = (make_prepared_account, None, "cloud_account.terms_accepted")
CALLED_OFF = (make_closing, {}, "organisation.closing_cancelled")
PLAYED = ONE_EVENT | {"accounts:connect_terms": TERMS, "closing:closing_cancel": CALLED_OFF}
RELATIONS = {"member": {}, "staff": {"is_staff": True}, "engineer": {"is_support_engineer": True}, "superuser": {"is_superuser": True}}
# What makes something else than a bare pk stand for the object: tests/guards/test_activity.py plays it.
OWN_SCENE = {"accounts:connect_report"}
# Played where the whole table of roles and relations is: tests/support/test_separation.py.
ELSEWHERE = {"support:access_approve", "support:bundle_new"}


def test_every_act_is_one_or_the_other():
    known = OWN_WORD | EVERYDAY

    assert not OWN_WORD & EVERYDAY
    assert {*ONE_EVENT, *SCENES} == known


def is_done(name: str, organisation: Organisation, person: User, owner: User) -> bool:
    make, data, action = PLAYED[name]
    made = make(organisation, owner) if make else None
    kwargs = {"pk": made.pk} if made and name != "closing:closing_cancel" else {}
    client = Client()
    client.force_login(person)
    client.post(reverse(name, kwargs={"slug": organisation.slug} | kwargs), answers_to_terms(made) if data is None else data)
    return Event.objects.for_chain(organisation.pk).filter(action=action).exists()


@pytest.mark.parametrize("name", sorted(OWN_WORD - ELSEWHERE))
def test_customers_own_word_is_not_given_by_the_provider(name, acme, alice):
    found = {}
    for relation, fields in RELATIONS.items():
        with transaction.atomic():
            person = make_membership(organisation=acme, role=Role.OWNER, user=make_user(**fields)).user
            found[relation] = is_done(name, acme, person, alice)
            transaction.set_rollback(True)

    assert found == {"member": True, "staff": False, "engineer": False, "superuser": False}


@pytest.mark.parametrize("name", sorted((EVERYDAY & set(ONE_EVENT)) - OWN_SCENE))
def test_everyday_work_is_done_by_whoever_was_taken_on_for_it(name, acme, alice):
    person = make_membership(organisation=acme, role=Role.OWNER, user=make_user(is_staff=True)).user

    assert is_done(name, acme, person, alice)
