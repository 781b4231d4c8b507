"""What a person asks about an environment: look at it now, all of it or one check."""

from django.db import transaction

from accounts.availability import why_not_check_environment
from accounts.environment.assessments import start_assessment
from accounts.models import Assessment, CloudAccount, User
from portal.operations.availability import refuse_if


def request_assessment(account: CloudAccount, *, region: str, by: User, check: str = "") -> Assessment:
    """A look at every check of a region, or at one. Raises NotAllowed, and OperationInProgress while one is under way."""
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update().get(pk=account.pk)
        refuse_if(why_not_check_environment(account))
        return start_assessment(account, region, trigger=Assessment.Trigger.PERSON, by=by, only=[check] if check else [])
