"""What the Environment page says: the verdict, each check with its remedy, the profile, what changed. Reads rows, decides nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import kits
from accounts.availability import why_not_check_environment
from accounts.environment.capabilities import FACT_WORDS
from accounts.environment.profiles import Match, Miss, certified, match
from accounts.kits.base import EnvironmentCheck
from accounts.models import Assessment, CloudAccount, EnvironmentFinding
from accounts.models.environment import KEPT_ASSESSMENTS
from portal.operations.catalogue import FailureText, Text, failure_text, fill
from portal.operations.names import named

Verdict = EnvironmentFinding.Verdict
# Worst first. A check that is still being asked stands with what needs a look.
ORDER = (Verdict.BLOCK, Verdict.WARN, Verdict.UNKNOWN, None, Verdict.PASS)
BADGES = {Verdict.BLOCK: "critical", Verdict.WARN: "attention", Verdict.UNKNOWN: "unknown", Verdict.PASS: "ok", None: "progress"}
GROUPS: Mapping[Verdict | None, Text] = {
    Verdict.BLOCK: gettext_lazy("These block a cell"),
    Verdict.WARN: gettext_lazy("Worth a look"),
    Verdict.UNKNOWN: gettext_lazy("Without an answer"),
    None: gettext_lazy("Being asked"),
    Verdict.PASS: gettext_lazy("As it should be"),
}
# Why a check has no answer, by the code that its finding carries.
UNANSWERED: Mapping[str, Text] = {
    "access_denied": gettext_lazy("The kit that stands does not let the portal ask this. A newer kit may."),
    "denied_by_organisation": gettext_lazy("A rule of your organisation does not let the portal ask this."),
    "region_disabled": gettext_lazy("The region is off, so it cannot be asked."),
    "throttled": gettext_lazy("%(cloud)s asked to slow down for too long. Check this again in a few minutes."),
    "cloud_unavailable": gettext_lazy("%(cloud)s did not answer in time. Check this again in a few minutes."),
}
NO_ANSWER = gettext_lazy("%(cloud)s gave no answer that the portal understands.")


@dataclass(frozen=True)
class Row:
    """One check as the page shows it. `finding` is None while it is being asked; `is_past` when nobody can ask any more."""

    check: EnvironmentCheck
    finding: EnvironmentFinding | None
    cloud: str
    is_past: bool = False
    console: str = ""

    @property
    def link(self) -> str:
        """Where the console shows it: the console that this portal is set to, where there is one."""
        found = self.finding.link if self.finding else ""
        parts = urlsplit(found)
        return f"{self.console}{parts._replace(scheme='', netloc='').geturl()}" if found and self.console else found

    @property
    def verdict(self) -> Verdict | None:
        return Verdict(self.finding.verdict) if self.finding else None

    @property
    def badge(self) -> str:
        return "neutral" if self.is_past else BADGES[self.verdict]

    @property
    def label(self) -> str:
        return str(self.verdict.label) if self.verdict else _("Being asked")

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        if self.finding is None:
            return ""
        params = {"cloud": self.cloud, **self.finding.params}
        texts = {
            Verdict.PASS: self.check.passed,
            Verdict.WARN: self.check.warned or self.check.blocked,
            Verdict.BLOCK: self.check.blocked or self.check.warned,
            Verdict.UNKNOWN: UNANSWERED.get(self.finding.params.get("code", ""), NO_ANSWER),
        }
        return fill(texts[Verdict(self.finding.verdict)], params)

    @property
    def is_quiet(self) -> bool:
        """What is as it should be takes one line; the rest opens on demand."""
        return self.verdict == Verdict.PASS

    @property
    def needs_remedy(self) -> bool:
        return self.verdict in {Verdict.BLOCK, Verdict.WARN}

    @property
    def remedy(self) -> str:
        return fill(self.check.remedy, self.finding.params) if self.finding and self.needs_remedy else ""


@dataclass(frozen=True)
class Group:
    title: Text
    rows: Sequence[Row]


@dataclass(frozen=True)
class Look:
    """One assessment of the history, and what it found otherwise than the one before."""

    assessment: Assessment
    is_first: bool
    changes: Sequence[str]


@dataclass
class EnvironmentPage:
    """One region of one account. `running` is a look under way, `failed` one that came to no end after the newest."""

    account: CloudAccount
    region: str
    newest: Assessment | None
    running: Assessment | None
    failed: Assessment | None
    findings: Mapping[object, Mapping[str, EnvironmentFinding]]  # by assessment, then by check
    finished: Sequence[Assessment]
    why_not: str  # why nothing can be checked now; empty when it can

    @cached_property
    def _checks(self) -> Sequence[EnvironmentCheck]:
        return kits.load(self.account.cloud).environment_checks

    @property
    def cloud(self) -> str:
        return kits.load(self.account.cloud).words.cloud

    @property
    def is_past(self) -> bool:
        """What was found is history: the account is not connected, so nobody looks."""
        return self.newest is not None and not self.account.is_watched

    @property
    def shown(self) -> Assessment | None:
        """The look whose checks are listed: the one under way, else the newest that ended."""
        return self.running or self.newest

    @cached_property
    def rows(self) -> list[Row]:
        if self.shown is None:
            return []
        found = self.findings.get(self.shown.pk, {})
        # An older look may not have known a check of today's kit, and is no reason to say that it is being asked.
        return [
            Row(check, found.get(check.name), self.cloud, self.is_past, settings.CONSOLE_URLS[self.account.cloud])
            for check in self._checks
            if check.name in found or (self.running and self._is_asked(check))
        ]

    def _is_asked(self, check: EnvironmentCheck) -> bool:
        assert self.running
        only = self.running.operation.data.get("only") or []
        return not only or check.name in only

    @property
    def groups(self) -> list[Group]:
        by_verdict = {verdict: [row for row in self.rows if row.verdict == verdict] for verdict in ORDER}
        return [Group(GROUPS[verdict], rows) for verdict, rows in by_verdict.items() if rows]

    @property
    def answered(self) -> int:
        return sum(row.finding is not None for row in self.rows)

    @property
    def version(self) -> str:
        """Differs when anything that the live part shows has changed."""
        return f"{self.shown.pk}-{self.answered}-{self.running.operation.version}" if self.shown and self.running else "ended"

    # --- the verdict ---

    @property
    def kind(self) -> str:
        """Kind of badge of the verdict sentence: the worst of what stands below it."""
        if self.running:
            return "progress"
        if self.newest is None or self.is_past:
            return "neutral"
        if self.newest.blocked:
            return "critical"
        if self.newest.warned or self.fits_nothing or not self.newest.is_fresh:
            return "attention"
        return "unknown" if self.newest.unknown or self.is_fit_open else "ok"

    @property
    def verdict(self) -> str:
        if self.running:
            return _("Checking %(region)s: %(done)s of %(total)s answered.") % {
                "region": self.region,
                "done": self.answered,
                "total": len(self.rows),
            }
        if self.newest is None:
            return self.why_not or _("%(region)s has not been checked yet.") % {"region": self.region}
        return " ".join(filter(None, [self._answer(self.newest), self._fit(), self._rest(self.newest)]))

    def _answer(self, newest: Assessment) -> str:
        words = {"region": self.region, "count": newest.blocked}
        if self.is_past:
            return _("Not checked any more: this account is not connected. This is what the last look in %(region)s found.") % words
        if newest.blocked:
            text = ngettext("%(count)d thing blocks a cell in %(region)s.", "%(count)d things block a cell in %(region)s.", newest.blocked)
            return text % words
        if not newest.is_fresh:
            return _("Nothing blocked a cell in %(region)s, but that was too long ago to rely on.") % words
        if newest.unknown:
            return _("Nothing that was answered blocks a cell in %(region)s.") % words
        if self.fits_nothing:
            return _("Nothing blocks a cell in %(region)s.") % words
        return _("Ready for a deployment cell in %(region)s.") % words

    def _fit(self) -> str:
        """Whether what was tested fits here; nothing where something blocks, which is to be mended first."""
        assert self.newest
        if self.is_past or self.newest.blocked or not self.matches:
            return ""
        if self.fits_nothing:
            return _("No certified profile fits: what is missing stands with each.")
        if self.is_fit_open:
            return _("Whether a certified profile fits is not known.")
        return ""

    def _rest(self, newest: Assessment) -> str:
        warned = ngettext("%(count)d warning.", "%(count)d warnings.", newest.warned) % {"count": newest.warned}
        unknown = ngettext("%(count)d check without an answer.", "%(count)d checks without an answer.", newest.unknown) % {
            "count": newest.unknown
        }
        return " ".join([*([warned] if newest.warned else []), *([unknown] if newest.unknown else [])])

    @property
    def failure(self) -> FailureText | None:
        """Why the look after the newest came to no end."""
        if self.failed is None or not self.failed.operation.failure_code:
            return None
        operation = self.failed.operation
        return failure_text(operation.failure_code, named(operation, operation.failure_params))

    # --- profile ---

    @property
    def facts(self) -> list[tuple[Text, str]]:
        facts = self.newest.facts if self.newest else {}
        return [(words, in_words(facts[name])) for name, words in FACT_WORDS.items() if name in facts]

    @property
    def matches(self) -> list[tuple[Match, list[str]]]:
        """Every certified profile of this cloud, and for one that does not fit, why."""
        if self.newest is None or not self.newest.facts:
            return []
        facts = self.newest.facts
        found = [match(profile, facts) for profile in certified(self.account.cloud)]
        return [(one, [why(miss) for miss in one.misses]) for one in found]

    @property
    def fits_any(self) -> bool:
        return any(found.fits for found, _why in self.matches)

    @property
    def is_fit_open(self) -> bool:
        """No profile is known to fit, and something that is not known decides about one."""
        return not self.fits_any and any(found.is_open for found, _why in self.matches)

    @property
    def fits_nothing(self) -> bool:
        return bool(self.matches) and not self.fits_any and not self.is_fit_open

    # --- history ---

    @property
    def history(self) -> list[Look]:
        names = {check.name: str(check.title) for check in self._checks}
        pairs = zip(self.finished, [*self.finished[1:], None], strict=True)
        return [Look(one, before is None, self._changes(one, before, names)) for one, before in pairs]

    def _changes(self, one: Assessment, before: Assessment | None, names: Mapping[str, str]) -> list[str]:
        if before is None:
            return []
        now, then = self.findings.get(one.pk, {}), self.findings.get(before.pk, {})
        return [
            _("%(check)s: %(before)s → %(after)s") % {"check": names.get(name, name), "before": old.label, "after": new.label}
            for name, found in now.items()
            if name in then and then[name].verdict != found.verdict
            for old, new in [(Verdict(then[name].verdict), Verdict(found.verdict))]
        ]


def in_words(value: object) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return str(value)


def why(miss: Miss) -> str:
    """One need that is not met, in words."""
    need = miss.need
    words = {"fact": FACT_WORDS.get(need.fact, need.fact), "found": in_words(miss.found)}
    wanted = need.at_least if need.at_least is not None else in_words(need.equals)
    if miss.found is None:
        return _("%(fact)s: not known. Needed: %(wanted)s.") % {**words, "wanted": wanted}
    if need.at_least is not None:
        return _("%(fact)s: %(found)s. Needed: at least %(wanted)s.") % {**words, "wanted": wanted}
    return _("%(fact)s: %(found)s. Needed: %(wanted)s.") % {**words, "wanted": wanted}


def build_page(account: CloudAccount, region: str) -> EnvironmentPage:
    """Three queries, whatever the number of checks and looks."""
    newest_first = account.assessments.for_region(region).newest_first().select_related("operation", "requested_by")
    looks = list(newest_first[: KEPT_ASSESSMENTS + 2])
    for look in looks:
        look.operation.organisation = account.organisation
    finished = [look for look in looks if look.is_finished]
    latest = looks[0] if looks and not looks[0].is_finished else None
    running = latest if latest and latest.operation.is_live else None
    findings: dict[object, dict[str, EnvironmentFinding]] = {look.pk: {} for look in looks}
    for finding in EnvironmentFinding.objects.filter(assessment__in=looks).order_by("id"):
        findings[finding.assessment_id][finding.name] = finding
    return EnvironmentPage(
        account=account,
        region=region,
        newest=finished[0] if finished else None,
        running=running,
        failed=latest if latest and not running else None,
        findings=findings,
        finished=finished[:KEPT_ASSESSMENTS],
        why_not=why_not_check_environment(account),
    )
