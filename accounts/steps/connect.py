"""Steps of connecting a cloud account. Each makes one kind of call, is safe to run twice and answers with an outcome.

run_kit -> name_contact -> check_kit -> check_permissions -> check_trust -> check_refusals -> finish
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps

import structlog
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.availability import why_not_retry_connecting
from accounts.clouds.base import CloudAdapter, CloudError, KitStatus, Place, require_current_kit
from accounts.environment.assessments import check_after_connecting
from accounts.issuer.tokens import KitReplaced
from accounts.models import CloudAccount, Kit, TrustWatch
from accounts.states import AccountState, KitState
from accounts.steps.adapters import adapter_for
from accounts.steps.endings import forget_reported_place, tell
from accounts.steps.promises import require_promises
from accounts.steps.trust_checks import keep_permissions, keep_refusals, what_is_missing
from accounts.targets import cloud_names, probes_of, target_of
from accounts.transitions import move_account, move_kit, retire_kits
from portal.audit import Actor
from portal.operations.engine import StepContext
from portal.operations.models import Operation
from portal.operations.outcomes import Done, Fail, Outcome, Retry, Wait
from portal.operations.registry import Kind, StepSpec, register
from portal.operations.states import OperationState, Party
from portal.operations.transitions import LostRace

log = structlog.get_logger()
WORKER = Actor.worker("operations")
# What a kit has just made or switched on is not known everywhere at once: waited out with words, not shown as failure.
SPREADING = {"access_denied", "api_disabled"}
REFUSED_BUDGET = timedelta(minutes=10)
# What only the provider can mend: the kit has days to be run, so it is said and waited out, not tried in silence until it expires.
OUR_FAULTS = {"issuer_unreachable", "token_expired"}
# A page moves on within 15 seconds of the stack's end: look, ring, verify and poll together.
PACES = ((timedelta(minutes=30), 4), (timedelta(hours=2), 10), (timedelta(days=1), 60))
SLOWEST_PACE = 300
# A kit nobody seems to have run may stand in another account of the same customer: asked for now and then, not at every look.
ELSEWHERE_AFTER = timedelta(minutes=1)
ELSEWHERE_EVERY = 6  # looks
ELSEWHERE_MOST = 5  # accounts

Step = Callable[[StepContext, CloudAccount, Kit, CloudAdapter], Outcome]


def on_account(step: Step) -> Callable[[StepContext], Outcome]:
    """Load the rows, build the adapter, turn a CloudError into an outcome."""

    @wraps(step)
    def run(ctx: StepContext) -> Outcome:
        account = CloudAccount.objects.select_related("organisation").get(pk=ctx.data["account"])
        kit = account.kits.get(pk=ctx.data["kit"])
        if kit.state == KitState.OUTDATED:
            return Fail("kit_replaced")
        try:
            outcome = step(ctx, account, kit, adapter_for(account, kit, was_trusted="principal" in ctx.data))
        except KitReplaced:
            return Fail("kit_replaced")
        except CloudError as error:
            if error.code in SPREADING and ctx.waited_for("trust_not_ready") < kits.load(account.cloud).spreads_within:
                return Wait(5, on=Party.CLOUD, why="trust_not_ready")
            return _outcome_of(error)
        if isinstance(outcome, Done):
            CloudAccount.objects.filter(pk=account.pk).update(last_contact_at=timezone.now())
        return outcome

    return run


def _outcome_of(error: CloudError) -> Outcome:
    kind = Retry if error.retryable else Fail
    return kind(error.code, params=error.params, evidence=error.raw)


@on_account
def run_kit(ctx: StepContext, account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> Outcome:
    """Wait until the kit's trust opens: the customer runs the kit, we try to sign in."""
    if timezone.now() >= kit.expires_at:
        return Fail("kit_expired", params={"days": str(round((kit.expires_at - kit.created_at) / timedelta(days=1)))})
    if elsewhere := _ran_elsewhere(account, kit):
        return elsewhere
    try:
        identity = adapter.probe_trust()
    except CloudError as error:
        return _trust_is_not_open(ctx, account, kit, adapter, error)
    ctx.log(f"Signed in as {identity.principal}")
    Kit.objects.filter(pk=kit.pk, ran_at=None).update(ran_at=timezone.now())
    _move_once(account, AccountState.WAITING_FOR_KIT, AccountState.VERIFYING)
    return Done({"principal": identity.principal})


def _ran_elsewhere(account: CloudAccount, kit: Kit) -> Fail | None:
    """What was said about the kit that was run tells where it stands."""
    external_id, region = kit.reported.get("external_id", ""), kit.reported.get("region", "")
    if external_id and external_id != account.external_id:
        return Fail("wrong_account", params={"found": external_id, "expected": account.external_id})
    if region and region != kit.region:
        return Fail("wrong_region", params={"found": region, "expected": kit.region}, evidence=_made(kit))
    return None


def _made(kit: Kit) -> str:
    """What was said that the kit made, by whatever names its cloud has for it."""
    said = (text for name, text in kit.reported.items() if name not in {"external_id", "region"})
    return "\n".join(filter(None, said))


def _trust_is_not_open(ctx: StepContext, account: CloudAccount, kit: Kit, adapter: CloudAdapter, error: CloudError) -> Outcome:
    if error.code == "kit_not_run":
        looks = ctx.data.get("looks", 0) + 1
        if looks % ELSEWHERE_EVERY == 0 and ctx.waited_for("kit_not_run") > ELSEWHERE_AFTER:
            found = adapter.find_kit_elsewhere(_other_accounts(account))
            if found:
                return Fail("wrong_account", params={"found": found, "expected": account.external_id}, evidence=error.raw)
        return not_run(account, kit, looks)
    if error.code in {"trust_not_ready", "api_disabled"}:
        return _pasted_wrongly(ctx, kit, error) or _not_ready(ctx, error)
    return _said(account, error) or _outcome_of(error)


def _said(account: CloudAccount, error: CloudError) -> Wait | None:
    """A fault that passes by itself, or that the provider mends, with words of its own."""
    if error.code in {"throttled", "cloud_unavailable"}:
        return Wait(30, on=Party.CLOUD, why=error.code)
    if error.code in OUR_FAULTS:
        log.error("portal_holds_up_connecting", account=str(account.pk), code=error.code, evidence=error.raw)
        return Wait(30, on=Party.PROVIDER, why=error.code)
    return None


def _not_ready(ctx: StepContext, error: CloudError) -> Outcome:
    if ctx.waited_for("trust_not_ready") > REFUSED_BUDGET:
        code = "trust_refused" if error.code == "trust_not_ready" else error.code
        return Fail(code, params=error.params, evidence=error.raw)
    return Wait(5, on=Party.CLOUD, why="trust_not_ready")


def not_run(account: CloudAccount, kit: Kit, looks: int) -> Wait:
    """A kit that stopped before it made anything may have said why: this project has another number, this subscription another tenant."""
    name, pace, data = kit.differing, _pace(kit), {"looks": looks}
    params = {"account_id": account.external_id, "found": kit.reported.get(name, ""), "expected": account.identity.get(name, "")}
    match name:
        case "project_number":
            return Wait(pace, on=Party.YOU, why="project_number_differs", params=params, data=data)
        case "tenant_id":
            return Wait(pace, on=Party.YOU, why="tenant_id_differs", params=params, data=data)
    return Wait(pace, on=Party.YOU, why="kit_not_run", params=params, data=data)


def _pasted_wrongly(ctx: StepContext, kit: Kit, error: CloudError) -> Outcome | None:
    """The cloud does not know, or does not trust us under, the client id that a person pasted: said at once, as no wait mends it.

    What the kit itself told is right, and only new: it is waited for as anything that spreads.
    """
    is_pasted = "external_id" in kit.reported
    params = {"client_id": kit.reported.get("client_id", ""), "support_client_id": kit.reported.get("support_client_id", "")}
    match error.params.get("client_id_is", "") if is_pasted else "":
        case "unknown":
            if ctx.waited_for("client_id_unknown") > REFUSED_BUDGET:
                return Fail("client_id_unknown", params=params, evidence=error.raw)
            return Wait(5, on=Party.YOU, why="client_id_unknown", params=params)
        case "refused":
            if ctx.waited_for("client_id_refused") > REFUSED_BUDGET:
                return Fail("trust_refused", params=params, evidence=error.raw)
            return Wait(5, on=Party.YOU, why="client_id_refused", params=params)
    return None


def _other_accounts(account: CloudAccount) -> list[Place]:
    """This organisation's other accounts in the same cloud, the newest first: where a kit lands by mistake."""
    others = account.organisation.cloud_accounts.filter(cloud=account.cloud).exclude(external_id__in=["", account.external_id])
    newest_first = others.order_by("-created_at").values_list("external_id", "identity")
    places = {external_id: Place(external_id, identity) for external_id, identity in newest_first}
    return list(places.values())[:ELSEWHERE_MOST]


def _pace(kit: Kit) -> int:
    """Seconds to the next look: quick while somebody sits before the page, slower for a kit that waits for days."""
    age = timezone.now() - kit.created_at
    return next((seconds for until, seconds in PACES if age < until), SLOWEST_PACE)


@on_account
def name_contact(ctx: StepContext, account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> Outcome:
    """Somebody is named whom to tell. Asked before the checks, so that none of them grows old while a person is waited for."""
    if not account.organisation.has_operational_contact():
        return Wait(30, on=Party.YOU, why="contact_missing")
    return Done()


@on_account
def check_kit(ctx: StepContext, account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> Outcome:
    """The kit has finished, and it is the one issued for this account: version, generation, account, region."""
    report = adapter.describe_kit()
    ctx.log(f"{report.made}: {report.status.value} {report.detail}".rstrip())
    if report.status == KitStatus.CREATING:
        return Wait(5, on=Party.CLOUD, why="kit_finishing")
    require_current_kit(report, target_of(account, kit))
    if set(kit.places) - set(report.places):  # a newer kit is run for every region that the one in use was run for
        return Wait(5, on=Party.CLOUD, why="kit_finishing")
    Kit.objects.filter(pk=kit.pk).update(places=list(report.places))
    return Done({"made": report.made, "switches": dict(report.switches)})


@on_account
def check_permissions(ctx: StepContext, account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> Outcome:
    """Each permission of the manifest is held. What was found is kept per permission."""
    results = adapter.check_permissions(probes_of(account, kit, ctx.data.get("switches")))
    if kit.state == KitState.CURRENT:  # what is found of a candidate counts once it has taken over
        keep_permissions(account, results)
    ctx.log(f"{sum(result.is_granted for result in results)} of {len(results)} permissions held")
    missing = what_is_missing(results)
    if missing is None:
        return Done({"permissions": len(results)})
    if ctx.waited_for("permissions_spreading") < kits.load(account.cloud).spreads_within:
        return Wait(10, on=Party.CLOUD, why="permissions_spreading", params={"count": missing.params["count"]})
    return Fail(missing.code, params=missing.params, evidence=missing.raw)


@on_account
def check_trust(ctx: StepContext, account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> Outcome:
    """The trust stands as shipped: provider, trust policies and boundaries unedited, and nothing promised against is granted."""
    adapter.check_trust_unedited()
    return Done({"promises": require_promises(account, kit, adapter)})


@on_account
def check_refusals(ctx: StepContext, account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> Outcome:
    """Sign-ins that must fail do fail: the trust is not wider than promised."""
    results = adapter.check_refusals()
    if kit.state == KitState.CURRENT:
        keep_refusals(account, results)
    accepted = [r.name for r in results if not r.is_refused]
    for result in results:
        ctx.log(f"{result.name}: {'refused' if result.is_refused else 'ACCEPTED'} ({result.evidence})")
    if accepted:
        return Fail("trust_too_wide", params={"names": ", ".join(accepted)})
    return Done({"refusals": len(results), "refused": {result.name: result.evidence[:500] for result in results}})


@on_account
def finish(ctx: StepContext, account: CloudAccount, kit: Kit, adapter: CloudAdapter) -> Outcome:
    """Connected. The trust is proven once more, just now: what the checks found may be as old as a retry."""
    adapter.probe_trust()
    adapter.check_trust_unedited()
    try:
        is_ours = _connect(account, kit)
    except IntegrityError:
        return Fail("duplicate_account", params={"account_id": account.external_id})
    return Done() if is_ours else Fail("kit_replaced")


def _connect(account: CloudAccount, kit: Kit) -> bool:
    """The move to CONNECTED, unless an earlier run of the step has made it. False: another kit has taken this one's place."""
    with transaction.atomic():
        account = CloudAccount.objects.select_for_update().get(pk=account.pk)
        if not account.kits.filter(pk=kit.pk, state=KitState.CURRENT).exists():
            return False
        if account.state == AccountState.VERIFYING:
            move_account(account, AccountState.CONNECTED, by=WORKER)
            TrustWatch.objects.start(account)
        return account.state == AccountState.CONNECTED


def _move_once(account: CloudAccount, was: AccountState, to: AccountState) -> None:
    """The move, unless an earlier run of this step, killed before it could say so, has made it."""
    if account.state == was:
        move_account(account, to, by=WORKER)


def _failed(operation: Operation) -> None:
    account = CloudAccount.objects.select_for_update().get(pk=operation.subject_id)
    if account.state in {AccountState.WAITING_FOR_KIT, AccountState.VERIFYING}:
        move_account(account, AccountState.FAILED, by=WORKER, code=operation.failure_code, is_recorded=False)
    if operation.failure_code == "kit_expired":
        for kit in account.kits.filter(state=KitState.CURRENT):
            move_kit(kit, KitState.EXPIRED)

    tell(account, operation, "account_failed", "accounts:operation_detail", operation.pk)


def _succeeded(operation: Operation) -> None:
    account = CloudAccount.objects.select_related("organisation").get(pk=operation.subject_id)
    tell(account, operation, "account_connected", "accounts:connect_done", account.pk)
    check_after_connecting(account)


def _cancelled(operation: Operation) -> None:
    account = CloudAccount.objects.select_for_update().get(pk=operation.subject_id)
    if account.state in {AccountState.WAITING_FOR_KIT, AccountState.VERIFYING}:
        move_account(account, account.rests_as, by=WORKER, is_recorded=False)
        retire_kits(account)
        if not account.was_connected:
            CloudAccount.objects.filter(pk=account.pk).update(wizard_step="review")


def _retried(operation: Operation) -> None:
    account = CloudAccount.objects.select_for_update().get(pk=operation.subject_id)
    if account.state != AccountState.FAILED:
        raise LostRace(operation.reference)
    to = AccountState.VERIFYING if "principal" in operation.data else AccountState.WAITING_FOR_KIT
    move_account(account, to, by=WORKER, is_recorded=False)
    for kit in account.kits.filter(state=KitState.CURRENT):
        forget_reported_place(kit)


def account_url(operation: Operation) -> str:
    """The account; after an attempt that was stopped its kits, where what they left in the cloud is named."""
    page = "account_kit" if operation.state == OperationState.CANCELLED else "account_detail"
    return reverse(f"accounts:{page}", args=[operation.organisation.slug, operation.subject_id])


def names(operation: Operation) -> dict[str, object]:
    """What the sentences about connecting may name."""
    return cloud_names(operation.data["cloud"])


def way_on_url(operation: Operation) -> str:
    """Run again and Stop connecting stand on the wizard's own page; on the account's once this attempt is history."""
    return reverse("accounts:connect_resume", args=[operation.organisation.slug, operation.subject_id])


# What the customer does where it is not the kit that is to be run: the words of the button, and the page behind it.
PARTS = {
    "contact_missing": (_("Add a contact"), "contacts"),
    "client_id_unknown": (_("Paste the client IDs again"), "connect_waiting"),
    "client_id_refused": (_("Paste the client IDs again"), "connect_waiting"),
    "project_number_differs": (_("Stop connecting and change the number"), "connect_stop"),
    "tenant_id_differs": (_("Stop connecting and change the tenant"), "connect_stop"),
}


def your_part(operation: Operation) -> str:
    return str(PARTS[operation.waiting_why][0] if operation.waiting_why in PARTS else _("Open the kit"))


def your_part_url(operation: Operation) -> str:
    slug, page = operation.organisation.slug, PARTS.get(operation.waiting_why, ("", "connect_run"))[1]
    if page == "contacts":
        return reverse("accounts:contacts", args=[slug])
    anchor = "#report" if page == "connect_waiting" else ""
    return reverse(f"accounts:{page}", args=[slug, operation.subject_id]) + anchor


def contact_is_named(operation: Operation) -> str:
    """Why the step has nothing to wait for; empty while nobody is named."""
    is_named = operation.organisation.contacts.operational().exists()
    return str(_("Done already")) if is_named else ""


# What is verified of a kit that has been run, the first or a newer one.
VERIFYING_STEPS = (
    StepSpec(
        "check_kit",
        _("The cloud finishes the kit"),
        check_kit,
        actor=Party.CLOUD,
        budget=timedelta(minutes=20),
        late_code="kit_not_finished",
    ),
    StepSpec("check_permissions", _("Each permission is held"), check_permissions, retry_from="check_kit"),
    StepSpec("check_trust", _("Trust is as shipped"), check_trust, retry_from="check_kit"),
    StepSpec("check_refusals", _("Wrong sign-ins are refused"), check_refusals, retry_from="check_kit"),
)

register(
    Kind(
        name="connect_cloud_account",
        title=_("Connect cloud account"),
        steps=(
            # A kit lives seven days; the step fails by itself when it expires, so patience only has to outlast that.
            StepSpec("run_kit", _("You run the kit"), run_kit, actor=Party.YOU, budget=timedelta(days=8), patience=timedelta(days=8)),
            StepSpec("name_contact", _("You name a contact"), name_contact, actor=Party.YOU, met_already=contact_is_named),
            *VERIFYING_STEPS,
            StepSpec("finish", _("Account is connected"), finish, retry_from="check_kit"),
        ),
        on_failed=_failed,
        on_succeeded=_succeeded,
        on_cancelled=_cancelled,
        on_retried=_retried,
        why_not_retry=why_not_retry_connecting,
        subject_url=account_url,
        your_part=your_part,
        your_part_url=your_part_url,
        way_on_url=way_on_url,
        way_on=_("Run again with a new kit, or stop connecting"),
        names=names,
        retry_note=_("The kit is kept. Every check is made again."),
        cancel_note=_("The kit's trust ends at once. What it made in your cloud stays there until you remove it."),
    )
)
