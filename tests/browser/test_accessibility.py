"""Every page of the portal: axe finds nothing in either theme at either width, nothing scrolls sideways on a phone, the console is silent.

A page is loaded once; width and theme change under it, as they do for a reader who turns a phone or switches the theme. In the
dark only colours differ, so only the rules about colour are asked there.
"""

import json
import re
from functools import partial
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from axe_playwright_python.base import AXE_SCRIPT
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts.actions.connect import issue_kit, stop_connecting
from accounts.actions.renewal import start_renewal
from accounts.models import CloudAccount, Kit, Organisation, User
from portal import views
from portal.operations.driver import advance
from portal.operations.models import Operation, Step
from portal.operations.states import OperationState, Party, StepState
from tests.browser import fleet, offboarding, support
from tests.browser.conftest import is_fault
from tests.browser.steps import DEMO_SECRET, SIDEWAYS, confirm_code, confirm_password, sign_in
from tests.closing import guards as closing
from tests.customer import Customer
from tests.environments import make_assessment
from tests.factories import (
    make_cloud_account,
    make_contact,
    make_disabled_account,
    make_invitation,
    make_lost_account,
    make_prepared_account,
    make_step_link,
    make_watched_account,
)
from tests.guards.url_tree import all_urls
from tests.support.factories import code_of, make_requested

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOOKS = [("light", 1280), ("dark", 1280), ("dark", 320), ("light", 320)]
EVERY_RULE = {"resultTypes": ["violations"]}
COLOUR_RULES = {**EVERY_RULE, "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
# Colours that are still fading from one theme to the other are nobody's contrast.
SWITCH_THEME = """theme => {
  document.documentElement.dataset.theme = theme;
  for (const change of document.getAnimations()) if (change instanceof CSSTransition) change.finish();
}"""


# --- The pages, by URL name: addresses from the world below --------------------------------------------------------------


def of(name, *which):
    """The page of each named account or operation."""
    return lambda world: [reverse(name, args=["acme", getattr(world, item)]) for item in which]


def at(*paths):
    return lambda _world: list(paths)


def here(name, query=""):
    return lambda _world: [reverse(name, args=["acme"]) + query]


SIGNED_OUT = {
    "account_login": at("/auth/login/"),
    "account_signup": at("/auth/signup/"),
    "account_reset_password": at("/auth/password/reset/"),
    "account_reset_password_done": at("/auth/password/reset/done/"),
    "account_reset_password_from_key": at("/auth/password/reset/key/1-gone/"),
    "account_reset_password_from_key_done": at("/auth/password/reset/key/done/"),
    "account_email_verification_sent": at("/auth/confirm-email/"),
    "account_confirm_email": at("/auth/confirm-email/gone/"),
    "account_inactive": at("/auth/inactive/"),
    "accounts:invitation": at("/invitations/open-invitation/", "/invitations/gone/"),
    "accounts:step_link": at("/handover/open-step/", "/handover/seen-step/", "/handover/gone/"),
    "accounts:contact_confirm": at("/contacts/confirm/open-contact/", "/contacts/confirm/gone/"),
}
OWNER = {
    "accounts:home": here("accounts:home"),
    "accounts:account_list": lambda _world: ["/o/acme/accounts/", "/o/acme/accounts/?q=nothing-is-called-so"],
    "accounts:account_environment": lambda world: [*of("accounts:account_environment", "draft", "succeeded")(world), world.environment],
    "accounts:account_detail": of("accounts:account_detail", "prepared", "draft", "waiting", "failed", "succeeded"),
    "accounts:account_trust": of("accounts:account_trust", "draft", "succeeded", "lost", "disabled"),
    "accounts:account_permissions": of("accounts:account_permissions", "succeeded"),
    "accounts:account_kit": of("accounts:account_kit", "succeeded"),
    "accounts:account_activity": of("accounts:account_activity", "succeeded"),
    "accounts:account_kit_update": of("accounts:account_kit_update", "outdated", "lost", "waiting"),
    "accounts:account_kit_regions": lambda world: [
        reverse("accounts:account_kit_regions", args=["acme", world.wide]) + asked
        for asked in ("", "?region=uksouth", "?region=northeurope")
    ],
    "accounts:account_kit_run": of("accounts:account_kit_run", "renewing"),
    "accounts:account_kit_waiting": of("accounts:account_kit_waiting", "renewing"),
    "accounts:account_rename": of("accounts:account_rename", "succeeded"),
    "accounts:account_disconnect": of("accounts:account_disconnect", "succeeded", "waiting"),
    "accounts:account_reconnect": of("accounts:account_reconnect", "disconnected", "succeeded"),
    "accounts:connect_start": here("accounts:connect_start"),
    "accounts:connect_terms": of("accounts:connect_terms", "prepared"),
    "accounts:connect_decline": of("accounts:connect_decline", "prepared"),
    "accounts:connect_account": of("accounts:connect_account", "draft"),
    "accounts:connect_place": of("accounts:connect_place", "draft"),
    "accounts:connect_review": of("accounts:connect_review", "draft"),
    "accounts:connect_preflight": of("accounts:connect_preflight", "draft"),
    "accounts:connect_run": lambda world: [
        reverse("accounts:connect_run", args=["acme", world.waiting]) + f"?via={via}" for via in ("launch", "cli", "terraform")
    ],
    "accounts:connect_send": of("accounts:connect_send", "waiting", "failed"),
    "accounts:connect_waiting": of("accounts:connect_waiting", "waiting", "failed"),
    "accounts:connect_done": of("accounts:connect_done", "succeeded"),
    "accounts:connect_stop": of("accounts:connect_stop", "waiting"),
    "accounts:connect_discard": of("accounts:connect_discard", "draft"),
    "accounts:operation_list": lambda _world: ["/o/acme/operations/", "/o/acme/operations/?state=failed&kind=nothing"],
    "accounts:operation_detail": of("accounts:operation_detail", *(f"{state}_work" for state in [*OperationState.values, "spreading"])),
    "accounts:operation_cancel": of("accounts:operation_cancel", "spreading_work"),
    "accounts:activity": lambda _world: ["/o/acme/activity/", "/o/acme/activity/?who=nobody"],
    "accounts:organisation_settings": here("accounts:organisation_settings"),
    "accounts:security_packages": here("accounts:security_packages"),
    "accounts:security_package": lambda _world: [f"/o/acme/security/{cloud}/" for cloud in ("aws", "gcp", "azure")],
    "accounts:members": here("accounts:members"),
    "accounts:member_role": of("accounts:member_role", "member"),
    "accounts:member_remove": of("accounts:member_remove", "member"),
    "accounts:invitation_create": here("accounts:invitation_create"),
    "accounts:contacts": here("accounts:contacts"),
    "accounts:contact_add": here("accounts:contact_add"),
    "accounts:profile": at("/profile/"),
    "accounts:organisation_create": at("/organisations/new/"),
    "account_email": at("/auth/email/"),
    "account_change_password": at("/auth/password/change/"),
    "account_logout": at("/auth/logout/"),
    "account_reauthenticate": at("/auth/reauthenticate/"),
    "usersessions_list": at("/auth/sessions/"),
    "mfa_index": at("/auth/2fa/"),
    "mfa_activate_totp": at("/auth/2fa/totp/activate/"),
    "mfa_list_webauthn": at("/auth/2fa/webauthn/"),
    "mfa_add_webauthn": at("/auth/2fa/webauthn/add/"),
    **fleet.PAGES,
}
STAFF = {
    "portal:gallery": at("/gallery/"),
    "mfa_reauthenticate": at("/auth/2fa/reauthenticate/"),
    "mfa_deactivate_totp": at("/auth/2fa/totp/deactivate/"),
    "mfa_view_recovery_codes": at("/auth/2fa/recovery-codes/"),
    "mfa_generate_recovery_codes": at("/auth/2fa/recovery-codes/generate/"),
    "support:viewing_start": lambda _world: [reverse("support:viewing_start", args=[Organisation.objects.get(slug="acme").pk])],
}
# URL names that show nobody a page of their own, and why.
NO_PAGE = {
    "home": "redirects", "accounts:connect_resume": "redirects", "account_set_password": "redirects: everybody has a password",
    "accounts:account_kit_file": "a file", "accounts:account_record": "a file", "accounts:activity_export": "a file",
    "accounts:activity_verifier": "a file", "accounts:operation_log": "a file", "mfa_download_recovery_codes": "a file",
    "accounts:connect_waiting_status": "a fragment", "accounts:account_kit_waiting_status": "a fragment",
    "accounts:account_trust_status": "a fragment",
    "accounts:account_environment_status": "a fragment", "accounts:account_environment_check": "POST",
    "accounts:account_environment_export": "a file",
    "accounts:connect_send_status": "a fragment", "accounts:connect_send_withdraw": "POST", "accounts:step_link_file": "a file",
    "accounts:step_link_status": "a fragment", "accounts:step_link_report": "POST",
    "accounts:account_trust_check": "POST", "accounts:account_kit_stay": "POST", "accounts:account_kit_regions_check": "POST",
    "accounts:account_kit_report": "POST",
    "accounts:account_kit_removed": "POST",
    "accounts:account_kit_stop": "POST", "accounts:operation_progress": "a fragment of the page",
    "accounts:security_package_file": "a file",
    "accounts:connect_report": "POST", "accounts:kit_report": "POST", "accounts:connect_run_again": "POST",
    "accounts:operation_retry": "POST",
    "accounts:operation_check": "POST", "accounts:activity_verify": "POST; its answer is on the page",
    "accounts:organisation_switch": "POST", "accounts:invitation_accept": "POST", "accounts:member_leave": "POST",
    "accounts:invitation_resend": "POST", "accounts:invitation_revoke": "POST", "accounts:contact_remove": "POST",
    "accounts:contact_resend": "POST", "accounts:confirmation_resend": "POST", "accounts:invitation_sign_up": "POST",
    "portal:theme": "POST", "mfa_login_webauthn": "JSON", "mfa_reauthenticate_webauthn": "JSON",
    "portal:brand": "a stylesheet", "portal:healthz": "JSON", "issuer_jwks": "JSON", "issuer_discovery": "JSON",
    "account_confirm_login_code": "switched off", "mfa_edit_webauthn": "test_look's passkey", "mfa_remove_webauthn": "test_look's passkey",
    **fleet.NO_PAGE, **support.NO_PAGE, **offboarding.NO_PAGE, **closing.NO_PAGE,
    "mfa_authenticate": "visited while staff signs in",
}  # fmt: skip


# --- The world they show -------------------------------------------------------------------------------------------------


@pytest.fixture
def world(portal, sandbox):
    """Acme with an account and an operation in every state, an open invitation and an unconfirmed contact."""
    acme, owner = Organisation.objects.get(slug="acme"), User.objects.get(email="owner@acme.example")
    make_invitation(organisation=acme, invited_by=owner, email="new@acme.example", token="open-invitation")
    make_contact(organisation=acme, token="open-contact")
    found = SimpleNamespace(member=acme.memberships.exclude(user=owner).first().pk)

    def connecting(name):
        account = make_cloud_account(organisation=acme, created_by=owner, name=name.title(), home_region="eu-central-1")
        issue_kit(account, after_generation=0, by=owner)
        operation = Operation.objects.get(subject_id=str(account.pk))
        setattr(found, name, account.pk)
        setattr(found, f"{name}_work", operation.pk)
        return CloudAccount.objects.get(pk=account.pk)

    found.prepared = make_prepared_account(acme, owner, note="As discussed on the phone.").pk
    found.draft = make_cloud_account(organisation=acme, created_by=owner, name="Draft").pk
    connecting("waiting")
    advance(found.waiting_work)
    connecting("failed").kits.update(expires_at=timezone.now())
    advance(found.failed_work)
    account = connecting("succeeded")
    Customer(sandbox, account.external_id).run_kit(account.kits.get())
    advance(found.succeeded_work)
    found.environment = reverse("accounts:account_environment", args=["acme", account.pk]) + "?region=us-west-2"
    _look_around(account, "us-west-2", by=owner)
    found.outdated, found.renewing = make_watched_account(organisation=acme).pk, make_watched_account(organisation=acme).pk
    azure = {"cloud": "azure", "home_region": "westeurope", "identity": {"tenant_id": "11111111-aaaa-4aaa-8aaa-111111111111"}}
    found.wide = make_watched_account(organisation=acme, **azure).pk
    Kit.objects.filter(account=found.wide).update(places=["northeurope"])
    Kit.objects.filter(account=found.outdated).update(version="1.2.0")
    start_renewal(CloudAccount.objects.get(pk=found.renewing), after_generation=1, by=owner)
    found.disconnected = make_cloud_account(organisation=acme, state="disconnected", connected_at=timezone.now()).pk
    for name, state in (("open", "waiting"), ("seen", "succeeded")):
        kit = CloudAccount.objects.get(pk=getattr(found, state)).kits.get()
        make_step_link(kit=kit, sent_by=owner, token=f"{name}-step")
    found.lost, found.disabled = make_lost_account(organisation=acme).pk, make_disabled_account(organisation=acme).pk
    stop_connecting(connecting("cancelled"), by=owner)
    connecting("queued")
    connecting("running")
    _put(found.running_work, OperationState.RUNNING, StepState.RUNNING)
    connecting("spreading")
    spreading = {"waiting_on": Party.CLOUD, "waiting_why": "permissions_spreading", "waiting_params": {"count": "3"}}
    _put(found.spreading_work, OperationState.WAITING, StepState.WAITING, **spreading)
    assert {Operation.objects.get(pk=getattr(found, f"{state}_work")).state: state for state in OperationState.values} == {
        state: state for state in OperationState.values
    }
    found.fleet = fleet.make_fleet(acme, owner)
    return found


def _look_around(account, region, *, by):
    """A look with every verdict, in a region of its own."""
    make_assessment(account=account, region=region, facts={"zones": 3, "permissions_held": False})
    told = {"quota_vcpus": "block", "zones": "warn", "quota_networks": "unknown"}
    newest = make_assessment(account=account, region=region, verdicts=told, by=by, facts={"zones": 2, "vcpus_free": 1})
    params = {"free": "1", "limit": "5", "needed": "4", "region": region, "count": "2"}
    mended = {"command": "aws service-quotas list-service-quotas", "link": "https://aws.example/", "evidence": "limit 5, in use 4"}
    newest.findings.exclude(verdict="pass").update(params=params, **mended)


def _put(operation_id, state, step_state, **waiting):
    """The operation in a state that passes too quickly to be looked at."""
    now = timezone.now()
    Operation.objects.filter(pk=operation_id).update(state=state, started_at=now, **waiting)
    Step.objects.filter(operation=operation_id, position=1).update(
        state=step_state, started_at=now, last_run_at=now, waiting_since=now if waiting else None, **waiting
    )


# --- Looking -------------------------------------------------------------------------------------------------------------


def look_at_all(page, portal, paths, complaints, statuses=(200,)):
    """Fails with one line a finding."""
    wrong = []
    for path in paths:
        answer = page.goto(portal + path)
        if answer.status not in statuses:
            wrong.append(f"{path}: answered {answer.status}")
            continue
        if urlsplit(page.url).path != urlsplit(path).path:
            wrong.append(f"{path}: led to {page.url}")
            continue
        wrong += [f"{path}: console: {text}" for text in complaints if is_fault(text)]
        wrong += [f"{path}: {finding}" for finding in examine(page)]
        complaints.clear()  # axe has its own troubles with a strict policy
    if wrong:
        pytest.fail(f"{len(wrong)} findings:\n" + "\n".join(wrong), pytrace=False)


def examine(page):
    """What axe finds, as `[theme width] rule: element, how to mend it`, and whether the page scrolls sideways."""
    page.evaluate(AXE_SCRIPT)
    found = []
    for theme, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(SWITCH_THEME, theme)
        violations = page.evaluate(
            "rules => axe.run(rules).then(told => told.violations)", EVERY_RULE if theme == "light" else COLOUR_RULES
        )
        found += [f"[{theme} {width}] {violation['id']}: {in_words(node)}" for violation in violations for node in violation["nodes"]]
        if (theme, width) == ("light", 320):
            found += [f"[320] scrolls sideways: {element}" for element in page.evaluate(SIDEWAYS)]
    return found


def in_words(node):
    return f"{json.dumps(node['target'])} {node['failureSummary'].splitlines()[-1].strip()}"


def addresses(pages, world):
    return [address for paths in pages.values() for address in paths(world)]


def test_every_url_is_looked_at_or_has_no_page():
    names = {url.name for url in all_urls() if not url.route.startswith("admin/")}

    assert names == {*SIGNED_OUT, *OWNER, *STAFF, *NO_PAGE}


def test_signed_out_pages(page, portal, world, complaints):
    look_at_all(page, portal, addresses(SIGNED_OUT, world), complaints, statuses=(200, 410, 404))


def test_pages_of_an_owner(page, portal, world, complaints):
    sign_in(page, portal, "owner@acme.example")
    confirm_password(page, portal)

    look_at_all(page, portal, addresses(OWNER, world), complaints)

    # A form with errors, and the answer of the log's proof.
    page.goto(portal + reverse("accounts:connect_account", args=["acme", world.draft]))
    page.get_by_label("AWS account number", exact=True).fill("1")
    page.get_by_role("button", name="Continue").click()
    assert examine(page) == []
    page.goto(f"{portal}/o/acme/activity/")
    page.get_by_role("button", name=re.compile("^Verify")).first.click()
    page.wait_for_load_state()
    assert examine(page) == []


def test_pages_with_nothing_on_them_and_pages_that_refuse(visit, portal, complaints):
    owner = visit("owner@globex.example")
    lists = ("", "accounts/", "cells/", "instances/", "operations/", "activity/", "settings/members/", "settings/contacts/")
    empty = [f"/o/globex/{path}" for path in lists]
    look_at_all(owner, portal, empty, complaints)

    auditor = visit("auditor@acme.example")
    look_at_all(auditor, portal, ["/o/acme/", "/o/acme/accounts/", "/o/acme/settings/members/"], complaints)
    look_at_all(auditor, portal, ["/o/acme/accounts/connect/", "/admin/login/", "/gallery/"], complaints, statuses=(403,))
    look_at_all(auditor, portal, ["/o/globex/", "/no/such/page/"], complaints, statuses=(404,))


def test_error_pages(page, portal, complaints):
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    pages = {
        "bad-request": views.bad_request(request),
        "forged": views.csrf_failure(request),
        "broken": views.server_error(request),
        "unavailable": views.unavailable(request),
    }
    for name, answer in pages.items():
        page.route(f"{portal}/{name}/", partial(_answer, answer.content.decode()))
    look_at_all(page, portal, [f"/{name}/" for name in pages], complaints)


def test_pages_of_staff(page, visit, portal, world, complaints):
    engineer = visit("support@fernhill.example")
    look_at_all(engineer, portal, ["/support/"], complaints)

    spares = iter(RecoveryCodes.activate(User.objects.get(email="staff@fernhill.example")).get_unused_codes())
    sign_in(page, portal, "staff@fernhill.example", leads_to="**/2fa/authenticate/")
    assert examine(page) == []
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill(code_of(DEMO_SECRET))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/admin/")
    confirm_code(page, portal, next(spares))

    look_at_all(page, portal, [*addresses(STAFF, world), *admin_pages()], complaints)
    confirm_code(page, portal, next(spares))  # the pages above may have taken longer than a proof counts
    look_as_a_customer(page, portal, world, complaints)


def look_as_a_customer(page, portal, world, complaints):
    """“View as customer”: its form with errors, the customer's pages under its bar, and what it refuses."""
    page.goto(portal + STAFF["support:viewing_start"](world)[0])
    page.get_by_role("button", name="Start viewing").click()
    assert examine(page) == []
    page.get_by_label("Case").fill("CASE-1")
    page.get_by_label("Reason").fill("The page is said to be empty.")
    page.get_by_role("button", name="Start viewing").click()
    page.wait_for_url("**/o/acme/")
    pages = ("accounts:home", "accounts:account_list", "accounts:members", "support:access_home", "cells:cell_list")
    look_at_all(page, portal, [reverse(name, args=["acme"]) for name in pages], complaints)
    asked = make_requested(organisation=Organisation.objects.get(slug="acme"))
    look_at_all(page, portal, [asked.get_absolute_url()], complaints)
    look_at_all(page, portal, [f"{asked.get_absolute_url()}transcript/"], complaints, statuses=(403,))
    page.goto(f"{portal}/o/acme/")
    page.get_by_role("button", name="Stop viewing").click()
    page.wait_for_url("**/admin/")


def _answer(body, route):
    route.fulfill(body=body, content_type="text/html")


def admin_pages():
    """The index, every list, and one row of each that has one."""
    place = reverse("admin:accounts_organisation_start_connection", args=[Organisation.objects.first().pk])
    found = ["/admin/", place, f"{place}?cloud=azure", reverse("admin:accounts_preparation_changelist") + "?q=nothing-is-called-so"]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        if row := model._default_manager.first():
            found.append(reverse(f"{name}_change", args=[row.pk]))
    return found
