"""What the pages say about an account's trust: the verdict in a sentence, what is trusted, what broke or was switched off, what has
changed. Reads rows, decides nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import kits
from accounts.availability import why_not_look
from accounts.clouds.base import ALLOW_CHANGES, ALLOW_CREATION, ALLOW_SUPPORT, Subject, is_off
from accounts.issuer.addresses import issuer_url
from accounts.kit_links import named_resources, publication
from accounts.models import CloudAccount, Kit, TrustChange, TrustWatch
from accounts.models.cloud_accounts import SwitchedOff
from accounts.states import LEAVING_STATES, KitState, TrustVerdict
from accounts.targets import cloud_names, target_of
from portal.operations.catalogue import FailureText, failure_text

SHOWN_CHANGES = 300
KINDS = {
    TrustVerdict.HOLDS: "ok",
    TrustVerdict.DOUBTED: "progress",
    TrustVerdict.LOST: "attention",
    TrustVerdict.RECOVERING: "progress",
    TrustVerdict.SWITCHED_OFF: "neutral",
}
# What a word of the history looks like and is called.
WORDS = {
    "holds": ("ok", gettext_lazy("Holds")),
    "lost": ("attention", gettext_lazy("Lost")),
    "switched_off": ("neutral", gettext_lazy("Disabled by you")),
    "disconnected": ("neutral", gettext_lazy("Disconnected")),
    "held": ("ok", gettext_lazy("Held")),
    "missing": ("critical", gettext_lazy("Missing")),
    "refused": ("ok", gettext_lazy("Refused")),
    "accepted": ("critical", gettext_lazy("Accepted")),
}


@dataclass(frozen=True)
class ChangeRow:
    """Changes of one moment that say the same: twelve permissions lost at once are one line."""

    at: datetime
    kind: TrustChange.Kind
    was: str
    now: str
    names: list[str]
    reason: str

    @property
    def title(self) -> str:
        return str(self.kind.label)

    @property
    def badges(self) -> tuple[tuple[str, str], tuple[str, str]]:
        return _badge(self.was), _badge(self.now)


@dataclass(frozen=True)
class SwitchRow:
    """One of the customer's own switches: how it stands, and the command that turns it over."""

    name: str
    title: str
    effect: str
    is_off: bool
    command: str  # empty where there is none for the version in use

    @property
    def command_label(self) -> str:
        return _("Command to switch it on again") if self.is_off else _("Command to switch it off")


@dataclass(frozen=True)
class Trusted:
    """What the customer's cloud trusts: whose tokens, meant for whom, and what they open."""

    kit: Kit
    issuer: str
    audience: str
    identities: list[tuple[str, str]]  # name in the cloud, subject of the tokens that open it


def _badge(word: str) -> tuple[str, str]:
    kind, label = WORDS[word]
    return kind, str(label)


@dataclass
class TrustPanel:
    """One account's trust, for its page. `watch` is None while nobody has begun to watch."""

    account: CloudAccount
    watch: TrustWatch | None
    can_act: bool

    @property
    def is_watched(self) -> bool:
        return self.watch is not None and self.watch.next_at is not None

    @property
    def is_live(self) -> bool:
        """Something is about to change by itself: the page looks again."""
        return self.watch is not None and self.is_watched and (self.watch.is_looking or self.is_open)

    @property
    def next_look(self) -> str:
        """Words for a look that is at hand; empty while it is minutes away and a time says it better."""
        if self.watch is None or self.watch.next_at is None:
            return ""
        left = self.watch.next_at - timezone.now()
        if left <= timedelta(0):
            return _("Due now")
        return _("Within a minute") if left < timedelta(minutes=1) else ""

    @property
    def is_open(self) -> bool:
        return self.watch is not None and self.watch.verdict in {TrustVerdict.DOUBTED, TrustVerdict.RECOVERING}

    @property
    def kind(self) -> str:
        if self.watch is None or not self.is_watched:
            return "neutral"
        if self.watch.unclear_since and self.watch.verdict == TrustVerdict.HOLDS:
            return "unknown"
        return KINDS[TrustVerdict(self.watch.verdict)]

    @property
    def sentence(self) -> str:
        """Without a full look there is nothing to boast of; a loss is told by its own first sentence."""
        if self.watch is None:
            return _("The trust is not watched yet. The first look comes within the hour.")
        if not self.is_watched:
            return _("The trust is not checked: this account is not connected.")
        verdict = TrustVerdict(self.watch.verdict)
        if self.failure and verdict in {TrustVerdict.LOST, TrustVerdict.SWITCHED_OFF}:
            return str(self.failure.happened)
        if verdict == TrustVerdict.HOLDS and self.watch.unclear_since:
            return _("The last looks had no answer. Nothing is known to be wrong.")
        return {
            TrustVerdict.HOLDS: _("The trust holds, for deleting only.") if self.only_deletes else _("The trust holds."),
            TrustVerdict.DOUBTED: _("One look found something wrong. A second look confirms or clears it; until then nothing changes."),
            TrustVerdict.RECOVERING: _("It looks right again. A second look confirms it."),
        }[verdict]

    @cached_property
    def failure(self) -> FailureText | None:
        """What broke, in the catalogue's words; also while that is in doubt or on the way back."""
        if self.watch is None or not self.watch.code:
            return None
        return failure_text(self.watch.reason, {**cloud_names(self.account.cloud), **self.watch.params})

    @property
    def unclear(self) -> FailureText | None:
        """Why the last looks had no answer."""
        if self.watch is None or self.watch.unclear_since is None:
            return None
        return failure_text(f"unclear_{self.watch.unclear_code}", cloud_names(self.account.cloud))

    @property
    def only_deletes(self) -> bool:
        """The recovery kit stands in the place of the kit."""
        is_leaving = self.account.state in LEAVING_STATES
        return is_leaving and self.watch is not None and is_off(self.watch.switches, ALLOW_CREATION)

    @property
    def is_support_off(self) -> bool:
        return self.watch is not None and is_off(self.watch.switches, ALLOW_SUPPORT)

    @property
    def why_not_look(self) -> str:
        return why_not_look(self.account)

    @property
    def needs_restoring(self) -> bool:
        return self.account.needs_restoring

    @property
    def is_switched_off(self) -> bool:
        return self.watch is not None and self.watch.verdict == TrustVerdict.SWITCHED_OFF

    @property
    def switch_on(self) -> SwitchRow | None:
        """What switches changes on again, while that is all there is to do."""
        is_off_now = self.is_switched_off and self.account.switched_off == SwitchedOff.CHANGES
        return next((row for row in self.switches if row.name == ALLOW_CHANGES), None) if is_off_now else None

    @cached_property
    def kit(self) -> Kit | None:
        return self.account.kits.filter(state=KitState.CURRENT).first() if self.account.is_watched else None

    @cached_property
    def trusted(self) -> Trusted | None:
        """None where nothing is trusted now."""
        if self.kit is None:
            return None
        target = target_of(self.account, self.kit)
        named = [name for name, _resource in named_resources(self.account, self.kit.generation)]
        ends = {"-operator": Subject.OPS, "-support": Subject.SUPPORT}
        found = {name: target.subject(subject) for end, subject in ends.items() for name in named if name.endswith(end)}
        return Trusted(self.kit, issuer_url(self.kit), target.audience, list(found.items()))

    @cached_property
    def switches(self) -> list[SwitchRow]:
        if self.kit is None or self.watch is None:
            return []
        shipped, target, rows = kits.load(self.account.cloud), target_of(self.account, self.kit), []
        for switch in shipped.switches:
            name = switch.parameter[:1].upper() + switch.parameter[1:]  # as every kit's report calls it
            is_set_off = is_off(self.watch.switches, name) or (name == ALLOW_CHANGES and self.account.switched_off == SwitchedOff.CHANGES)
            command = shipped.switch_command(target, publication(self.account.cloud), name, "yes" if is_set_off else "no")
            rows.append(SwitchRow(name, str(switch.title), str(switch.effect), is_set_off, command))
        return rows

    @cached_property
    def changes(self) -> list[ChangeRow]:
        newest = self.account.trust_changes.all()[:SHOWN_CHANGES]
        rows = []
        for _same, group in groupby(newest, key=lambda row: (row.at, row.kind, row.was, row.now, row.code)):
            changes = list(group)
            names = sorted(change.name for change in changes if change.name)
            first = changes[0]
            rows.append(ChangeRow(first.at, TrustChange.Kind(first.kind), first.was, first.now, names, self._reason(first)))
        return rows

    def _reason(self, change: TrustChange) -> str:
        if not change.code:
            return ""
        prefix = "off" if change.now == TrustVerdict.SWITCHED_OFF else "lost"
        return str(failure_text(f"{prefix}_{change.code}", {**cloud_names(self.account.cloud), **change.params}).happened)


def trust_panel(account: CloudAccount, *, can_act: bool) -> TrustPanel:
    return TrustPanel(account, TrustWatch.objects.filter(account=account).first(), can_act)
