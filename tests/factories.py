"""Rows for tests. Keywords only; whatever a test does not name gets a sensible, unique value."""

import itertools
from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.utils import timezone

from accounts import kits
from accounts.access import Role
from accounts.models import (
    CloudAccount,
    Contact,
    Invitation,
    Kit,
    Membership,
    Organisation,
    Preparation,
    StepLink,
    TrustChange,
    TrustWatch,
    User,
)
from accounts.models.cloud_accounts import KIT_LIFETIME, Cloud
from accounts.models.people import INVITATION_LIFETIME, token_hash
from accounts.models.step_links import STEP_LINK_LIFETIME
from accounts.states import AccountState, KitState, TrustVerdict
from accounts.terms import terms_of

PASSWORD = "correct-horse-battery"  # every made user's
_numbers = itertools.count(1)

# --- People ----------------------------------------------------------------------------------------------------------


def make_user(*, email: str = "", name: str = "", is_verified: bool = True, **fields: Any) -> User:
    """A user who can sign in with PASSWORD."""
    number = next(_numbers)
    user = User.objects.create_user(email or f"person{number}@people.example", PASSWORD, name=name or f"Person {number}", **fields)
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=is_verified)
    return user


def make_organisation(*, name: str = "", slug: str = "") -> Organisation:
    number = next(_numbers)
    return Organisation.objects.create(name=name or f"Organisation {number}", slug=slug or f"organisation-{number}")


def make_membership(*, organisation: Organisation | None = None, user: User | None = None, role: Role = Role.OPERATOR) -> Membership:
    return Membership.objects.create(organisation=organisation or make_organisation(), user=user or make_user(), role=role)


def make_invitation(
    *, organisation: Organisation, invited_by: User, email: str = "", role: Role = Role.OPERATOR, token: str = "", **fields: Any
) -> Invitation:
    """An open invitation; its link opens with `token` (default: the address)."""
    email = email or f"invited{next(_numbers)}@people.example"
    fields = {"expires_at": timezone.now() + INVITATION_LIFETIME, "sent_at": timezone.now() - timedelta(hours=1)} | fields
    return Invitation.objects.create(
        organisation=organisation, invited_by=invited_by, email=email, role=role, token_hash=token_hash(token or email), **fields
    )


def make_contact(
    *,
    organisation: Organisation,
    name: str = "Night desk",
    email: str = "",
    purpose: str = Contact.Purpose.OPERATIONAL,
    token: str = "",
    **fields: Any,
) -> Contact:
    """A contact, unconfirmed unless `confirmed_at` is given; its link opens with `token` (default: the address)."""
    email = email or f"contact{next(_numbers)}@people.example"
    hashed = "" if fields.get("confirmed_at") else token_hash(token or email)
    fields = {"sent_at": timezone.now() - timedelta(hours=1)} | fields
    return Contact.objects.create(organisation=organisation, name=name, email=email, purpose=purpose, token_hash=hashed, **fields)


# --- Cloud accounts --------------------------------------------------------------------------------------------------


def make_cloud_account(
    *, organisation: Organisation | None = None, state: AccountState = AccountState.DRAFT, created_by: User | None = None, **fields: Any
) -> CloudAccount:
    """An AWS account with its number and region filled in, in any state."""
    number = next(_numbers)
    fields = {
        "cloud": Cloud.AWS,
        "name": f"Account {number}",
        "external_id": f"{111100000000 + number}",
        "home_region": "us-east-1",
        "wizard_step": "preflight",
    } | fields
    return CloudAccount.objects.create(
        organisation=organisation or make_organisation(), state=state, created_by=created_by or make_user(), **fields
    )


def make_kit(*, account: CloudAccount, generation: int = 1, state: KitState = KitState.CURRENT, **fields: Any) -> Kit:
    shipped = kits.load(account.cloud)
    fields = {"version": shipped.version, "content_hash": shipped.content_hash, "expires_at": timezone.now() + KIT_LIFETIME} | fields
    return Kit.objects.create(
        account=account, generation=generation, region=account.home_region, state=state, created_by=account.created_by, **fields
    )


def make_step_link(*, kit: Kit, sent_by: User, token: str = "", **fields: Any) -> StepLink:
    """An open link to the kit, which opens with `token`."""
    hashed = token_hash(token or f"link{next(_numbers)}")
    fields = {"expires_at": timezone.now() + STEP_LINK_LIFETIME} | fields
    return StepLink.objects.create(kit=kit, sent_by=sent_by, token_hash=hashed, **fields)


def make_prepared_account(organisation: Organisation, by: User, *, staff: User | None = None, note: str = "") -> CloudAccount:
    """A draft that provider staff prepared and nobody has decided about; `by` is not used, as in the makers of the guards."""
    staff = staff or make_user(is_staff=True, name="Sam Fern")
    account = make_cloud_account(organisation=organisation, created_by=staff, name="Prepared", wizard_step="terms")
    values = {"name": account.name, "external_id": account.external_id, "region": account.home_region}
    Preparation.objects.create(organisation=organisation, account=account, cloud=account.cloud, values=values, note=note, prepared_by=staff)
    return account


def answers_to_terms(account: CloudAccount, **changed: str) -> dict[str, str]:
    """What the terms page sends when nothing was changed on it."""
    given = {"name": account.name, "external_id": account.external_id, "region": account.home_region, **account.identity}
    return given | {"terms_hash": terms_of(account.cloud).sha256} | changed


def make_watched_account(*, verdict: TrustVerdict = TrustVerdict.HOLDS, code: str = "", **fields: Any) -> CloudAccount:
    """A connected account with its kit, and a watch that last found this."""
    account = make_cloud_account(**{"state": AccountState.CONNECTED, "connected_at": timezone.now(), **fields})
    now = timezone.now()
    make_kit(account=account, ran_at=now)
    seen = {"looked_at": now, "last_try_at": now, "refusals_at": now, "next_at": now + timedelta(hours=1)}
    TrustWatch.objects.create(account=account, verdict=verdict, code=code, **seen)
    return account


def make_lost_account(**fields: Any) -> CloudAccount:
    """As the watch leaves an account that lost two permissions and then its provider."""
    reason = {"state": AccountState.NEEDS_ATTENTION, "failure_code": "lost_provider_deleted"}
    account = make_watched_account(verdict=TrustVerdict.LOST, code="provider_deleted", **reason, **fields)
    account.watch.lost_since, account.watch.evidence = timezone.now(), "AssumeRoleWithWebIdentity: InvalidIdentityToken"
    account.watch.save()
    lost = {"account": account, "kind": TrustChange.Kind.PERMISSION, "was": "held", "now": "missing", "at": timezone.now()}
    TrustChange.objects.create(**lost, name="ec2:CreateVpc")
    TrustChange.objects.create(**lost, name="ec2:DeleteVpc")
    TrustChange.objects.create(account=account, kind=TrustChange.Kind.TRUST, was="holds", now="lost", code="provider_deleted")
    return account


def make_disabled_account(**fields: Any) -> CloudAccount:
    """Switched off by the customer with the kit's own switch."""
    account = make_watched_account(verdict=TrustVerdict.SWITCHED_OFF, code="changes", switched_off="changes", **fields)
    TrustWatch.objects.filter(account=account).update(
        unclear_since=timezone.now(), unclear_code="throttled", switches={"AllowSupport": "no"}
    )
    return account
