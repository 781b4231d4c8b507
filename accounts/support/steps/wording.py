"""What the operations of support access share: the grant they are about, its names, and errors of a cloud as outcomes."""

from uuid import UUID

from django.conf import settings

from accounts.clouds.base import CloudError
from accounts.support.models import AccessRequest
from accounts.targets import cloud_names
from portal.audit import Actor
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Fail, Outcome, Retry

WORKER = Actor.worker("support access")


def locked(pk: UUID | str) -> AccessRequest:
    """The row, held until this transaction ends: the subject before its operation, before the log."""
    rows = AccessRequest.objects.select_related("organisation", "account", "engineer", "checked_by")
    return rows.select_for_update(of=("self",)).get(pk=pk)


def of_grant(ctx: StepContext) -> AccessRequest:
    return AccessRequest.objects.with_people().get(pk=ctx.operation.subject_id)


def outcome_of(error: CloudError) -> Outcome:
    kind = Retry if error.retryable else Fail
    return kind(error.code, params=error.params, evidence=error.raw)


def operation_names(operation: Operation) -> dict[str, object]:
    """Names for every sentence; where support access has words of its own for a code, these are taken."""
    cloud = AccessRequest.objects.filter(pk=operation.subject_id).values_list("account__cloud", flat=True).first()
    known = cloud_names(cloud) if cloud else {}
    return {**known, "variant": "support", "provider": settings.PROVIDER_NAME}


def request_url(operation: Operation) -> str:
    request = AccessRequest.objects.select_related("organisation").filter(pk=operation.subject_id).first()
    return request.get_absolute_url() if request else ""
