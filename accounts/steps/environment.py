"""Steps of checking the environment: ask every check that has no answer yet, then draw the verdict.

Each answer is a row as soon as it is there: the page shows it, and a worker that takes over asks only for what is missing.
"""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.clouds.base import CloudAdapter, CloudError, Finding, Verdict
from accounts.environment.assessments import CHECK_ENVIRONMENT
from accounts.environment.capabilities import facts_of
from accounts.environment.needs import needs_kept
from accounts.issuer.tokens import KitReplaced
from accounts.models import Assessment, CloudAccount, EnvironmentFinding, TrustCheck
from accounts.models.environment import KEPT_ASSESSMENTS
from accounts.states import KitState
from accounts.steps.adapters import adapter_for
from accounts.steps.connect import names
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Wait
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import LIVE_STATES, Party
from portal.redaction import without_secrets

# No answer for now: worth another try, while the other checks go on.
PASSING_CODES = frozenset({"throttled", "cloud_unavailable", "session_expired"})
PATIENCE = timedelta(minutes=3)
PAUSE_SECONDS = 10
# One turn of asking; a cloud that answers nothing must not keep the worker.
LONGEST_ASKING_SECONDS = 40.0
MOST_EVIDENCE = 4000


def look(ctx: StepContext) -> Outcome:
    """Ask each check on its own. One without an answer keeps no other from being asked, and in the end is unknown."""
    assessment = Assessment.objects.select_related("account__organisation").get(pk=ctx.data["assessment"])
    pending = _unanswered(assessment, ctx.data["only"])
    try:
        open_checks = _ask_all(ctx, assessment, pending) if pending else []
    except (CloudError, KitReplaced) as error:
        return Fail("environment_not_asked", evidence=error.raw if isinstance(error, CloudError) else "")
    if open_checks and ctx.waited_for("checks_unanswered") < PATIENCE:
        return Wait(PAUSE_SECONDS, on=Party.CLOUD, why="checks_unanswered", params={"count": str(len(open_checks))})
    for finding in open_checks:
        _keep(ctx, assessment, finding)
    return Done()


def _unanswered(assessment: Assessment, only: Sequence[str]) -> list[str]:
    answered = set(assessment.findings.values_list("name", flat=True))
    wanted = [check.name for check in kits.load(assessment.account.cloud).environment_checks]
    return [name for name in wanted if name not in answered and (not only or name in only)]


def _ask_all(ctx: StepContext, assessment: Assessment, pending: Sequence[str]) -> list[Finding]:
    """The findings that are no answer yet. Raises CloudError when nothing can be asked at all."""
    account = assessment.account
    kit = account.kits.get(pk=ctx.data["kit"])
    if kit.state == KitState.OUTDATED:
        raise KitReplaced
    adapter = adapter_for(account, kit, was_trusted=True)
    ends = time.monotonic() + LONGEST_ASKING_SECONDS
    unanswered = []
    for name in pending:
        finding = _ask(adapter, assessment, name) if time.monotonic() < ends else _no_answer(name, "cloud_unavailable")
        if finding.verdict == Verdict.UNKNOWN and finding.params.get("code") in PASSING_CODES:
            unanswered.append(finding)
        else:
            _keep(ctx, assessment, finding)
    return unanswered


def _ask(adapter: CloudAdapter, assessment: Assessment, name: str) -> Finding:
    try:
        found = adapter.check_environment(assessment.region, needs_kept(assessment.needs), [name])
    except CloudError as error:
        if not error.retryable:
            raise
        return _no_answer(name, error.code if error.code in PASSING_CODES else "cloud_unavailable", error.raw)
    return found[0] if found else _no_answer(name, "check_unknown")


def _no_answer(name: str, code: str, evidence: str = "") -> Finding:
    return Finding(name, Verdict.UNKNOWN, evidence, {"code": code})


def _keep(ctx: StepContext, assessment: Assessment, finding: Finding) -> None:
    """The answer as a row, once: an earlier run of this step, killed before it could say so, may have written it."""
    values = {
        "verdict": finding.verdict.value,
        "evidence": without_secrets(finding.evidence)[:MOST_EVIDENCE],
        "params": dict(finding.params),
        "command": finding.command,
        "link": finding.link[:500],
        "checked_at": timezone.now(),
    }
    if assessment.finished_at:
        return
    EnvironmentFinding.objects.update_or_create(assessment=assessment, name=finding.check, defaults=values)
    ctx.log(f"{finding.check}: {finding.verdict.value}")


def conclude(ctx: StepContext) -> Outcome:
    """Count the verdicts and draw the capability profile; then forget what is too old to matter."""
    with transaction.atomic():
        assessment = Assessment.objects.select_for_update(of=("self",)).select_related("account").get(pk=ctx.data["assessment"])
        findings = list(assessment.findings.all())
        count = Counter(finding.verdict for finding in findings)
        assessment.passed, assessment.warned = count[Verdict.PASS], count[Verdict.WARN]
        assessment.blocked, assessment.unknown = count[Verdict.BLOCK], count[Verdict.UNKNOWN]
        assessment.facts = _facts(assessment, findings)
        assessment.finished_at = timezone.now()
        assessment.looked_at = min((finding.checked_at for finding in findings), default=assessment.finished_at)
        assessment.save()
        _prune(assessment.account, assessment.region)
    return Done({"blocked": assessment.blocked, "warned": assessment.warned})


def _facts(assessment: Assessment, findings: Sequence[EnvironmentFinding]) -> dict[str, object]:
    told = [Finding(finding.name, Verdict(finding.verdict), "", finding.params) for finding in findings]
    known: dict[str, object] = {"region": assessment.region, "kit_version": assessment.kit_version}
    support = assessment.account.trust_checks.filter(kind=TrustCheck.Kind.PERMISSION, name__startswith="support/")
    if support:
        known["support_allowed"] = all(check.is_ok for check in support)
    return facts_of(told, **known)


def _prune(account: CloudAccount, region: str) -> None:
    """Of one region the newest stay; a look that never ended goes as soon as a later one has."""
    ours = account.assessments.for_region(region)
    kept = list(ours.finished().newest_first().values_list("pk", flat=True)[:KEPT_ASSESSMENTS])
    ours.exclude(pk__in=kept).exclude(operation__state__in=sorted(LIVE_STATES)).delete()


def environment_url(operation: Operation) -> str:
    page = reverse("accounts:account_environment", args=[operation.organisation.slug, operation.data["account"]])
    return f"{page}?{urlencode({'region': operation.data['region']})}"


def why_not_look_again(operation: Operation) -> str:
    """Empty while this look's own rows are there: a later look has taken the place of what never ended."""
    if Assessment.objects.filter(operation=operation).exists():
        return ""
    return str(_("A later check has taken the place of this one. Check the environment again from its page."))


register(
    Kind(
        name=CHECK_ENVIRONMENT,
        title=_("Check environment"),
        steps=(
            StepSpec("look", _("Each check is asked"), look, actor=Party.CLOUD, budget=timedelta(minutes=10)),
            StepSpec("conclude", _("The verdict is drawn"), conclude),
        ),
        subject_url=environment_url,
        why_not_retry=why_not_look_again,
        names=names,
        retry_note=_("Answers that were given are kept. Only the missing ones are asked for."),
        cancel_note=_("Nothing was changed in your cloud. The look before stays the one that counts."),
    )
)
