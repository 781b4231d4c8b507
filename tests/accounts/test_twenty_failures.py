"""The failures of `twenty.py`, each played in its cloud: the code, the states, the words on the page, and the way out."""

import html
import re
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.actions.connect import issue_kit
from accounts.models import CloudAccount, Kit
from accounts.states import AccountState
from portal.operations.models import Operation, Step
from portal.operations.states import OperationState, Party
from portal.operations.tasks import advance
from tests.accounts.twenty import RETRY, RUN_AGAIN, TWENTY, Row
from tests.factories import make_contact
from tests.hands import HANDS, make_account

pytestmark = pytest.mark.django_db(transaction=True)
LONGER_THAN_ANY_WAIT = timedelta(hours=1)


class Case:
    """One account on its way, with its customer before the page."""

    def __init__(self, row, *, acme, alice, client, sandbox, settings, monkeypatch):
        self.acme, self.alice, self.client, self.sandbox = acme, alice, client, sandbox
        self.settings, self.monkeypatch, self.hosts = settings, monkeypatch, settings.ALLOWED_HOSTS
        for name, value in HANDS[row.cloud].environment(sandbox).items():
            monkeypatch.setenv(name, value)
        client.force_login(alice)
        make_contact(organisation=acme, confirmed_at=timezone.now())
        self.account = make_account(row.cloud, organisation=acme, name="Production")
        self.hand = HANDS[row.cloud](sandbox, self.tell)
        issue_kit(self.account, after_generation=0, by=alice)
        self.hand.take(self.kit)

    @property
    def kit(self) -> Kit:
        return Kit.objects.filter(account=self.account).first()

    @property
    def operation(self) -> Operation:
        return Operation.objects.filter(kind="connect_cloud_account").order_by("-created_at").first()

    # --- the customer before the page ---

    def url(self, name: str, *more: object) -> str:
        return reverse(f"accounts:{name}", args=["acme", *(more or [self.account.pk])])

    def tell(self, text: str) -> None:
        answer = self.client.post(self.url("connect_report"), {"evidence": text})
        assert answer.status_code == 302, read(answer)

    def press(self, button: str) -> None:
        if button == RUN_AGAIN:
            self.run_again()
            self.hand.take(self.kit)
            self.hand.run_kit()
        else:
            assert self.client.post(self.url("operation_retry", self.operation.pk)).status_code == 302

    def run_again(self) -> None:
        answer = self.client.post(self.url("connect_run_again"), {"generation": self.kit.generation})
        assert answer.status_code == 302, read(answer)

    def page(self) -> str:
        return read(self.client.get(self.url("operation_detail", self.operation.pk)))

    # --- the portal ---

    def look(self) -> Operation:
        operation = self.operation
        Operation.objects.live().filter(pk=operation.pk).update(next_run_at=operation.created_at)
        advance(str(operation.pk))
        operation.refresh_from_db()
        return operation

    def look_until_it_ends(self) -> Operation:
        """Every wait on a cloud or on us is over at once, and longer than anybody would wait."""
        for _look in range(5):
            operation = self.look()
            if operation.state != OperationState.WAITING or operation.waiting_on == Party.YOU:
                break
            step = operation.steps.get(state="waiting")
            ends = {"deadline": timezone.now()} if operation.waiting_why == "retrying" else {}
            Step.objects.filter(pk=step.pk).update(waiting_since=step.waiting_since - LONGER_THAN_ANY_WAIT, **ends)
        return operation

    def shut_issuer(self) -> None:
        """What stands before the portal no longer lets the issuer's own name through."""
        self.sandbox.control("POST", "forget-keys")
        self.settings.ALLOWED_HOSTS = ["testserver"]

    def open_issuer(self) -> None:
        self.settings.ALLOWED_HOSTS = self.hosts

    def set_clock(self, seconds: int) -> None:
        """The clock of the machine that signs, ahead or behind."""
        self.monkeypatch.setattr("accounts.issuer.tokens.time", SimpleNamespace(time=lambda: time.time() + seconds))


@pytest.fixture
def case(request, acme, alice, client, sandbox, settings, monkeypatch) -> Case:
    return Case(request.param, acme=acme, alice=alice, client=client, sandbox=sandbox, settings=settings, monkeypatch=monkeypatch)


def read(answer) -> str:
    """What a reader sees of a page's main part, on one line."""
    main = answer.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


@pytest.mark.parametrize(("case", "row"), [(row, row) for row in TWENTY], ids=map(str, TWENTY), indirect=["case"])
def test_failure(case: Case, row: Row):
    row.provoke(case)
    operation = case.look_until_it_ends()
    case.account = CloudAccount.objects.get(pk=case.account.pk)

    if row.state == AccountState.FAILED:
        assert_failed(case, row, operation)
    else:
        assert (operation.state, operation.waiting_why, case.account.state) == (OperationState.WAITING, row.code, row.state)
    page = case.page()
    for phrase in (row.happened, row.means, row.act, row.evidence, operation.reference if operation.failure_code else ""):
        assert phrase in page

    if row.mend is not None:
        row.mend(case)
        if row.again:
            case.press(row.again)
        assert case.look_until_it_ends().state == OperationState.SUCCEEDED, case.page()
    assert case.sandbox.control("GET", "violations") == []


def assert_failed(case: Case, row: Row, operation: Operation) -> None:
    found = (operation.state, operation.failure_code, case.account.state, case.account.failure_code)
    assert found == (OperationState.FAILED, row.code, AccountState.FAILED, row.code), operation.failure_evidence
    assert [step.failure_code for step in operation.steps.filter(state="failed")] == [row.code]
    page = case.page()
    assert RETRY in page or operation.failure_code == "kit_expired"
    assert "%(" not in page
    # The new kit is a page away.
    assert RUN_AGAIN in read(case.client.get(case.url("connect_waiting")))


def test_every_way_out_is_tried_in_one_cloud_at_least():
    names = {row.name for row in TWENTY}

    assert len(names) > 20
    assert {row.name for row in TWENTY if row.mend is not None} >= names - {"project deleted", "project made anew"}
