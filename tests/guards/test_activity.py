"""Every URL that changes something writes exactly one event. A URL that takes a POST and stands in no table here fails."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from accounts.models import CloudAccount, Organisation, User
from accounts.states import AccountState, KitState
from portal.audit.models import Event
from tests.activity import assert_no_event, assert_one_event
from tests.cells import guards as cells
from tests.cells.factories import make_cell
from tests.closing import guards as closing
from tests.factories import (
    PASSWORD,
    answers_to_terms,
    make_cloud_account,
    make_contact,
    make_invitation,
    make_kit,
    make_membership,
    make_organisation,
    make_prepared_account,
    make_step_link,
    make_watched_account,
)
from tests.guards.url_tree import (
    MAKERS,
    Url,
    address,
    make_failed_operation,
    make_operation,
    make_waiting_account,
    organisation_urls,
    other_urls,
)
from tests.offboarding import guards as offboarding
from tests.support import guards as support

Make = Callable[[Organisation, User], Any]
REPORT = {"evidence": "arn:aws:cloudformation:us-east-1:111122223333:stack/byoc/3f9a1c2e-0000-4000-8000-000000000000"}
PASSPHRASE = "another-long-pass-phrase"


def make_draft(step: str) -> Make:
    return lambda organisation, by: make_cloud_account(organisation=organisation, created_by=by, wizard_step=step)


def make_connected_account(organisation: Organisation, by: User) -> Any:
    return make_watched_account(organisation=organisation, created_by=by, name="Main")


def make_renewing_account(organisation: Organisation, by: User) -> Any:
    account = make_connected_account(organisation, by)
    make_kit(account=account, generation=2, state=KitState.CANDIDATE)
    return account


def make_disconnected_account(organisation: Organisation, by: User) -> Any:
    account = make_cloud_account(organisation=organisation, created_by=by, state=AccountState.DISCONNECTED, connected_at=timezone.now())
    make_kit(account=account, state=KitState.OUTDATED)
    return account


def make_sent_account(organisation: Organisation, by: User) -> CloudAccount:
    """An account whose kit was sent to a colleague by a link."""
    account = make_waiting_account(organisation, by)
    make_step_link(kit=account.kits.get(), sent_by=by)
    return account


def make_account_with_a_kit_left(organisation, by):
    """Connected, and what a kit of before had made is still in the cloud."""
    account = make_watched_account(organisation=organisation)
    make_kit(account=account, generation=2, state="outdated", ran_at=timezone.now())
    return account


# The smallest request that changes something: (the object its `pk` names, POST data, the event's action). By alice, Acme's owner.
ONE_EVENT: dict[str, tuple[Make | None, dict[str, Any], str]] = {
    "accounts:organisation_settings": (None, {"name": "Acme Rockets"}, "organisation.renamed"),
    "accounts:invitation_create": (None, {"email": "new@people.example", "role": "auditor"}, "invitation.sent"),
    "accounts:invitation_resend": (MAKERS["invitation"], {}, "invitation.resent"),
    "accounts:invitation_revoke": (MAKERS["invitation"], {}, "invitation.revoked"),
    "accounts:member_role": (MAKERS["member"], {"role": "auditor"}, "member.role_changed"),
    "accounts:member_remove": (MAKERS["member"], {}, "member.removed"),
    "accounts:contact_add": (None, {"name": "Night desk", "email": "n@acme.example", "purpose": "security"}, "contact.added"),
    "accounts:contact_remove": (MAKERS["contact"], {}, "contact.removed"),
    "accounts:contact_resend": (MAKERS["contact"], {}, "contact.confirmation_resent"),
    "accounts:connect_start": (None, {"cloud": "aws"}, "cloud_account.draft_started"),
    "accounts:connect_decline": (make_prepared_account, {"reason": "Not this account"}, "cloud_account.preparation_declined"),
    "accounts:connect_account": (make_draft("account"), {"name": "Main", "external_id": "111122223333"}, "cloud_account.details_saved"),
    "accounts:connect_place": (make_draft("place"), {"region": "eu-west-1"}, "cloud_account.details_saved"),
    "accounts:connect_review": (make_draft("review"), {}, "cloud_account.kit_reviewed"),
    "accounts:connect_preflight": (make_draft("preflight"), {"generation": "0"}, "cloud_account.kit_issued"),
    "accounts:connect_report": (make_waiting_account, {}, "cloud_account.kit_reported"),
    "accounts:connect_run_again": (make_waiting_account, {"generation": "1"}, "cloud_account.kit_issued"),
    "accounts:connect_stop": (make_waiting_account, {}, "cloud_account.connecting_stopped"),
    "accounts:connect_discard": (make_draft("place"), {}, "cloud_account.draft_discarded"),
    "accounts:account_kit_update": (make_connected_account, {"generation": "1"}, "cloud_account.renewal_started"),
    "accounts:account_kit_stay": (make_connected_account, {}, "cloud_account.stayed_on_kit"),
    "accounts:account_kit_report": (make_renewing_account, REPORT, "cloud_account.kit_reported"),
    "accounts:account_kit_stop": (make_renewing_account, {}, "cloud_account.renewal_stopped"),
    "accounts:account_kit_removed": (make_account_with_a_kit_left, {"generation": "2"}, "cloud_account.kit_removed"),
    "accounts:account_rename": (MAKERS["account"], {"name": "Renamed"}, "cloud_account.renamed"),
    "accounts:account_disconnect": (
        lambda o, by: make_watched_account(organisation=o, name="Main"),
        {"name": "Main"},
        "cloud_account.disconnected",
    ),
    "accounts:account_environment_check": (
        lambda organisation, by: make_watched_account(organisation=organisation, created_by=by),
        {"region": "eu-west-1"},
        "operation.started",
    ),
    "accounts:account_reconnect": (make_disconnected_account, {"generation": "1"}, "cloud_account.kit_issued"),
    "accounts:connect_send": (make_waiting_account, {"days": "3"}, "step_link.made"),
    "accounts:connect_send_withdraw": (make_sent_account, {}, "step_link.revoked"),
    "accounts:operation_retry": (make_failed_operation, {}, "operation.retried"),
    "accounts:operation_cancel": (make_operation, {}, "operation.cancelled"),
    "accounts:activity_export": (None, {}, "activity.exported"),
}
ONE_EVENT |= cells.ONE_EVENT | support.ONE_EVENT | offboarding.ONE_EVENT | closing.ONE_EVENT
# Requests that need a scene of their own; the test named after the URL plays it.
SCENES = support.SCENES | closing.SCENES | cells.SCENES | {"accounts:member_leave", "accounts:connect_terms"}
# Take a POST and change nothing that belongs on record, each with the reason.
NO_EVENT = {
    "accounts:account_trust_check": "looks sooner at what is looked at anyway: nothing is decided and no state is written",
    "accounts:account_kit_regions_check": "looks sooner at what is looked at anyway: nothing is decided and no state is written",
    "accounts:operation_check": "looks sooner at what is looked at anyway: nothing is decided and no state is written",
    **cells.NO_EVENT,
    **offboarding.NO_EVENT,
}


# --- Pages of an organisation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE_EVENT)
def test_url_writes_exactly_one_event(name, client, alice, acme):
    make, data, action = ONE_EVENT[name]
    kwargs = {"pk": make(acme, alice).pk} if make else {}
    if name == "accounts:connect_report":
        account = acme.cloud_accounts.get()
        data = {
            "evidence": f"arn:aws:cloudformation:{account.home_region}:{account.external_id}:stack/byoc/3f9a1c2e-0000-4000-8000-00000000000"
        }
    client.force_login(alice)

    with assert_one_event(acme, action=action):
        response = client.post(reverse(name, kwargs={"slug": "acme"} | kwargs), data)

    assert response.status_code in {HTTPStatus.OK, HTTPStatus.FOUND}


@pytest.mark.parametrize("url", organisation_urls(), ids=str)
def test_every_other_url_refuses_a_post(url: Url, client, alice, acme):
    if url.name in ONE_EVENT or url.name in SCENES or url.name in NO_EVENT:
        return
    client.force_login(alice)

    with assert_no_event():
        response = client.post(address(url, acme, alice))

    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED, f"{url.name} takes a POST: enter it in ONE_EVENT"


@pytest.mark.parametrize("url", organisation_urls(), ids=str)
def test_no_url_writes_an_event_when_it_is_only_read(url: Url, client, alice, acme):
    there = address(url, acme, alice)
    client.force_login(alice)

    with assert_no_event():
        client.get(there)


@pytest.mark.parametrize("name", NO_EVENT)
def test_url_without_event_writes_none(name, client, alice, acme):
    url = next(url for url in organisation_urls() if url.name == name)
    client.force_login(alice)

    with assert_no_event():
        response = client.post(address(url, acme, alice))

    assert response.status_code == HTTPStatus.FOUND


def test_member_leave_writes_exactly_one_event(client, alice, bob, acme):
    client.force_login(bob)

    with assert_one_event(acme, action="member.left"):
        client.post(reverse("accounts:member_leave", args=["acme"]))


def test_closing_cancel_writes_exactly_one_event(client, alice, acme):
    closing.make_closing(acme, alice)
    client.force_login(alice)

    with assert_one_event(acme, action="organisation.closing_cancelled"):
        client.post(reverse("closing:closing_cancel", args=["acme"]))


def test_connect_terms_writes_exactly_one_event(client, alice, acme):
    account = make_prepared_account(acme, alice)
    client.force_login(alice)

    with assert_one_event(acme, action="cloud_account.terms_accepted"):
        client.post(reverse("accounts:connect_terms", args=["acme", account.pk]), answers_to_terms(account))


def test_instance_new_check_writes_exactly_one_event(client, alice, acme):
    draft = cells.make_own_draft(acme, alice, region="eu-west-1")
    make_cell(account=draft.account, region="eu-west-1")
    client.force_login(alice)

    with assert_one_event(acme, action="instance.created"):
        client.post(reverse("cells:instance_new_check", args=["acme", draft.pk]))


def test_tables_are_not_stale():
    assert {*ONE_EVENT, *SCENES, *NO_EVENT} - {url.name for url in organisation_urls()} == set()


# --- Pages outside of organisations ----------------------------------------------------------------------------------

# Written to an organisation's chain, or (a person's own account) to the platform's.
OTHER_ONE_EVENT = {
    "accounts:organisation_create",
    "accounts:profile",
    "accounts:invitation_accept",
    "accounts:contact_confirm",
    "accounts:kit_report",
    # tests/accounts/step_links/ opens one and reports by it:
    "accounts:step_link",
    "accounts:step_link_report",
    "account_login",
    "account_logout",
    "account_change_password",
    "account_signup",
    "usersessions_list",
    # tests/accounts/test_sign_in*.py and test_second_factors.py play these with their mails, codes and keys, and reads their one event:
    "account_confirm_email",
    "account_email",
    "account_reset_password_from_key",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_generate_recovery_codes",
    "mfa_add_webauthn",
    "mfa_remove_webauthn",
    # tests/cells/protocol/ and tests/cells/agent_orders/:
    *cells.OTHER_ONE_EVENT,
    # tests/support/test_desk.py:
    *support.OTHER_ONE_EVENT,
}
OTHER_NO_EVENT = {
    **cells.OTHER_NO_EVENT,
    **support.OTHER_NO_EVENT,
    "home": "only sends on",
    "accounts:organisation_switch": "a person's own preference: where `/` leads",
    "accounts:confirmation_resend": "sends a mail once more; the confirmed address is on record",
    "accounts:invitation_sign_up": "remembers in the visitor's session that the link proved an address",
    "accounts:invitation": "only reads",
    "accounts:step_link_status": "only reads",
    "accounts:step_link_file": "only reads",
    "portal:theme": "sets a cookie of the browser",
    "portal:brand": "only reads",
    "portal:gallery": "only reads",
    "portal:healthz": "only reads",
    "offboarding:leftovers_script": "only reads",
    "issuer_jwks": "only reads",
    "issuer_discovery": "only reads",
    "account_inactive": "only reads",
    "account_email_verification_sent": "only reads",
    "account_reauthenticate": "a second proof in a session that is on record",
    "account_set_password": "everybody has a password: it only sends on",
    "account_reset_password": "sends a mail; the new password is on record",
    "account_reset_password_done": "only reads",
    "account_reset_password_from_key_done": "only reads",
    "account_confirm_login_code": "codes are switched off: it only sends on",
    "mfa_index": "only reads",
    "mfa_authenticate": "second step of signing in: the sign-in is on record",
    "mfa_reauthenticate": "a second proof in a session that is on record",
    "mfa_reauthenticate_webauthn": "a second proof in a session that is on record",
    "mfa_login_webauthn": "signing in with a passkey: the sign-in is on record",
    "mfa_view_recovery_codes": "only reads",
    "mfa_download_recovery_codes": "only reads",
    "mfa_list_webauthn": "only reads",
    "mfa_edit_webauthn": "the name a person gives a key of their own",
}


def test_every_other_url_is_in_one_table():
    assert {url.name for url in other_urls()} == OTHER_ONE_EVENT | set(OTHER_NO_EVENT)
    assert set() == OTHER_ONE_EVENT & set(OTHER_NO_EVENT)


def test_organisation_create_writes_exactly_one_event(client, alice):
    client.force_login(alice)

    client.post(reverse("accounts:organisation_create"), {"name": "Initech"})

    event = Event.objects.get()
    assert (event.action, event.organisation_id) == ("organisation.created", Organisation.objects.get(name="Initech").pk)


def test_invitation_accept_writes_exactly_one_event(client, alice, charlie, acme):
    invitation = make_invitation(organisation=acme, invited_by=alice, email=charlie.email)
    client.force_login(charlie)

    with assert_one_event(acme, action="invitation.accepted"):
        client.post(reverse("accounts:invitation_accept", args=[invitation.pk]))


def test_contact_confirm_writes_exactly_one_event(client, acme):
    make_contact(organisation=acme, token="t0")

    with assert_one_event(acme, action="contact.confirmed"):
        client.post(reverse("accounts:contact_confirm", args=["t0"]))


def test_profile_writes_exactly_one_event(client, alice):
    client.force_login(alice)

    with assert_one_event(None, action="person.profile_changed"):
        client.post(reverse("accounts:profile"), {"name": "Alice A.", "time_zone": "UTC"})


def test_own_account_writes_exactly_one_event_an_act(client, alice):
    cache.clear()
    with assert_one_event(None, action="person.signed_in"):
        client.post(reverse("account_login"), {"login": alice.email, "password": PASSWORD})
    with assert_one_event(None, action="person.password_changed"):
        words = {"oldpassword": PASSWORD, "password1": PASSPHRASE, "password2": PASSPHRASE}
        client.post(reverse("account_change_password"), words)
    other = type(client)()
    other.force_login(alice)
    other.get(reverse("accounts:profile"))
    with assert_one_event(None, action="person.sessions_ended"):
        client.post(reverse("usersessions_list"))
    with assert_one_event(None, action="person.signed_out"):
        client.post(reverse("account_logout"))
    with assert_one_event(None, action="person.signed_up"):
        client.post(reverse("account_signup"), {"name": "Dora", "email": "dora@people.example", "password1": PASSPHRASE})


def test_switch_writes_no_event(client, alice):
    make_membership(organisation=make_organisation(slug="other"), user=alice)
    client.force_login(alice)

    with assert_no_event():
        client.post(reverse("accounts:organisation_switch"), {"slug": "other"})
