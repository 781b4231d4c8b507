"""The pages about an account's trust, its words, and the rows behind them at ten thousand accounts."""

import re
import time
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts import failures_trust, kits
from accounts.issuer.addresses import issuer_url
from accounts.kits.aws import failures as aws
from accounts.models import CloudAccount, Kit, TrustChange, TrustWatch
from accounts.steps.trust_history import KEPT_FOR, tidy
from accounts.steps.watch import LOSSES, RING_BATCH, take_due
from portal.operations.catalogue import failure_text
from tests.accounts.test_failures import CLOUDS, PARAMS, codes_that_end_an_operation, params_for
from tests.activity import assert_no_event
from tests.factories import (
    make_cloud_account,
    make_disabled_account,
    make_lost_account,
    make_membership,
    make_organisation,
    make_watched_account,
)
from tests.fragments import assert_same_fragment
from tests.portal.test_admin_site import make_staff, sign_in

pytestmark = pytest.mark.django_db
CLIENT = "8f2a6c1e-1111-4222-8333-444455556666"
# Nobody's loss: the cloud's own trouble or ours.
NOBODYS = {
    "cloud_unavailable",
    "issuer_unreachable",
    "session_expired",
    "throttled",
    "token_expired",
    "unknown_cloud_error",
}
# Of connecting, of the environment: a look at the trust cannot end with them.
ELSEWHERE = {"client_id_unknown", "changes_switched_off", "duplicate_account", "environment_not_asked", "kit_expired", "kit_replaced"}


def page(client, account, name="account_trust") -> str:
    return client.get(reverse(f"accounts:{name}", args=["acme", account.pk])).content.decode()


@pytest.fixture
def member(client, bob):
    client.force_login(bob)
    return client


# --- Words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_code_of_a_cloud_is_a_loss_or_nobodys(cloud):
    """A code that nobody has thought about changes no customer's state; here somebody has to think."""
    assert codes_that_end_an_operation(cloud) - LOSSES - NOBODYS - ELSEWHERE == set()


def test_words_exist_for_every_loss_and_every_look_without_an_answer():
    assert {f"lost_{code}" for code in LOSSES} == set(failures_trust.LOST)
    assert {f"unclear_{code}" for code in {*NOBODYS, "kit_not_finished", "token_refused"}} == set(failures_trust.UNCLEAR)
    assert set(aws.TRUST) <= {*failures_trust.LOST, *failures_trust.OFF}


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("code", sorted({*failures_trust.LOST, *failures_trust.OFF, *failures_trust.UNCLEAR}))
def test_words_are_whole_sentences_in_every_part(cloud, code):
    text = failure_text(code, params_for(cloud) | {"service": "compute", "account": "operator@x"})

    for part in (text.happened, text.means, text.act):
        assert part.endswith(".")
        assert part[0].isupper() or part[0].isdigit()
        assert "%" not in part
        assert "  " not in part
        assert not re.search(r"\b(oops|simply|please|sorry|unfortunately)\b|!", part, re.IGNORECASE)
    raw = [text for table in (failures_trust.LOST, failures_trust.OFF, failures_trust.UNCLEAR) for text in table.values()]
    used = {name for text in raw for part in (text.happened, text.means, text.act) for name in re.findall(r"%\((\w+)\)s", str(part))}
    assert used <= {*PARAMS, "provider", "service", "account"}


# --- Pages -----------------------------------------------------------------------------------------------------------


def test_trust_page_of_a_trust_that_holds(member, acme):
    shown = page(member, make_watched_account(organisation=acme))

    assert "The trust holds." in shown
    assert "Nothing has changed since the account was connected." in shown
    assert "Check now" in shown
    kit = Kit.objects.select_related("account").get()
    for trusted in (issuer_url(kit), "sts.amazonaws.com", f"byoc-{kit.suffix}-operator", f"byoc-{kit.suffix}-support", kit.version):
        assert trusted in shown, trusted
    assert "Changes by the operator role: on" in shown
    assert "ParameterKey=AllowChanges,ParameterValue=no" in shown
    assert "ParameterKey=AllowSupport,ParameterValue=no" in shown
    assert "hx-trigger" not in shown.split('id="trust-panel"')[1].split(">")[0]


@pytest.mark.parametrize(("left", "words"), [(timedelta(seconds=-5), "Due now"), (timedelta(seconds=40), "Within a minute")])
def test_trust_page_says_when_the_next_look_is_at_hand(member, acme, left, words):
    account = make_watched_account(organisation=acme)
    TrustWatch.objects.update(next_at=timezone.now() + left)

    shown = page(member, account).split("Next look")[1].split("</dd>")[0]

    assert words in shown
    assert "just now" not in shown


def test_trust_page_of_a_loss_says_what_since_when_what_it_means_and_what_to_do(member, acme):
    account = make_lost_account(organisation=acme)

    shown = page(member, account)

    text = failures_trust.LOST["lost_provider_deleted"]
    for part in (text.happened, text.means, text.act):
        assert str(part) % {"cloud": "AWS", "provider": "Fernhill"} in shown
    assert "Since" in shown
    assert "2 at once" in shown
    assert "ec2:DeleteVpc" in shown
    assert "InvalidIdentityToken" in shown
    assert str(account.pk) in shown


def test_account_pages_say_that_it_needs_attention_and_lead_there(member, acme):
    account = make_lost_account(organisation=acme, name="Production")

    for shown in (page(member, account, "account_detail"), member.get("/o/acme/").content.decode()):
        assert reverse("accounts:account_trust", args=["acme", account.pk]) in shown
    assert "The identity provider of the kit was deleted in AWS." in page(member, account, "account_detail")
    assert "The trust of Production is lost" in member.get("/o/acme/").content.decode()


def test_disabled_account_is_no_outage_anywhere(member, acme):
    account = make_disabled_account(organisation=acme)

    for shown in (page(member, account), page(member, account, "account_detail"), member.get("/o/acme/accounts/").content.decode()):
        assert "Disabled by you" in shown or "AllowChanges is set to" in shown
        assert "badge-attention" not in shown
    assert "badge-neutral" in member.get("/o/acme/accounts/").content.decode()
    assert "Could not look since" in page(member, account)
    assert "You have switched off support access" in page(member, account)
    assert "Nothing waits for you." in member.get("/o/acme/").content.decode()


@pytest.mark.parametrize(
    ("cloud", "fields", "command"),
    [
        ("aws", {}, "ParameterKey=AllowChanges,ParameterValue=yes"),
        ("gcp", {"external_id": "acme-prod", "identity": {"project_number": "123456789012"}}, "--allow-changes yes"),
        ("azure", {"external_id": CLIENT, "home_region": "westeurope", "identity": {"tenant_id": CLIENT}}, "--allow-changes yes"),
    ],
)
def test_trust_page_of_what_was_switched_off_leads_to_switching_it_on(member, acme, cloud, fields, command):
    shown = page(member, make_disabled_account(organisation=acme, cloud=cloud, **fields))

    assert re.search(
        r"Disabled by you\. +(You have switched off changes|The kit&#x27;s own switch AllowChanges|The kit&#x27;s own switch allowChanges)",
        shown,
    )
    assert "<dt>What was found</dt>" not in shown  # the sentence above has said it
    assert "What broke" not in shown
    assert "Restore the trust</a>" not in shown
    first = shown.split('aria-label="Command to switch changes on again"')[1].split("</code>")[0]
    assert first.endswith(command)


def test_trust_page_of_an_older_kit_hands_out_no_script_that_would_replace_it(member, acme):
    identity = {"project_number": "123456789012"}
    account = make_disabled_account(organisation=acme, cloud="gcp", external_id="acme-prod", identity=identity)
    account.kits.update(version="1.1.0")

    assert "Command to switch" not in page(member, account)


def test_trust_page_of_a_first_look_does_not_say_that_nothing_changed(member, acme):
    account = make_watched_account(organisation=acme, verdict="doubted", code="policy_edited")

    assert "Nothing has changed since" not in page(member, account)
    assert "once a second look finds it again" in page(member, account)


def test_trust_status_brings_the_badge_and_the_history(member, acme):
    account = make_disabled_account(organisation=acme)
    TrustChange.objects.note(account, "switched_off", code="changes")

    fragment = page(member, account, "account_trust_status")

    assert 'id="account-state" hx-swap-oob="true"' in fragment
    assert "Disabled by you" in fragment.split('id="account-state"')[1]
    assert "badge-ok" in fragment.split("What has changed")[1], "from: it held"
    assert_same_fragment(page(member, account), fragment)


def test_trust_page_polls_while_an_answer_is_coming_and_not_after(member, acme):
    account = make_watched_account(organisation=acme)
    TrustWatch.objects.update(asked_at=timezone.now() + timedelta(seconds=1))

    shown = page(member, account)
    assert 'hx-trigger="every 3s"' in shown
    assert "Looking now." in shown
    assert_same_fragment(shown, page(member, account, "account_trust_status"))

    TrustWatch.objects.update(last_try_at=timezone.now() + timedelta(seconds=2))
    assert 'hx-trigger="every 3s"' not in page(member, account, "account_trust_status")


def test_check_now_asks_for_a_look(member, acme):
    account = make_watched_account(organisation=acme)

    with assert_no_event():
        response = member.post(reverse("accounts:account_trust_check", args=["acme", account.pk]))

    assert response.status_code == HTTPStatus.FOUND
    assert TrustWatch.objects.get().is_looking


def test_check_now_is_refused_for_a_draft_and_to_an_auditor(member, client, acme):
    draft = make_cloud_account(organisation=acme)
    there = reverse("accounts:account_trust_check", args=["acme", draft.pk])
    assert "Only the trust of a connected account" in member.post(there, follow=True).content.decode()
    assert not TrustWatch.objects.exists()

    client.force_login(make_membership(organisation=acme, role="auditor").user)
    assert client.post(there).status_code == HTTPStatus.FORBIDDEN


def test_trust_page_has_a_constant_number_of_queries(member, acme, django_assert_num_queries):
    account = make_lost_account(organisation=acme)
    page(member, account)
    for name in range(200):
        TrustChange.objects.create(account=account, kind="permission", was="held", now="missing", name=f"ec2:Action{name}")

    with django_assert_num_queries(7):
        page(member, account)


# --- Rows ------------------------------------------------------------------------------------------------------------


def test_tidy_forgets_what_is_old_and_watches_what_nobody_watches():
    account = make_lost_account()
    TrustChange.objects.filter(kind="permission").update(at=timezone.now() - KEPT_FOR - timedelta(days=1))
    left_out = make_cloud_account(state="connected")
    make_cloud_account(state="disconnected")

    tidy()
    tidy()

    assert list(TrustChange.objects.values_list("kind", flat=True)) == ["trust"]
    assert set(TrustWatch.objects.values_list("account", flat=True)) == {account.pk, left_out.pk}


def test_ten_thousand_accounts_cost_one_indexed_look_a_round():
    organisation = make_organisation()
    by = make_cloud_account(organisation=organisation).created_by
    accounts = [
        CloudAccount(organisation=organisation, cloud="aws", external_id=f"{200000000000 + number}", state="connected", created_by=by)
        for number in range(10_000)
    ]
    CloudAccount.objects.bulk_create(accounts)
    TrustWatch.objects.adopt()
    TrustWatch.objects.update(next_at=timezone.now() + timedelta(hours=1))
    TrustWatch.objects.filter(account__in=accounts[:300]).update(next_at=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE accounts_trustwatch")
        query, params = TrustWatch.objects.due().order_by("next_at").values("pk")[:RING_BATCH].query.sql_with_params()
        cursor.execute(f"EXPLAIN {query}", params)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "trust_watch_due" in plan, plan
    began = time.perf_counter()
    assert [len(take_due()), len(take_due()), len(take_due())] == [200, 100, 0]
    assert time.perf_counter() - began < 2


def test_adopted_accounts_are_spread_over_one_round(settings):
    for _number in range(4):
        make_cloud_account(state="connected")

    assert TrustWatch.objects.adopt() == 4

    planned = TrustWatch.objects.order_by("next_at").values_list("next_at", flat=True)
    minutes = [round((at - timezone.now()).total_seconds() / 60) for at in planned]
    assert minutes == [0, 15, 30, 45]


# --- Provider staff --------------------------------------------------------------------------------------------------


def test_staff_find_accounts_by_what_the_watch_believes_and_by_their_kit(client):
    lost, disabled = make_lost_account(), make_disabled_account()
    Kit.objects.filter(account=lost).update(version="0.9.0")
    sign_in(client, make_staff())

    def found(**query):
        response = client.get("/admin/accounts/cloudaccount/", query)
        return {row.pk for row in response.context["cl"].result_list}, response.content.decode()

    assert found(trust="lost")[0] == {lost.pk}
    assert found(trust="unclear")[0] == {disabled.pk}
    assert found(kit="aws~0.9.0")[0] == {lost.pk}
    spread = found()[1]
    assert "aws 0.9.0, outdated (1)" in spread
    assert f"aws {kits.load('aws').version}, newest (1)" in spread
    assert client.get(f"/admin/accounts/trustwatch/{lost.watch.pk}/change/").status_code == HTTPStatus.OK
    assert "provider_deleted" in client.get("/admin/accounts/trustwatch/?trust=lost").content.decode()
