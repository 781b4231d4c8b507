"""What a person asks for about the trust of a connected account."""

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.availability import why_not_look
from accounts.models import CloudAccount, TrustWatch
from accounts.tasks import ring_watch
from portal.operations.availability import refuse_if

ASK_AGAIN_AFTER = timedelta(seconds=5)


def look_now(account: CloudAccount) -> bool:
    """Look now instead of at the next planned time. False when somebody asked a moment ago. Raises NotAllowed.

    Nothing is decided and no state is written, so it leaves no event.
    """
    refuse_if(why_not_look(account))
    now = timezone.now()
    with transaction.atomic():
        watch, _is_new = TrustWatch.objects.get_or_create(account=account)
        rested = TrustWatch.objects.filter(Q(asked_at=None) | Q(asked_at__lte=now - ASK_AGAIN_AFTER), pk=watch.pk)
        if not rested.update(asked_at=now, next_at=now):
            return False
        transaction.on_commit(partial(ring_watch, str(watch.pk)))
    return True
