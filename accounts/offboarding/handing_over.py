"""Whether one that is stuck was handed to the provider: the activity knows, and nothing else has to."""

from accounts.offboarding.models import Offboarding
from accounts.offboarding.transitions import subject_of
from portal.audit.models import Event

HANDED_OVER = "offboarding.handed_over"


def handed_over(row: Offboarding) -> Event | None:
    """Since it is stuck: an earlier time was another matter."""
    about = Event.objects.for_chain(row.organisation_id).for_subject(subject_of(row).kind, row.pk)
    return about.filter(action=HANDED_OVER, at__gte=row.state_at).first()
