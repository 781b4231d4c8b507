"""Rows that are held until the transaction ends by whoever adds something to them. Taken first, the organisation before the person.

The closing (accounts.closing.steps) takes them in this order too. It holds the organisation by its key, so that nothing is added to it that
it does not see; whoever holds a row of it already and then adds another would wait for the closing, so there the closing gives way.
"""

from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import Organisation, User
from portal.operations.availability import NotAllowed


def hold_open(organisation_id: UUID) -> Organisation:
    """The organisation, which cannot close meanwhile. Raises NotAllowed when it has closed since the request was let in."""
    # Not by its key: rows of it that others write meanwhile do not wait.
    organisation = Organisation.objects.select_for_update(no_key=True).get(pk=organisation_id)
    if organisation.closed_at is not None:
        raise NotAllowed(_("%(organisation)s is closed. Nothing was saved.") % {"organisation": organisation})
    return organisation


def hold_active(user_id: UUID) -> User:
    """The person, whom nobody deactivates or forgets meanwhile. Raises NotAllowed for a person who cannot sign in any more."""
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    if not user.is_active:
        raise NotAllowed(_("This sign-in is not active any more. Nothing was saved."))
    return user
