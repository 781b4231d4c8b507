"""Invite, send again, withdraw, accept. The secret in the link is mailed and never stored: rows keep its hash."""

from django.db import transaction
from django.utils import timezone

from accounts.access import Role
from accounts.availability_people import (
    why_no_more_invitations,
    why_not_accept_invitation,
    why_not_invite,
    why_not_resend_invitation,
    why_not_revoke_invitation,
)
from accounts.holds import hold_active, hold_open
from accounts.mail import absolute_url, queue_mail
from accounts.models import Invitation, Membership, Organisation, User
from accounts.models.people import INVITATION_LIFETIME, new_token, token_hash
from portal.audit import Actor, Subject, record
from portal.operations.availability import refuse_if


def create_invitation(*, organisation: Organisation, email: str, role: Role, by: User) -> Invitation:
    """Invite one address. An expired invitation to it is withdrawn. Raises NotAllowed for members and the already invited."""
    token = new_token()
    with transaction.atomic():
        # Held, so that of two invitations to one address at once the second is told.
        hold_open(organisation.pk)
        refuse_if(why_not_invite(organisation, email=email))
        organisation.invitations.unanswered().filter(email__iexact=email).update(revoked_at=timezone.now())
        invitation = Invitation.objects.create(
            organisation=organisation,
            email=email,
            role=role,
            token_hash=token_hash(token),
            invited_by=by,
            expires_at=timezone.now() + INVITATION_LIFETIME,
        )
        _record(invitation, "invitation.sent", by)
        _mail(invitation, token, by)
    return invitation


def resend_invitation(*, invitation: Invitation, by: User) -> None:
    """Send a new link and start the seven days again; the old link dies. Raises NotAllowed."""
    token = new_token()
    with transaction.atomic():
        organisation = hold_open(invitation.organisation_id)
        locked = _lock(invitation)
        refuse_if(why_not_resend_invitation(locked) or why_no_more_invitations(organisation))
        locked.token_hash = token_hash(token)
        locked.sent_at = timezone.now()
        locked.expires_at = locked.sent_at + INVITATION_LIFETIME
        locked.save(update_fields=["token_hash", "sent_at", "expires_at"])
        _record(locked, "invitation.resent", by)
        _mail(locked, token, by)


def revoke_invitation(*, invitation: Invitation, by: User) -> None:
    """Raises NotAllowed when it was accepted or withdrawn meanwhile."""
    with transaction.atomic():
        locked = _lock(invitation)
        refuse_if(why_not_revoke_invitation(locked))
        locked.revoked_at = timezone.now()
        locked.save(update_fields=["revoked_at"])
        _record(locked, "invitation.revoked", by)


def accept_invitation(*, invitation: Invitation, by: User) -> Membership:
    """Make `by` a member and lead `/` there. Works once, in time, and only for the invited address; else NotAllowed."""
    with transaction.atomic():
        # In the order of the closing: whoever is forgotten or whose organisation closes at this moment is told so.
        hold_open(invitation.organisation_id)
        locked, by = _lock(invitation), hold_active(by.pk)
        refuse_if(why_not_accept_invitation(locked, by))
        membership = Membership.objects.create(organisation=locked.organisation, user=by, role=locked.role)
        locked.accepted_at, locked.accepted_by = timezone.now(), by
        locked.save(update_fields=["accepted_at", "accepted_by"])
        User.objects.filter(pk=by.pk).update(current_organisation=locked.organisation)
        _record(locked, "invitation.accepted", by)
    return membership


def _lock(invitation: Invitation) -> Invitation:
    return Invitation.objects.select_related("organisation").select_for_update(of=("self",)).get(pk=invitation.pk)


def _record(invitation: Invitation, action: str, by: User) -> None:
    subject = Subject(kind="invitation", id=str(invitation.pk), label=invitation.email)
    details = {"email": invitation.email, "role": invitation.role}
    record(organisation_id=invitation.organisation_id, action=action, actor=Actor.user(by), subject=subject, details=details)


def _mail(invitation: Invitation, token: str, by: User) -> None:
    context = {
        "organisation": invitation.organisation,
        "inviter": by,
        "role": invitation.get_role_display(),
        "url": absolute_url("accounts:invitation", token),
        "expires_at": invitation.expires_at,
    }
    queue_mail(to=invitation.email, template="invitation", context=context)
