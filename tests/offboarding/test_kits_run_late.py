"""A kit that nobody saw running: the next one expires, a colleague of the customer runs it all the same, and then the account leaves."""

import re

import pytest

from accounts.actions.renewal import start_renewal
from accounts.models import Kit
from portal.audit.models import Event
from portal.audit.verify_certificate import check
from tests.accounts.test_connect_gcp import Shell
from tests.cells.living import drive, newest, turn
from tests.clouds.azure.account import SUBSCRIPTION
from tests.clouds.azure.browser import Browser
from tests.hands import process
from tests.offboarding.leaving import OFFBOARD, Leaver
from tests.offboarding.test_removal_command import OWNER, commands_of_page, ours_on_azure, ours_on_gcp

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leaver(stand, acme, alice, client, sandbox):
    """With a second kit, which has expired without having been seen."""

    def make(cloud: str) -> Leaver:
        leaver = Leaver(stand(cloud), acme, alice, client, sandbox, has_cell=False)
        start_renewal(leaver.account, after_generation=1, by=alice)
        second = leaver.account.kits.get(generation=2)
        Kit.objects.filter(pk=second.pk).update(expires_at=second.created_at)
        leaver.standing.drive()
        assert leaver.standing.kits == [(1, "current"), (2, "expired")]
        return leaver

    return make


def run_late(leaver: Leaver) -> None:
    """After its time, and nobody tells."""
    hand, (second, first) = leaver.standing.hand, leaver.account.kits.all()
    hand.take(second)
    hand.tell = lambda _text: None
    hand.run_kit()
    hand.take(first)
    assert leaver.account.kits.get(generation=2).ran_at is None


def until_ready(leaver: Leaver) -> None:
    leaver.start()
    drive(lambda: leaver.states == ("ready_to_offboard", "waiting_for_you") and newest(OFFBOARD).waiting_on == "you")


def names_on_aws(leaver: Leaver) -> list[str]:
    iam, mark = leaver.standing.hand.iam, leaver.standing.pk.hex[:8]
    roles = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    providers = [one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    return [name for name in roles + providers if mark in name]


def remove_second(leaver: Leaver) -> None:
    leaver.standing.hand.take(leaver.account.kits.get(generation=2))
    leaver.remove_kit()


def kits_certified(leaver: Leaver) -> dict[int, dict]:
    return {kit["generation"]: kit for kit in check(leaver.row.certificate)["kits"]}


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_kit_that_was_run_late_is_asked_about_and_holds_up_the_end(cloud, leaver):
    leaver = leaver(cloud)
    run_late(leaver)
    until_ready(leaver)
    assert [removal.kit.generation for removal in leaver.client.get(leaver.url()).context["plan"].removals] == [2, 1]

    leaver.remove_kit()
    for _turn in range(3):
        leaver.let_half_a_minute_pass()
        turn(OFFBOARD)
    assert leaver.states == ("ready_to_offboard", "waiting_for_you")

    remove_second(leaver)
    leaver.until_offboarded()
    assert {number: len(kit["refusals"]) for number, kit in kits_certified(leaver).items()} == {1: 2, 2: 2}
    if cloud == "aws":
        assert names_on_aws(leaver) == []


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_kit_that_was_never_run_is_refused_at_once_and_holds_nothing_up(cloud, leaver):
    leaver = leaver(cloud)
    until_ready(leaver)
    leaver.remove_kit()
    leaver.until_offboarded()

    kits = kits_certified(leaver)
    assert {number: len(kit["refusals"]) for number, kit in kits.items()} == {1: 2, 2: 2}
    assert kits[1]["last_accepted"]
    assert kits[2]["last_accepted"] == {}
    assert leaver.account.kits.get(generation=2).removed_at is None


def test_command_of_the_page_takes_away_what_was_run_late_on_gcp(leaver):
    leaver = leaver("gcp")
    run_late(leaver)
    until_ready(leaver)

    for command in commands_of_page(leaver):
        Shell(leaver.sandbox.console_port).run(command)

    leaver.until_offboarded()
    assert ours_on_gcp(leaver) == set()


def test_owner_answers_on_azure_for_the_kit_that_nobody_told_of(leaver, acme):
    leaver = leaver("azure")
    run_late(leaver)
    until_ready(leaver)
    shell = Browser(process(leaver.sandbox))
    shell.sign_in_to_shell(OWNER, SUBSCRIPTION)
    for command in commands_of_page(leaver):
        assert shell.run(command)[0] == 0
    assert ours_on_azure(leaver) == set()

    drive(lambda: newest(OFFBOARD).waiting_why == "offboarding_kit_untold")
    for _turn in range(3):
        leaver.let_half_a_minute_pass()
        turn(OFFBOARD)
    assert leaver.states == ("ready_to_offboard", "waiting_for_you")
    page = leaver.client.get(leaver.url("offboarding_never_run")).text
    assert re.findall(r"Kit number \d", page) == ["Kit number 2"]

    leaver.client.post(leaver.url("offboarding_never_run"), {"name": str(leaver.account)})
    leaver.until(account="offboarded")
    kits = kits_certified(leaver)
    assert (len(kits[1]["refusals"]), "not_asked" in kits[1]) == (2, False)
    assert (kits[2]["refusals"], kits[2]["not_asked"]["confirmed_by"]) == ([], leaver.alice.email)
    assert Event.objects.for_chain(acme.pk).get(action="offboarding.never_run_confirmed").details == {"kits": "2"}
