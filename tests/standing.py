"""One account in one cloud, connected by its kit, with the customer's hand in it: what happens to a trust that stands."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.actions.connect import issue_kit
from accounts.mail import send_due_mails
from accounts.models import CloudAccount, Kit, TrustChange, TrustWatch, User
from accounts.steps.watch import watch_once
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.hands import HANDS, make_account, tell_itself
from tests.kill import lose_lease
from tests.local_cloud import LocalCloud

# Late enough to be a second look.
SECOND = timedelta(minutes=6)


class Standing:
    """`account`, `kit` and `watch` are read anew each time; `hand` works on the kit that was run last."""

    def __init__(self, cloud: str, *, alice: User, sandbox: LocalCloud, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
        self.alice, self.sandbox = alice, sandbox
        for name, value in HANDS[cloud].environment(sandbox).items():
            monkeypatch.setenv(name, value)
        self.pk = make_account(cloud, name="Production", **fields).pk
        self.hand = HANDS[cloud](sandbox, lambda text: tell_itself(Client(), self.told_of, text))
        issue_kit(self.account, after_generation=0, by=alice)
        self.run(1)
        operation = self.drive()
        assert operation.state == "succeeded", (operation.failure_code, operation.failure_evidence)
        send_due_mails()
        mail.outbox.clear()

    # --- the customer ---

    def run(self, generation: int) -> Kit:
        """The issued kit of this number, run as its page says."""
        self.told_of = self.account.kits.get(generation=generation)
        self.hand.take(self.told_of)
        self.hand.run_kit()
        return self.told_of

    def run_earlier(self, generation: int, version: str) -> Kit:
        """The same for a kit that was issued when this version was the newest."""
        self.account.kits.filter(generation=generation).update(version=version)
        self.told_of = self.account.kits.get(generation=generation)
        self.hand.take(self.told_of)
        self.hand.run_earlier(version)
        return self.told_of

    # --- the portal ---

    @property
    def account(self) -> CloudAccount:
        return CloudAccount.objects.select_related("watch", "organisation").get(pk=self.pk)

    @property
    def watch(self) -> TrustWatch:
        return TrustWatch.objects.get(account=self.pk)

    @property
    def operation(self) -> Operation:
        """The newest attempt to connect or to renew."""
        return Operation.objects.filter(kind__in=["connect_cloud_account", "renew_kit", "restore_trust"]).newest_first()[0]

    def drive(self) -> Operation:
        lose_lease(self.operation.pk)
        advance(self.operation.pk)
        return self.operation

    def look(self, *, later: timedelta = timedelta()) -> CloudAccount:
        """One look, `later` than the one before. The account as it is then."""
        TrustWatch.objects.filter(account=self.pk).update(since=self.watch.since - later, next_at=timezone.now())
        watch_once(self.watch.pk)
        send_due_mails()
        return self.account

    def lose(self) -> CloudAccount:
        """Two looks apart in time, after which what was done to the trust is believed."""
        self.look()
        return self.look(later=SECOND)

    # --- what is left of it ---

    @property
    def kits(self) -> list[tuple[int, str]]:
        return list(self.account.kits.order_by("generation").values_list("generation", "state"))

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        changes = self.account.trust_changes.filter(kind=TrustChange.Kind.TRUST).order_by("id")
        return [(change.now, change.code) for change in changes]


def told() -> list[tuple[str, str]]:
    return sorted((message.to[0].partition("@")[0], message.subject) for message in mail.outbox)
