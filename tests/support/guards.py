"""What the guards must know of the URLs of support access: what their `pk` is, and which event their POST writes."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.access import Role
from accounts.models import Organisation, User
from accounts.support.actions.policies import set_policy
from accounts.support.brokering.bundles import Collected, bundle_collected
from accounts.support.models import AccessRequest, Bundle, Door, EndProof, PolicyChange, Receipt
from accounts.support.rules.policy import policy_of, values_of
from accounts.support.rules.scopes import find
from accounts.support.states import AccessState, BundleState
from tests.cells.factories import make_cell
from tests.factories import make_membership
from tests.support.factories import make_account, make_active, make_engineer, make_waiting

Make = Callable[[Organisation, User], Any]
UNKNOWN_UUID = "0a1b2c3d-0000-4000-8000-000000000000"


def make_asked(organisation: Organisation, by: User) -> Any:
    """Before the customer, without an event: guards count those of the URL alone."""
    return make_waiting(organisation=organisation)


def make_open(organisation: Organisation, by: User) -> Any:
    return make_active(organisation=organisation)


def make_ended(organisation: Organisation, by: User) -> Any:
    """With a session that was opened and refused again; rows alone, without an event."""
    request, now = make_waiting(organisation=organisation), timezone.now()
    granted = {"document": "{}", "sha256": "0" * 64, "granted_from": now - timedelta(hours=1), "granted_until": now + timedelta(hours=1)}
    ended = {"state": AccessState.REVOKED, "ends_as": AccessState.REVOKED, "ending_at": now, "ended_at": now}
    AccessRequest.objects.filter(pk=request.pk).update(**granted, **ended)
    door = Door.objects.create(request=request, handle="a session", policy="{}", expires_at=now, shut_at=now)
    EndProof.objects.create(request=request, door=door, is_refused=True, evidence="AccessDenied: not authorized")
    Receipt.objects.create(request=request, text="{}", sha256="0" * 64, event_number=1, event_hash="0" * 64)
    request.refresh_from_db()
    return request


def make_change(organisation: Organisation, by: User) -> PolicyChange:
    """A looser policy that another owner than `by` asked for."""
    other = make_membership(organisation=organisation, role=Role.OWNER)
    change = set_policy(organisation=organisation, values=values_of(policy_of(organisation)) | {"longest_minutes": 960}, by=other)
    assert change is not None
    return change


def make_bundle(organisation: Organisation, by: User) -> Bundle:
    """Asked for by an engineer, of a cell; the row alone."""
    cell = make_cell(account=make_account(organisation), stack_name="byoc-1-cell-eu-west-1")
    scope = find(organisation, f"cell:{cell.pk}")
    assert scope is not None
    place = {"scope_kind": scope.kind, "scope_id": scope.id, "scope_label": scope.label, "account_id": scope.account}
    return Bundle.objects.create(organisation=organisation, asked_by=make_engineer(), case="CASE-1", **place)


def make_collected(organisation: Organisation, by: User) -> Bundle:
    """Its two parts are there, to be looked through."""
    bundle = make_bundle(organisation, by)
    Bundle.objects.filter(pk=bundle.pk).update(state=BundleState.COLLECTING)
    bundle.refresh_from_db()
    lines = "started\nERROR password=[removed]"
    parts = [Collected("versions", "cluster v1.35.0"), Collected("log", lines, redactions={"named_secret": 1})]
    assert bundle_collected(bundle, parts)
    return bundle


POLICY = {"mode": "two", "longest_minutes": "480", "decide_hours": "72", "outside": "wait"}
MAKERS: dict[str, Make] = {"access": make_asked, "bundle": make_bundle}
NARROWER: dict[str, Make] = {
    "support:access_policy_": make_change,
    "support:access_receipt": make_ended,
    "support:access_evidence": make_ended,
    "support:bundle_release": make_collected,
}
OF_ENGINEERS = [f"support:session{name}" for name in ("", "_transcript", "_act", "_code")]
SAMPLES = (
    {"support:case_export": {"kind": "csv"}, **{key: {"pk": UNKNOWN_UUID} for key in ("support:case_bundle", "support:viewing_start")}}
    | {name: {"pk": UNKNOWN_UUID} for name in OF_ENGINEERS}
    | {f"support:case_{name}": {"pk": UNKNOWN_UUID} for name in ("detail", "edit", "check", "withdraw", "end", "receipt", "receipt_json")}
)

ONE_EVENT: dict[str, tuple[Make | None, dict[str, Any], str]] = {
    "support:access_decline": (make_asked, {}, "support.declined"),
    "support:access_ask": (make_asked, {"text": "Which of the cells?"}, "support.more_info"),
    "support:access_end": (make_open, {}, "support.ending"),
    "support:bundle_collect": (make_bundle, {}, "support.bundle_collecting"),
    "support:bundle_release": (make_collected, {"part": "log"}, "support.bundle_released"),
    "support:bundle_discard": (make_bundle, {}, "support.bundle_declined"),
    "support:access_receipt_compare": (make_ended, {}, "operation.started"),
    "support:access_policy_change": (None, POLICY, "support.policy_tightened"),
    "support:access_policy_confirm": (make_change, {}, "support.policy_loosened"),
    "support:access_policy_drop": (make_change, {}, "support.policy_change_refused"),
}
# Played in tests/support: an approval with its proof, an export with its format, a bundle of something that exists.
SCENES = {"support:access_approve", "support:access_export", "support:bundle_new"}
OTHER_ONE_EVENT = {f"support:case_{name}" for name in ("new", "edit", "check", "withdraw", "end")} | {
    *(f"support:{name}" for name in ("viewing_start", "viewing_end", "session_act", "session_code", "device_bind", "device_credentials")),
    "support:case_export",
}
OTHER_NO_EVENT = dict.fromkeys(
    ("support:case_list", "support:case_detail", "support:case_history", "support:review_queue", "support:session_list"), "only reads"
) | dict.fromkeys(
    (
        "support:session",
        "support:session_transcript",
        "support:case_receipt",
        "support:case_receipt_json",
        "support:case_bundles",
        "support:case_bundle",
        "support:credential_helper",
    ),
    "only reads",
)
PUBLIC = dict.fromkeys(
    ("support:device_bind", "support:device_credentials"),
    "an engineer's computer has no session: a code that works once, then a key, is the proof",
)
TENANCY_PATHS = {
    "support.AccessRequest": "organisation",
    "support.RequestNote": "request__organisation",
    "support.Decision": "request__organisation",
    "support.AccessPolicy": "organisation",
    "support.PolicyChange": "organisation",
    "support.Door": "request__organisation",
    "support.Opening": "request__organisation",
    "support.Act": "request__organisation",
    "support.EndProof": "request__organisation",
    "support.TraceMatch": "request__organisation",
    "support.Receipt": "request__organisation",
    "support.Device": "request__organisation",
    "support.Viewing": "organisation",
    "support.Bundle": "organisation",
    "support.BundleFile": "bundle__organisation",
}
TASKS = {
    "accounts.support.tasks.lapse_due_requests": "each row by itself and in its own transaction; a second run finds nothing to lapse",
    "accounts.support.tasks.open_due_grants": "each row by itself and in its own transaction; a second run finds none scheduled",
    "accounts.support.tasks.close_ending_grants": "each row in its own transaction; a second run finds the operation at work",
    "accounts.support.tasks.run_act": "an act's id: one grant under its account's kit; claimed once, its result written once",
    "accounts.support.tasks.expire_due_bundles": "each row by itself and in its own transaction; a second run finds nothing over",
    "accounts.support.tasks.renew_door": "a request's id: one grant under its account's kit; one session stands at a time",
    "accounts.support.tasks.tend_acts": "ids of what waits, reads no content; an act that is rung twice is claimed once",
    "accounts.support.tasks.review_ended_grants": "each row in its own transaction; a second run finds the operation there",
    "accounts.support.tasks.write_due_receipts": "each row by itself and in its own transaction; a second run finds the receipt",
    "accounts.support.tasks.end_due_grants": "each row by itself and in its own transaction; a second run finds nothing over",
}
