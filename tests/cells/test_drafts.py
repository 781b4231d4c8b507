"""What somebody began to ask for and left is not kept for ever."""

from datetime import timedelta

import pytest
from django.utils import timezone

from cells.models import InstanceDraft
from cells.models.drafts import KEPT_FOR
from cells.tasks import keep_history
from tests.cells.factories import make_draft

pytestmark = pytest.mark.django_db


def test_abandoned_drafts_are_cleared_after_a_week_and_no_other(acme, alice):
    old, young = (make_draft(organisation=acme, created_by=alice) for _ in range(2))
    InstanceDraft.objects.filter(pk=old.pk).update(created_at=timezone.now() - KEPT_FOR - timedelta(minutes=1))
    InstanceDraft.objects.filter(pk=young.pk).update(created_at=timezone.now() - KEPT_FOR + timedelta(minutes=1))

    keep_history()

    assert InstanceDraft.objects.get() == young
