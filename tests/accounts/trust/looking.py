"""One look at an account, what it found, and who was told."""

from datetime import timedelta

from django.core import mail
from django.utils import timezone

from accounts.actions.connect import issue_kit
from accounts.mail import send_due_mails
from accounts.models import CloudAccount, TrustChange, TrustWatch
from accounts.steps.watch import watch_once
from portal.operations.driver import advance
from portal.operations.models import Operation
from tests.customer import Customer
from tests.factories import make_cloud_account, make_contact

NUMBER = "111122223333"
TOLD = ("alice", "ciso", "night")  # the owner, the security and the operational contact


def connect(organisation, owner, sandbox) -> CloudAccount:
    """An account in the strict local AWS with three contacts, of whom two are told of its trust; nothing is left to be mailed."""
    make_contact(organisation=organisation, email="night@acme.example", confirmed_at=timezone.now())
    make_contact(organisation=organisation, email="ciso@acme.example", purpose="security", confirmed_at=timezone.now())
    make_contact(organisation=organisation, email="books@acme.example", purpose="billing", confirmed_at=timezone.now())
    account = make_cloud_account(organisation=organisation, external_id=NUMBER, name="Production")
    issue_kit(account, after_generation=0, by=owner)
    Customer(sandbox, NUMBER).run_kit(account.kits.get())
    advance(Operation.objects.get().pk)
    send_due_mails()
    mail.outbox.clear()
    return CloudAccount.objects.get()


def look(account, *, later=timedelta()) -> CloudAccount:
    """One look, `later` than the one before. The account as it is then."""
    TrustWatch.objects.update(since=TrustWatch.objects.get().since - later, next_at=timezone.now())
    watch_once(account.watch.pk)
    send_due_mails()
    return CloudAccount.objects.select_related("watch").get()


def verdicts(account) -> list[tuple[str, str]]:
    changes = account.trust_changes.filter(kind=TrustChange.Kind.TRUST).order_by("id")
    return [(change.now, change.code) for change in changes]


def look_of(account) -> TrustWatch:
    watch_once(account.watch.pk)
    return TrustWatch.objects.get(account=account)
