"""How long the history of an account's trust is kept, and the net under the watch."""

from datetime import timedelta

from django.utils import timezone

from accounts.models import TrustChange, TrustWatch

# More than a year, so that an auditor who comes once a year reads all of it. "Since when" of what stands now is kept with the row itself.
KEPT_FOR = timedelta(days=400)
BATCH = 5_000


def tidy() -> None:
    TrustWatch.objects.adopt()
    too_old = TrustChange.objects.filter(at__lt=timezone.now() - KEPT_FOR)
    while TrustChange.objects.filter(pk__in=list(too_old.order_by("at").values_list("pk", flat=True)[:BATCH])).delete()[0] == BATCH:
        pass
