"""A connection prepared by provider staff: staff prepare, the customer accepts or declines. Nothing else moves it."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actions.connect import DuplicateAccount
from accounts.availability import why_not_as_staff, why_not_decide, why_not_name, why_not_prepare
from accounts.holds import hold_open
from accounts.mail import absolute_url, queue_mail
from accounts.models import CloudAccount, Organisation, Preparation, User
from accounts.models.cloud_accounts import Cloud
from accounts.terms import terms_of
from accounts.transitions import subject_of
from portal.audit import Actor, record
from portal.operations.availability import NotAllowed, refuse_if


def prepare_connection(
    *, organisation: Organisation, cloud: Cloud, name: str, external_id: str, identity: Mapping[str, str], region: str, note: str, by: User
) -> Preparation:
    """A draft that waits for the customer's decision; its owners are told. Raises NotAllowed, DuplicateAccount."""
    refuse_if(why_not_prepare(by))
    filled = {"name": name, "external_id": external_id, "identity": dict(identity), "home_region": region}
    try:
        with transaction.atomic():
            hold_open(organisation.pk)
            account = CloudAccount.objects.create(organisation=organisation, cloud=cloud, created_by=by, wizard_step="terms", **filled)
            values = {"name": name, "external_id": external_id, "region": region, **identity}
            preparation = Preparation.objects.create(
                organisation=organisation, account=account, cloud=cloud, values=values, note=note, prepared_by=by
            )
            _record(account, "prepared", by, {"cloud": cloud.value, "note": note, **values})
            _tell_owners(preparation, account)
    except IntegrityError as error:
        raise _duplicate(organisation, cloud, external_id, name, error) from error
    return preparation


def accept_terms(
    account: CloudAccount, *, terms_hash: str, name: str, external_id: str, identity: Mapping[str, str], region: str, by: User
) -> None:
    """With the values as the customer left them. `terms_hash` is of the text that was shown. Raises NotAllowed, DuplicateAccount."""
    refuse_if(why_not_as_staff(by))
    try:
        with transaction.atomic():
            locked, preparation = _lock(account)
            terms = terms_of(locked.cloud)
            if terms.sha256 != terms_hash:
                raise NotAllowed(_("The terms have changed since you opened this page. Nothing was accepted. Read them again."))
            was = {"name": locked.name, "account_number": locked.external_id, "region": locked.home_region, **locked.identity}
            now = {"name": name, "account_number": external_id, "region": region, **identity}
            changed = {key: [was.get(key, ""), value] for key, value in now.items() if was.get(key, "") != value}
            locked.name, locked.external_id, locked.identity, locked.home_region = name, external_id, dict(identity), region
            locked.wizard_step = "review"
            locked.save(update_fields=["name", "external_id", "identity", "home_region", "wizard_step"])
            preparation.accepted_at, preparation.accepted_by = timezone.now(), by
            preparation.terms, preparation.terms_hash = terms.text, terms.sha256
            preparation.save(update_fields=["accepted_at", "accepted_by", "terms", "terms_hash"])
            _record(locked, "terms_accepted", by, {"terms_hash": terms.sha256, **changed})
    except IntegrityError as error:
        raise _duplicate(account.organisation, account.cloud, external_id, name, error, but=account) from error


def decline_preparation(account: CloudAccount, *, reason: str, by: User) -> None:
    """The draft goes, the reason stays for staff to read. Raises NotAllowed."""
    refuse_if(why_not_as_staff(by))
    with transaction.atomic():
        locked, preparation = _lock(account)
        preparation.declined_at, preparation.declined_by, preparation.decline_reason = timezone.now(), by, reason
        preparation.save(update_fields=["declined_at", "declined_by", "decline_reason"])
        _record(locked, "preparation_declined", by, {"reason": reason, "account_number": locked.external_id})
        locked.delete()


def _lock(account: CloudAccount) -> tuple[CloudAccount, Preparation]:
    locked = CloudAccount.objects.select_for_update().get(pk=account.pk)
    refuse_if(why_not_decide(locked))
    return locked, Preparation.objects.undecided().get(account=locked)


def _duplicate(
    organisation: Organisation, cloud: str, external_id: str, name: str, error: IntegrityError, *, but: CloudAccount | None = None
) -> Exception:
    """What the database refused, in words: the account, else its name, is there already."""
    others = organisation.cloud_accounts.live().filter(cloud=cloud, external_id=external_id)
    existing = (others.exclude(pk=but.pk) if but else others).first()
    if existing:
        return DuplicateAccount(existing)
    reason = why_not_name(organisation, name, but=but)
    return NotAllowed(reason) if reason else error


def _record(account: CloudAccount, what: str, by: User, details: Mapping[str, object]) -> None:
    organisation_id, action = account.organisation_id, f"cloud_account.{what}"
    record(organisation_id=organisation_id, action=action, actor=Actor.user(by), subject=subject_of(account), details=details)


def _tell_owners(preparation: Preparation, account: CloudAccount) -> None:
    context = {
        "preparation": preparation,
        "account": account,
        "organisation": preparation.organisation,
        "url": absolute_url("accounts:connect_terms", preparation.organisation.slug, account.pk),
    }
    for membership in preparation.organisation.memberships.owners().select_related("user"):
        queue_mail(to=membership.user.email, template="connection_prepared", context=context)
