"""The choice of a last backup as a customer meets it: counted, preset, confirmed by the typed name; and where it lies afterwards."""

import pytest
from django.urls import reverse
from django.utils import timezone

from cells.models import Cell, FinalBackup, Instance
from portal.operations.models import Operation
from tests.cells.factories import make_cell, make_instance, make_plan
from tests.cells.living import newest, turn
from tests.cells.protocol.test_final_backups import failed
from tests.cells.spoken import speaker
from tests.factories import make_cloud_account

pytestmark = pytest.mark.django_db
FIRST = "Take a final backup first. Nothing is removed before it stands."


@pytest.fixture
def signed_in(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def account(acme):
    return make_cloud_account(organisation=acme, state="connected", name="Main")


@pytest.fixture
def cell(account):
    return make_cell(account=account)


@pytest.fixture
def instance(cell):
    return make_instance(cell=cell, plan=make_plan(has_backups=True, name="Orders"), name="orders-prod", applied_revision=1)


def page(instance):
    return reverse("cells:instance_delete", args=["acme", instance.pk])


def state(instance):
    instance.refresh_from_db()
    return instance.state


def take(instance, **values):
    right = {"outcome": "taken", "ended_at": timezone.now(), "location": "s3://acme/last.dump", "bytes": 4096, "sha256": "ab" * 32}
    return FinalBackup.objects.create(instance=instance, cell=instance.cell, attempt=1, **{**right, "taken_at": timezone.now(), **values})


def test_backup_is_preset_and_has_to_be_decided(instance, signed_in):
    shown = signed_in.get(page(instance))
    assert FIRST in shown.text
    assert shown.context["form"]["final_backup"].value() == "yes"

    refused = signed_in.post(page(instance), {"name": "orders-prod"}, follow=True)

    assert "Choose whether a final backup is taken first." in refused.text
    assert state(instance) == "running"


@pytest.mark.parametrize(("choice", "now"), [("yes", "backing_up"), ("no", "deleting")])
def test_choice_is_done_with_the_typed_name_alone(instance, signed_in, choice, now):
    signed_in.post(page(instance), {"name": "orders", "final_backup": choice})
    assert state(instance) == "running"

    answer = signed_in.post(page(instance), {"name": "orders-prod", "final_backup": choice})

    assert state(instance) == now
    assert answer["Location"] == Operation.objects.get().get_absolute_url()


def test_plan_without_backups_shows_no_choice_and_says_so(cell, signed_in):
    plain = make_instance(cell=cell, name="orders-prod", applied_revision=1)

    shown = signed_in.get(page(plain)).text
    signed_in.post(page(plain), {"name": "orders-prod"})

    assert "This plan keeps no backups: export what you need first." in shown
    assert FIRST not in shown
    assert state(plain) == "deleting"


def test_what_cannot_be_backed_up_says_why_and_nobody_loses_it_unknowingly(instance, signed_in):
    Cell.objects.update(is_agent_disabled=True)

    shown = signed_in.get(page(instance)).text
    refused = signed_in.post(page(instance), {"name": "orders-prod", "final_backup": "yes"}, follow=True)

    assert "A final backup cannot be taken. The agent of its deployment cell is switched off." in shown
    assert FIRST not in shown
    assert "A final backup cannot be taken any more. Nothing was deleted." in refused.text
    assert state(instance) == "running"


def test_failed_backup_leads_to_a_decision_of_its_own(instance, cell, signed_in):
    agent = speaker(cell)
    signed_in.post(page(instance), {"name": "orders-prod", "final_backup": "yes"})
    turn()
    under_way = signed_in.get(newest("back_up_and_delete_instance").get_absolute_url()).text
    assert "Asked for. Nothing is removed before it stands." in under_way
    agent.post("backups", failed(FinalBackup.objects.get()))
    turn()

    shown = signed_in.get(newest("back_up_and_delete_instance").get_absolute_url())
    assert "The final backup of the instance could not be taken." in shown.text
    assert "The instance was not deleted: it is as it was, with its data." in shown.text
    assert f'id="operation-way-on" href="{page(instance)}">Delete without a final backup' in shown.text
    assert "backup_job_failed" in signed_in.get(instance.get_absolute_url()).text

    asked = signed_in.get(page(instance))
    assert "The final backup was not taken, so nothing was deleted" in asked.text
    assert asked.context["form"]["final_backup"].value() is None
    signed_in.post(page(instance), {"name": "orders-prod", "final_backup": "no"})
    assert state(instance) == "deleting"
    old = Operation.objects.get(kind="back_up_and_delete_instance")
    assert "operation-way-on" not in signed_in.get(old.get_absolute_url()).text


def test_record_of_the_deleted_instance_says_where_the_backup_lies(instance, signed_in):
    Instance.objects.update(state="deleted")
    take(instance)

    shown = signed_in.get(instance.get_absolute_url()).text

    for words in ("Final backup", "s3://acme/last.dump", "4.0", "ab" * 32, "It lies in your own cloud. Your provider has no copy of it."):
        assert words in shown


def test_hosted_instance_does_not_claim_that_the_backup_is_in_the_customers_cloud(instance, signed_in):
    Instance.objects.update(state="deleted", account=None)
    take(instance)

    assert "It lies in a cloud account of your provider." in signed_in.get(instance.get_absolute_url()).text


def test_delete_all_counts_who_can_be_backed_up_and_names_why_not(account, cell, instance, signed_in):
    make_instance(cell=cell, plan=instance.plan, name="never", created_by=instance.created_by)
    make_instance(cell=cell, plan=make_plan(name="Plain"), name="plain", applied_revision=1)
    url = reverse("cells:account_instances_delete", args=["acme", account.pk])

    shown = signed_in.get(url)
    for words in (
        "1 instance can be backed up a last time first.",
        "No final backup can be taken of 2 instances",
        "No final backup: The plan Plain has no backups.",
        "No final backup: It has never run, so there is nothing to back up.",
        "Take a final backup of 1 instance first. It is not removed before that stands.",
        "Delete all of them without a final backup",
    ):
        assert words in shown.text
    sent = {"name": "Main", "listed": shown.context["form"]["listed"].value(), "final_backup": "yes"}
    done = signed_in.post(url, sent, follow=True)

    assert "If one fails, that instance stays and says so." in done.text
    assert sorted(Instance.objects.values_list("name", "state")) == [
        ("never", "deleting"), ("orders-prod", "backing_up"), ("plain", "deleting"),
    ]  # fmt: skip
    assert "Instances that are being deleted: 3." in done.text


def test_plan_of_leaving_says_that_there_is_a_choice(account, instance, signed_in):
    shown = signed_in.get(reverse("offboarding:offboarding_plan", args=["acme", account.pk])).text

    assert "you choose whether a final backup is taken before they are deleted" in shown


def test_page_of_what_the_provider_sees_has_the_fields_with_their_last_values(instance, cell, signed_in):
    take(instance)

    shown = signed_in.get(reverse("cells:cell_visible", args=["acme", cell.pk])).text

    for words in ("taken.location", "s3://acme/last.dump", "taken.sha256", "ab" * 32, "4096"):
        assert words in shown
    assert "taken.location" in signed_in.get(reverse("cells:visible", args=["acme"])).text
