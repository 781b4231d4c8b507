"""An account that leaves, in one of the played clouds: what its customer does, and the clock that a test moves."""

from datetime import timedelta
from functools import cached_property

from django.db.models import F
from django.urls import reverse

from accounts import kits
from accounts.models import CloudAccount
from accounts.offboarding.models import Offboarding, SignIn
from accounts.targets import target_of
from cells.actions.instances import create_instance, delete_instance
from cells.models import Cell
from portal.operations.models import Operation
from tests.accounts.test_twenty_failures import read
from tests.cells.byhand import Hand
from tests.cells.factories import make_plan
from tests.cells.living import drive, drive_to_end, drive_to_failure, drive_to_wait, newest, wish
from tests.offboarding import recovering, removing

OFFBOARD = "offboard_account"


class Leaver:
    """A connected account with a cell that has stood, and its owner before the pages."""

    def __init__(self, standing, acme, alice, client, sandbox, *, has_cell=True):
        self.standing, self.acme, self.alice, self.client, self.sandbox = standing, acme, alice, client, sandbox
        client.force_login(alice)
        if has_cell:
            instance = create_instance(acme, name="orders", wish=wish(standing.account, make_plan()), by=alice)
            drive_to_end()
            delete_instance(instance, by=alice)
            drive_to_end()

    @property
    def account(self) -> CloudAccount:
        return CloudAccount.objects.select_related("organisation").get(pk=self.standing.pk)

    @property
    def row(self) -> Offboarding:
        return Offboarding.objects.select_related("account", "organisation", "requested_by").get(account=self.standing.pk)

    @property
    def cell(self) -> Cell:
        return Cell.objects.select_related("account", "organisation").get()

    @property
    def operation(self) -> Operation:
        return newest(OFFBOARD)

    @cached_property
    def hand(self) -> Hand:
        """It knows what it holds."""
        return Hand(self.standing, self.cell, self.sandbox)

    def url(self, name: str = "plan") -> str:
        return reverse(f"offboarding:{name if '_' in name else f'offboarding_{name}'}", args=["acme", self.standing.pk])

    def page(self, name: str = "plan") -> str:
        return read(self.client.get(self.url(name)))

    def start(self, when: str = "now"):
        return self.client.post(self.url("start"), {"when": when, "name": str(self.account)})

    @property
    def states(self) -> tuple[str, str]:
        return self.account.state, self.row.state

    def until(self, *, account: str = "", row: str = "") -> None:
        drive(lambda: (not account or self.account.state == account) and (not row or self.row.state == row))

    def until_ready(self) -> None:
        self.until(account="ready_to_offboard")
        drive_to_wait(OFFBOARD, "offboarding_kit")

    def remove_kit(self) -> None:
        removing.remove_kit(self.standing)

    def run_kit_again(self) -> None:
        self.standing.run(self.standing.told_of.generation)

    def run_recovery_kit(self) -> None:
        """As the page of one that is stuck says, with the file that it hands out."""
        self.standing.told_of = self.account.kits.get(generation=self.standing.told_of.generation)
        self.standing.hand.take(self.standing.told_of)
        recovering.run(self)

    def let_half_a_minute_pass(self) -> None:
        """Between the sign-ins that were tried: as if the first had been asked so much earlier."""
        SignIn.objects.update(asked_at=F("asked_at") - timedelta(seconds=31))

    def until_offboarded(self) -> None:
        drive_to_wait(OFFBOARD, "offboarding_kit_seen")
        assert self.states == ("ready_to_offboard", "waiting_for_you")
        self.let_half_a_minute_pass()
        self.until(account="offboarded")

    def keep_what_remains(self, why: str = "Another team's") -> None:
        """Of a cell whose deletion has failed: decided to stay, and the deletion goes on without it."""
        drive_to_failure("delete_cell")
        rows = list(self.cell.resources.remaining())
        sent = {"resource": [row.pk for row in rows], "why": why, "name": self.cell.name}
        assert self.client.post(reverse("cells:cell_keep", args=["acme", self.cell.pk]), sent).status_code == 302
        self.retry_deletion()

    def retry_deletion(self) -> None:
        assert self.client.post(f"{newest('delete_cell').get_absolute_url()}retry/").status_code == 302

    def removal_command(self) -> str:
        kit = self.account.kits.first()
        return kits.load(self.account.cloud).removal_command(target_of(self.account, kit))
