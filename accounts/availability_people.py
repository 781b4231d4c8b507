"""May a person do this, and if not, why: one function for the button, the form and the action. Empty means yes."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import Role
from accounts.models import Contact, Invitation, Membership, Organisation, User
from portal.audit.models import Event

# Mails to people who did not ask for any; counted in the activity log, which forgets nothing that was withdrawn since.
INVITATIONS_A_DAY = 100
CONTACT_MAILS_A_DAY = 50
ORGANISATIONS_A_DAY = 5
A_DAY = timedelta(days=1)
RESEND_PAUSE = timedelta(minutes=1)

# --- Members ---------------------------------------------------------------------------------------------------------


def why_not_change_role(membership: Membership, *, owner_count: int) -> str:
    """`owner_count` is given, not queried: a list asks this once a row."""
    if membership.role == Role.OWNER and owner_count <= 1:
        return _("This is the last owner. Make somebody else an owner first.")
    return ""


def why_not_remove(membership: Membership, *, owner_count: int) -> str:
    if membership.role == Role.OWNER and owner_count <= 1:
        return _("The last owner cannot leave. Make somebody else an owner first.")
    return ""


def why_not_set_active(user: User, *, is_active: bool, by: User) -> str:
    if user.pk == by.pk and not is_active:
        return _("You cannot deactivate yourself.")
    return why_not_touch(user, by=by)


def why_not_touch(user: User, *, by: User) -> str:
    """The provider's own people are changed by those alone who may do everything."""
    if user.is_provider and not by.is_superuser:
        return _("Only a superuser changes people of the provider.")
    return ""


# --- Organisations ---------------------------------------------------------------------------------------------------


def why_not_found(user: User) -> str:
    """Each organisation may send its own mails a day, so there is a limit to organisations, too."""
    recent = Organisation.objects.filter(created_at__gt=timezone.now() - A_DAY).values("pk")
    found = Event.objects.filter(organisation_id__in=recent, action="organisation.created", actor_id=str(user.pk))
    if found.count() < ORGANISATIONS_A_DAY:
        return ""
    limit = {"count": ORGANISATIONS_A_DAY}
    return _("You have set up %(count)s organisations in the last 24 hours, which is the limit. Set up more tomorrow.") % limit


def _count_today(organisation: Organisation, *actions: str) -> int:
    return Event.objects.filter(organisation_id=organisation.pk, action__in=actions, at__gt=timezone.now() - A_DAY).count()


# --- Invitations -----------------------------------------------------------------------------------------------------


def why_not_invite(organisation: Organisation, *, email: str) -> str:
    if organisation.memberships.filter(user__email__iexact=email).exists():
        return _("%(email)s is already a member of %(organisation)s.") % {"email": email, "organisation": organisation}
    if organisation.invitations.open().filter(email__iexact=email).exists():
        return _("%(email)s is already invited. Send the invitation again from the members page.") % {"email": email}
    return why_no_more_invitations(organisation)


def why_no_more_invitations(organisation: Organisation) -> str:
    if _count_today(organisation, "invitation.sent", "invitation.resent") < INVITATIONS_A_DAY:
        return ""
    limit = {"count": INVITATIONS_A_DAY}
    return _("%(count)s invitations were sent in the last 24 hours, which is the limit. Invite more people tomorrow.") % limit


def why_not_resend_invitation(invitation: Invitation) -> str:
    if invitation.accepted_at or invitation.revoked_at:
        return why_not_revoke_invitation(invitation)
    return _why_not_resend(invitation.sent_at)


def why_not_revoke_invitation(invitation: Invitation) -> str:
    if invitation.accepted_at:
        return _("This invitation has been accepted.")
    if invitation.revoked_at:
        return _("This invitation has been withdrawn.")
    return ""


def why_not_accept_invitation(invitation: Invitation, user: User) -> str:
    if invitation.is_expired:
        return _("This invitation has expired. Ask for a new one.")
    if reason := why_not_revoke_invitation(invitation):
        return reason
    if not Invitation.objects.for_user(user).filter(pk=invitation.pk).exists():
        return _("This invitation is for %(invited)s. You are signed in as %(email)s.") % {"invited": invitation.email, "email": user.email}
    if invitation.organisation.memberships.filter(user=user).exists():
        return _("You are already a member of %(organisation)s.") % {"organisation": invitation.organisation}
    return ""


# --- Contacts --------------------------------------------------------------------------------------------------------


def why_not_add_contact(organisation: Organisation, *, email: str, purpose: str) -> str:
    if organisation.contacts.filter(email__iexact=email, purpose=purpose).exists():
        return _("%(email)s is already a contact for this.") % {"email": email}
    return why_no_more_contact_mails(organisation)


def why_no_more_contact_mails(organisation: Organisation) -> str:
    if _count_today(organisation, "contact.added", "contact.confirmation_resent") < CONTACT_MAILS_A_DAY:
        return ""
    limit = {"count": CONTACT_MAILS_A_DAY}
    return _("%(count)s mails were sent to contacts in the last 24 hours, which is the limit. Send more tomorrow.") % limit


def why_not_remove_contact(contact: Contact, *, operational_count: int, has_proven_accounts: bool) -> str:
    """The counts are given, not queried: a list asks this once a row."""
    if contact.purpose == Contact.Purpose.OPERATIONAL and operational_count <= 1 and has_proven_accounts:
        return _("This is the last operational contact, and cloud accounts are connected. Add another operational contact first.")
    return ""


def why_not_resend_confirmation(contact: Contact) -> str:
    if contact.confirmed_at:
        return _("This contact has confirmed the address.")
    return _why_not_resend(contact.sent_at)


def _why_not_resend(sent_at: datetime) -> str:
    if sent_at > timezone.now() - RESEND_PAUSE:
        return _("The mail was sent less than a minute ago. Wait a minute before sending it again.")
    return ""
