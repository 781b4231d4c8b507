"""What the pages of an offboarding show: the plan, readable from day one, how far it is, the last step. Reads rows, starts nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import kits
from accounts.clouds.base import ALLOW_CREATION, is_off
from accounts.kit_links import publication, report_url
from accounts.kits.base import Document, Route
from accounts.kits.manifest import Permission
from accounts.kits.recovery import recovery_of
from accounts.models import CloudAccount, Kit, TrustWatch
from accounts.offboarding import proofs
from accounts.offboarding.availability import blockers, is_kit_gone, why_not_confirm_never_run, why_not_start
from accounts.offboarding.certificates import standing
from accounts.offboarding.handing_over import handed_over
from accounts.offboarding.models import Offboarding, SignIn
from accounts.offboarding.parts import ACCESS_ENDED, NOTHING_BUILT, Blocker, Cost, Counted, parts
from accounts.offboarding.states import OffboardingState
from accounts.offboarding.steps.leaving import OFFBOARD
from accounts.offboarding.steps.removing import KIT_GONE, TRUST_CODES
from accounts.offboarding.transitions import subject_of
from accounts.states import AccountState, KitState
from accounts.targets import cloud_names, target_of
from portal.audit.models import Event
from portal.operations.catalogue import FailureText, failure_text, wait_text
from portal.operations.durations import range_in_words, usual_durations
from portal.operations.models import Operation
from portal.operations.names import named
from portal.operations.states import OperationState, Party

# The five lines of the checklist, in order: by the operation's step each is done with.
CHECKLIST = (
    ("begin", gettext_lazy("Delete the instances")),
    ("remove", gettext_lazy("Remove the deployment cells")),
    ("sweep", gettext_lazy("Look in every region for what is left")),
    ("access_ends", gettext_lazy("End the access of agents and support")),
    ("kit_removed", gettext_lazy("Remove the kit")),
)
YOURS = frozenset({"begin", "kit_removed"})
FORMAT = "byoc-offboarding-plan/1"


@dataclass(frozen=True)
class Line:
    """One line of the checklist."""

    title: str
    kind: str  # of badge
    word: str
    is_current: bool = False


@dataclass(frozen=True)
class Ahead:
    """One step of the plan, before it begins: who does it, and how long that usually takes; empty where nobody has measured it."""

    title: str
    who: str
    usually: str = ""


@dataclass(frozen=True)
class Removal:
    """One kit that is to be removed: the command, and what the last sign-in with it has said."""

    kit: Kit
    made_name: str
    command: str
    link: str
    refused: list[SignIn]
    is_proven: bool


@dataclass(frozen=True)
class Recovery:
    """What brings the access back that a kit had which was removed too early: to look and to delete, and no more."""

    routes: Sequence[Route]
    documents: Sequence[Document]
    kept: Sequence[Permission]
    withheld: Sequence[Permission]
    note: str
    revival: str  # what the cloud keeps of a deleted kit stands in the way of running another under its names


@dataclass
class Plan:
    """One account's way out, as it stands now."""

    account: CloudAccount
    row: Offboarding | None  # the open one, else the one that is complete

    @cached_property
    def counted(self) -> list[Counted]:
        return [counted for part in parts() for counted in part.count(self.account)]

    @cached_property
    def blockers(self) -> list[Blocker]:
        return blockers(self.account, self.row)

    @cached_property
    def costs(self) -> list[Cost]:
        return [cost for part in parts() for cost in part.costs(self.account)]

    @property
    def is_anything_there(self) -> bool:
        return any(one.number for one in self.counted)

    @cached_property
    def order(self) -> list[Ahead]:
        """Each step with who does it and how long it usually takes."""
        usual = [part.usual(self.account) for part in parts()]
        longest = max((one for one in usual if one), default=None, key=lambda one: one[1])
        own = usual_durations(OFFBOARD)
        known = {name: (one.low, one.high) for name, one in own.items()} | ({"remove": longest} if longest else {})
        return [self._ahead(name, str(title), known.get(name)) for name, title in CHECKLIST]

    def _ahead(self, name: str, title: str, known: tuple[float, float] | None) -> Ahead:
        if (name == "begin" and not self.blockers) or (name == "remove" and self.is_short):
            return Ahead(title, _("nothing to do: none is here"))
        if name in YOURS:
            return Ahead(title, _("you, in your own time"))
        usually = _("usually %(range)s") % {"range": range_in_words(*known)} if known else ""
        return Ahead(title, settings.PROVIDER_NAME, usually)

    @property
    def is_measured(self) -> bool:
        return all(one.usually for one in self.order if one.who == settings.PROVIDER_NAME)

    @cached_property
    def why_not_start(self) -> str:
        return why_not_start(self.account)

    @property
    def can_be_asked_for(self) -> bool:
        """There is something to leave, whatever stands in the way of it now."""
        return self.account.state not in {AccountState.DRAFT, AccountState.OFFBOARDED} and not (self.row and self.row.is_open)

    @property
    def is_short(self) -> bool:
        """Nothing was built: straight to the removal of the kit."""
        return not any(part.needs_trust(self.account) for part in parts())

    @property
    def must_keep_kit(self) -> bool:
        """The warning that stands wherever somebody might think of deleting the kit."""
        return self.account.state == AccountState.OFFBOARDING or (self.account.is_watched and not self.is_short and not self.has_lost_kit)

    @cached_property
    def has_lost_kit(self) -> bool:
        """Before anything has begun: what begins then begins with the recovery kit."""
        return self.account.is_watched and not self.is_short and is_kit_gone(self.account)

    # --- under way ---

    @cached_property
    def operation(self) -> Operation | None:
        if self.row is None:
            return None
        found = Operation.objects.for_subject(subject_of(self.row).kind, self.row.pk).select_related("organisation")
        return found.newest_first().first()

    @property
    def is_live(self) -> bool:
        return bool(self.row and self.row.is_open)

    @cached_property
    def checklist(self) -> list[Line]:
        steps = {step.name: step for step in self.operation.steps.in_order()} if self.operation else {}
        lines = []
        for name, title in CHECKLIST:
            step = steps.get(name)
            is_current = bool(step and step.state in {"running", "waiting", "failed"})
            if name == "sweep" and step and step.state == "done" and (why := self._why_unswept):
                lines.append(Line(str(title), "neutral", why))
                continue
            lines.append(Line(str(title), *self._word(step.state if step else "pending", is_current=is_current), is_current=is_current))
        return lines

    @property
    def _why_unswept(self) -> str:
        """Nobody has asked the cloud what bears the account's mark, in some region at least."""
        told = set(self.row.swept.values()) if self.row else set()
        if ACCESS_ENDED in told:
            return _("Not looked at: our access had ended")
        return _("Not looked at: nothing was ever built here") if NOTHING_BUILT in told else ""

    def _word(self, state: str, *, is_current: bool) -> tuple[str, str]:
        if self.row and self.row.state == OffboardingState.COMPLETE:
            return ("neutral", _("Ended without it")) if self.row.was_closed_with_leftovers and state != "done" else ("ok", _("Completed"))
        if state == "done":
            return "ok", _("Completed")
        if is_current and self.row and self.row.state == OffboardingState.STUCK:
            return "critical", _("There is a problem")
        if is_current and self.kind_of_wait == "attention":
            return "attention", _("Waiting for you")
        if is_current:
            return "progress", _("In progress")
        return "neutral", _("Cannot start yet") if self.operation else _("Not yet started")

    @property
    def sentence(self) -> str:
        """What is waited for now, in the words of the operation."""
        operation = self.operation
        if operation is None or operation.state != OperationState.WAITING:
            return ""
        return str(wait_text(operation.waiting_why, named(operation, operation.waiting_params)).sentence)

    @property
    def kind_of_wait(self) -> str:
        """Of the sentence: whether the customer acts next."""
        is_yours = self.operation is not None and self.operation.waiting_on == Party.YOU
        return "attention" if is_yours or self.operation is None else "progress"

    @cached_property
    def failure(self) -> FailureText | None:
        """Why it is stuck, in four parts; the reference is the operation's."""
        if self.row is None or self.row.state != OffboardingState.STUCK:
            return None
        return failure_text(self.row.code, {**cloud_names(self.account.cloud), **self.row.params})

    @cached_property
    def handed_over(self) -> Event | None:
        return handed_over(self.row) if self.row and self.row.state == OffboardingState.STUCK else None

    @property
    def is_late(self) -> bool:
        """The removal takes longer than 95 of 100 deletions of a cell did."""
        known = usual_durations("delete_cell")
        began = self.row.irreversible_at if self.row and self.row.state == OffboardingState.IN_PROGRESS else None
        late = sum(one.late for one in known.values())
        return bool(known and began and (timezone.now() - began).total_seconds() > late)

    @property
    def can_retry(self) -> bool:
        return self.operation is not None and self.operation.state == OperationState.FAILED

    # --- the kit, last ---

    @property
    def is_time_for_kit(self) -> bool:
        return self.account.state == AccountState.READY_TO_OFFBOARD

    @cached_property
    def removals(self) -> list[Removal]:
        """The commands. Empty until nothing else is left: nobody is told earlier how to remove the kit."""
        return self._removals(is_again=False) if self.is_time_for_kit else []

    @cached_property
    def removals_again(self) -> list[Removal]:
        """The same once it is over: that the cloud refuses us does not prove that the command ran to its end."""
        return self._removals(is_again=True) if self.row and self.row.state == OffboardingState.COMPLETE else []

    def _removals(self, *, is_again: bool) -> list[Removal]:
        if self.row is None:
            return []
        shipped, place = kits.load(self.account.cloud), publication(self.account.cloud)
        issued = proofs.kits_to_remove(self.account)
        proven = {kit.pk for kit in issued if proofs.is_proven(self.row, kit)}
        # What the kits share may hold what somebody decided to keep: then no command of ours takes it away.
        last = next((kit.pk for kit in reversed(issued) if (is_again or kit.pk not in proven) and not self.left), None)
        found = []
        for kit in issued:
            target = target_of(self.account, kit)
            target = replace(target, places=(*target.places, *kit.begun))  # what was only begun is to go as well
            refused = list(SignIn.objects.filter(offboarding=self.row, kit=kit).refused())
            command = shipped.removal_command(target, is_last=kit.pk == last)
            made, link = shipped.made_name(kit.suffix), shipped.removal_link(target, place)
            found.append(Removal(kit, made, command, link, refused, kit.pk in proven))
        return found

    @property
    def why_not_confirm_never_run(self) -> str:
        return why_not_confirm_never_run(self.row, self.operation.waiting_why if self.operation else "")

    @cached_property
    def untold(self) -> list[Removal]:
        """The kits that an owner's word is about: the cloud cannot be asked about them."""
        kits_of = {kit.pk for kit in proofs.kits_untold(self.account)}
        return [removal for removal in self.removals if removal.kit.pk in kits_of]

    @property
    def words(self) -> Any:
        return kits.load(self.account.cloud).words

    # --- too early ---

    @property
    def is_kit_gone(self) -> bool:
        return self.row is not None and self.row.state == OffboardingState.STUCK and self.row.code == KIT_GONE

    @property
    def needs_trust_back(self) -> bool:
        return self.row is not None and self.row.state == OffboardingState.STUCK and self.row.code in TRUST_CODES

    @cached_property
    def recovery(self) -> Recovery | None:
        """The recovery kit, while the kit is gone. Not where nothing brings a way in back."""
        kit = self.account.kits.filter(state=KitState.CURRENT).select_related("account").first()
        small = recovery_of(self.account.cloud)
        if kit is None or small is None or not self.is_kit_gone:
            return None
        place = publication(self.account.cloud, report_url=report_url(kit))
        routes = small.routes(target_of(self.account, kit), place)
        revival = small.revival_command(target_of(self.account, kit))
        return Recovery(routes, small.documents, small.diff.kept, small.diff.withheld, str(small.note), revival)

    @property
    def is_recovery_in_place(self) -> bool:
        """What stands in the customer's cloud can look and delete, and no more."""
        watch = TrustWatch.objects.filter(account=self.account).first()
        return bool(self.is_live and not self.is_kit_gone and watch and is_off(watch.switches, ALLOW_CREATION))

    @cached_property
    def left(self) -> dict[str, list[dict[str, str]]]:
        """What still stands, as it was last seen, by region: the way by hand."""
        by_region: dict[str, list[dict[str, str]]] = {}
        for one in standing(self.account):
            by_region.setdefault(one["region"], []).append(one)
        return by_region

    def as_file(self) -> dict[str, Any]:
        """Plan and configuration, to keep."""
        account = self.account
        return {
            "format": FORMAT,
            "as_of": _iso(timezone.now()),
            "organisation": account.organisation.name,
            "account": {"cloud": account.cloud, "external_id": account.external_id, "name": account.name, "region": account.home_region},
            "counts": [{"what": str(one.label), "number": one.number} for one in self.counted],
            "blockers": [{"what": str(one.sentence), "fix": str(one.fix)} for one in self.blockers],
            "order": [{"step": one.title, "who": one.who, "usually": one.usually} for one in self.order],
            "costs_that_stop": [{"what": str(one.label), "amount": str(one.amount)} for one in self.costs],
            "configuration": {part.name: list(part.configuration(account)) for part in parts() if part.configuration(account)},
        }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def plan_of(account: CloudAccount) -> Plan:
    rows = Offboarding.objects.select_related("account__organisation", "organisation", "requested_by", "consent_by", "closing_asked_by")
    mine = rows.filter(account=account)
    row = mine.open().first() or mine.filter(state=OffboardingState.COMPLETE).first()
    if row is not None:
        row.account = account
    return Plan(account, row)
