"""What the wizard's forms refuse, in which words, and that Back, Reload and a bare address always find a page."""

import pytest
from django.urls import reverse

from accounts import kits
from accounts.actions.connect import issue_kit, report_kit_itself
from accounts.kits.base import Report
from accounts.models import CloudAccount, TrustCheck
from accounts.states import AccountState
from accounts.steps.connect import not_run
from portal.operations.catalogue import wait_text
from portal.operations.models import Operation
from tests.clouds.azure.account import SUBSCRIPTION, TENANT
from tests.factories import make_cloud_account, make_contact, make_kit

pytestmark = pytest.mark.django_db
CLIENT, SUPPORT = "605aaa51-8c1a-4699-a3ba-9ada7b28db45", "705aaa51-8c1a-4699-a3ba-9ada7b28db46"
BLANK = {
    "aws": {"external_id": "Enter the 12 digits of the AWS account number. You find them in the AWS console, top right."},
    "gcp": {
        "external_id": "Enter the project id: 6 to 30 lower-case letters, digits and dashes. You find it in the console, top left.",
        "project_number": "Enter the project number: digits only. You find it in the console, on the project's dashboard.",
    },
    "azure": {
        "external_id": "Enter the ID of the subscription, not its name. You find it in the Azure portal under Subscriptions.",
        "tenant_id": "Enter the ID of the tenant, not its domain. You find it in the Azure portal under Microsoft Entra ID.",
    },
}


@pytest.fixture
def owner(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def azure(acme, alice):
    account = make_cloud_account(organisation=acme, cloud="azure", external_id=SUBSCRIPTION, identity={"tenant_id": TENANT})
    issue_kit(account, after_generation=0, by=alice)
    account.refresh_from_db()
    return account


def page(account, step):
    return reverse(f"accounts:connect_{step}", args=[account.organisation.slug, account.pk])


def errors_of(owner, account, **sent):
    """By field, as the page after the redirect shows them."""
    draft = CloudAccount.objects.get(pk=account.pk)
    shown = owner.post(page(draft, "account"), {"name": "Data", **sent}, follow=True)
    return {name: list(found) for name, found in shown.context["form"].errors.items()}


def draft_of(acme, cloud):
    return make_cloud_account(organisation=acme, cloud=cloud, external_id="", name="", wizard_step="account")


@pytest.mark.parametrize("cloud", BLANK)
def test_connect_account_left_empty_says_what_is_wanted(owner, acme, cloud):
    found = errors_of(owner, draft_of(acme, cloud), name="")

    wanted = {"name": "Enter the name that your team uses for this account.", **BLANK[cloud]}
    assert found == {name: [sentence] for name, sentence in wanted.items()}


@pytest.mark.parametrize("digits", [1, 30, 64, 90])
def test_connect_account_number_of_another_length_is_counted(owner, acme, digits):
    found = errors_of(owner, draft_of(acme, "aws"), external_id="1" * digits)

    assert found == {"external_id": [f"An AWS account number has 12 digits. You entered {digits}."]}


def test_connect_account_of_google_tells_number_and_id_apart(owner, acme):
    found = errors_of(owner, draft_of(acme, "gcp"), external_id="123456789012", project_number="1" * 30)

    assert found == {
        "external_id": ["This looks like the project number. Enter the project id here: it starts with a letter."],
        "project_number": ["A project number has at most 19 digits. You entered 30."],
    }


def test_connect_account_of_azure_refuses_one_id_for_both(owner, acme):
    found = errors_of(owner, draft_of(acme, "azure"), external_id=TENANT, tenant_id=TENANT.upper())

    assert found == {"tenant_id": ["You entered the same value as “Subscription ID”. Enter the value of “Tenant ID” here."]}


# --- A refused form, once, by an address of its own ---


def test_connect_form_refused_is_shown_once_and_then_as_it_is_saved(owner, acme):
    account = draft_of(acme, "aws")
    owner.post(page(account, "account"), {"name": "Typed", "external_id": "12"})

    first, second = owner.get(page(account, "account")), owner.get(page(account, "account"))

    assert 'value="Typed"' in first.text
    assert first.context["form"].errors
    assert 'value="Typed"' not in second.text
    assert not second.context["form"].is_bound


def test_connect_form_refused_is_not_shown_by_another_page(owner, acme):
    account, other = draft_of(acme, "aws"), draft_of(acme, "aws")
    owner.post(page(account, "account"), {"name": "Typed", "external_id": "12"})

    assert not owner.get(page(other, "account")).context["form"].is_bound


@pytest.mark.parametrize(("step", "sent"), [("account", {}), ("place", {"region": "nowhere"})])
def test_connect_form_refused_answers_with_a_redirect(owner, acme, step, sent):
    account = make_cloud_account(organisation=acme, wizard_step="place")

    answer = owner.post(page(account, step), sent)

    assert (answer.status_code, answer.headers["Location"]) == (302, page(account, step))
    assert "Error:" in owner.get(page(account, step)).text


def test_connect_start_without_a_cloud_answers_with_a_redirect(owner, acme):
    shown = owner.post(reverse("accounts:connect_start", args=[acme.slug]), follow=True)

    assert shown.redirect_chain
    assert "Choose a cloud." in shown.text


@pytest.mark.parametrize("state", [AccountState.DRAFT, AccountState.WAITING_FOR_KIT, AccountState.FAILED, AccountState.CONNECTED])
def test_connect_report_opened_by_itself_leads_to_where_the_account_is(owner, acme, state):
    account = make_cloud_account(organisation=acme, state=state)
    make_kit(account=account)

    assert owner.get(page(account, "report")).headers["Location"] == page(account, "waiting")
    assert owner.get(page(account, "report"), follow=True).status_code == 200


def test_account_kit_report_opened_by_itself_leads_to_its_waiting_page(owner, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.CONNECTED)
    url = reverse("accounts:account_kit_report", args=[acme.slug, account.pk])

    assert owner.get(url).headers["Location"] == reverse("accounts:account_kit_waiting", args=[acme.slug, account.pk])


# --- What is pasted for a kit ---


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        (CLIENT, "this names only one. Paste both"),
        (f'{{"client_id": "{CLIENT}"}}', "this names only one. Paste both"),
        (f"{CLIENT} {CLIENT}", f"Both client IDs are {CLIENT}."),
        (f"{SUBSCRIPTION} {SUPPORT}", f"{SUBSCRIPTION} is the ID of your subscription."),
        (f"{CLIENT} {SUBSCRIPTION.upper()}", f"{SUBSCRIPTION} is the ID of your subscription."),
        (f"{TENANT} {SUPPORT}", f"{TENANT} is the ID of your tenant."),
    ],
)
def test_connect_report_of_azure_refuses_what_cannot_be_two_client_ids(owner, azure, pasted, says):
    shown = owner.post(page(azure, "report"), {"evidence": pasted}, follow=True)

    assert shown.redirect_chain == [(page(azure, "waiting"), 302)]
    assert says in shown.context["report"].errors["evidence"][0]
    assert azure.kits.get().reported == {}


def test_connect_report_of_azure_takes_two_client_ids(owner, azure):
    owner.post(page(azure, "report"), {"evidence": f"{CLIENT}\n{SUPPORT}"})

    assert azure.kits.get().reported["client_id"] == CLIENT


def test_connect_report_of_google_with_another_number_says_whose_is_which(owner, acme, alice):
    account = make_cloud_account(
        organisation=acme, cloud="gcp", external_id="acme-data-prod", identity={"project_number": "123456789013"}, home_region="us-central1"
    )
    issue_kit(account, after_generation=0, by=alice)
    pool = f"projects/123456789012/locations/global/workloadIdentityPools/byoc-{account.kits.get().suffix}"

    shown = owner.post(page(account, "report"), {"evidence": pool}, follow=True)

    (said,) = shown.context["report"].errors["evidence"]
    assert "This names project number 123456789012. You entered 123456789013 as the number of project acme-data-prod." in said


# --- Back to the first page ---


def test_connect_every_step_of_a_draft_has_a_way_back(owner, acme):
    account = make_cloud_account(organisation=acme, wizard_step="preflight")
    start = f"{reverse('accounts:connect_start', args=[acme.slug])}?draft={account.pk}"
    back = {"account": start, **{step: page(account, before) for step, before in (("place", "account"), ("review", "place"))}}

    assert {step: owner.get(page(account, step)).context["back_url"] for step in back} == back


def test_connect_start_of_a_draft_keeps_the_answers_of_the_same_cloud(owner, acme):
    account = make_cloud_account(organisation=acme, external_id="111122223333", wizard_step="review")
    start = owner.get(page(account, "account")).context["back_url"]

    assert owner.get(start).context["form"].initial["cloud"] == "aws"
    owner.post(start, {"cloud": "aws"})

    account = CloudAccount.objects.get()
    assert (account.external_id, account.wizard_step) == ("111122223333", "review")


def test_connect_start_of_a_draft_with_another_cloud_asks_again(owner, acme):
    account = make_cloud_account(organisation=acme, external_id="111122223333", name="Production", wizard_step="review")

    answer = owner.post(owner.get(page(account, "account")).context["back_url"], {"cloud": "gcp"})

    account = CloudAccount.objects.get()
    assert answer.headers["Location"] == page(account, "account")
    assert (account.cloud, account.external_id, account.home_region, account.wizard_step) == ("gcp", "", "", "account")
    assert account.name == "Production"


def test_connect_start_of_what_is_no_draft_begins_a_new_one(owner, acme):
    waiting = make_cloud_account(organisation=acme, state=AccountState.WAITING_FOR_KIT)

    owner.post(f"{reverse('accounts:connect_start', args=[acme.slug])}?draft={waiting.pk}", {"cloud": "gcp"})

    waiting.refresh_from_db()
    assert waiting.cloud == "aws"
    assert CloudAccount.objects.count() == 2


# --- The kit, in the version that would really be run ---


def waiting_with(acme, alice, cloud="aws", **identity):
    account = make_cloud_account(organisation=acme, cloud=cloud, external_id=identity.pop("external_id", "111122223333"), identity=identity)
    issue_kit(account, after_generation=0, by=alice)
    account.refresh_from_db()
    return account


def test_connect_run_of_a_kit_that_was_overtaken_offers_to_make_it_again(owner, acme, alice):
    account = waiting_with(acme, alice)
    account.kits.update(version="0.9.0")

    shown = owner.get(page(account, "run")).text

    newest = kits.load("aws").version
    assert f"Version {newest} has been shipped since" in shown
    assert "This kit was made as version 0.9.0" in shown
    assert "Launch stack in AWS" not in shown
    again = owner.post(page(account, "run_again"), {"generation": "1"}, follow=True).text
    assert f"Version {newest} has been shipped since" not in again
    assert "Launch stack in AWS" in again


def test_connect_run_of_azure_says_of_what_each_hash_is(owner, azure):
    shown = owner.get(page(azure, "run")).text.partition("This kit</h2>")[2]

    for document in kits.load("azure").documents:
        assert shown.count(document.sha256) == 1
        assert f"<dt>{document.title}</dt>" in shown


@pytest.mark.parametrize(
    ("via", "says", "never"),
    [
        ("shell", "The kit tells this portal what it made.", "nothing tells this portal"),
        ("portal", "On this way nothing tells this portal what the kit made", "The kit tells this portal"),
    ],
)
def test_connect_run_of_azure_says_once_who_tells(owner, azure, via, says, never):
    shown = owner.get(page(azure, "run"), {"via": via}).text

    assert says in shown
    assert never not in shown


# --- The waiting page speaks with one voice ---


def test_connect_waiting_names_one_act_and_what_is_done(owner, acme, alice):
    account = waiting_with(acme, alice)
    make_contact(organisation=acme)
    Operation.objects.update(state="waiting", waiting_on="you", waiting_why="kit_not_run")

    shown = owner.get(page(account, "waiting")).text

    assert shown.count("button-primary") == 1
    assert ">Open the kit</a>" in shown
    for gone in ("Do my part", "Show the kit again", "Cancel operation"):
        assert gone not in shown
    assert shown.count("Stop connecting") == 1
    assert "Done already" in shown


def test_connect_waiting_without_a_contact_leaves_the_step_open(owner, acme, alice):
    account = waiting_with(acme, alice)

    assert "Done already" not in owner.get(page(account, "waiting")).text


def test_connect_done_begins_with_the_next_act_and_folds_the_raw_words(owner, acme):
    account = make_cloud_account(organisation=acme, state=AccountState.CONNECTED)
    make_kit(account=account)
    TrustCheck.objects.create(account=account, kind=TrustCheck.Kind.REFUSAL, name="wrong_subject", is_ok=True, detail="AccessDenied: raw")

    shown = owner.get(page(account, "done")).text

    assert shown.index("Open the account") < shown.index("<details>") < shown.index("AccessDenied: raw")


def test_connect_review_folds_what_is_long(owner, acme):
    account = make_cloud_account(organisation=acme, wizard_step="review")

    shown = owner.get(page(account, "review")).text

    folded = shown.partition("What the kit creates</h2>")[2]
    assert folded.index("<details>") < folded.index("<table")


def test_account_list_lets_a_draft_be_discarded(owner, acme):
    draft = make_cloud_account(organisation=acme, name="Draft")
    connected = make_cloud_account(organisation=acme, state=AccountState.CONNECTED, name="Up", external_id="999900001111")

    shown = owner.get(reverse("accounts:account_list", args=[acme.slug])).text

    assert f'href="{page(draft, "discard")}"' in shown
    assert page(connected, "discard") not in shown


@pytest.mark.parametrize("told", ["123456789012", ""])
def test_connect_google_says_which_number_the_kit_found(owner, acme, alice, told):
    account = waiting_with(acme, alice, "gcp", external_id="acme-data-prod", project_number="123456789013")
    kit = account.kits.get()
    report_kit_itself(kit, report=Report({"project_number": told}))

    waits = not_run(account, account.kits.get(), 1)

    words = wait_text(waits.why, {"variant": "gcp", "kind": "Google Cloud project", **waits.params})
    wanted = "The kit stopped: project acme-data-prod has number 123456789012. You entered 123456789013. Nothing was made."
    assert (words.sentence == wanted) == bool(told)


def test_draft_changed_in_another_tab_is_said_before_it_is_replaced(owner, acme):
    draft = draft_of(acme, "aws")
    seen = owner.get(page(draft, "account")).context["account"].answers_mark
    mine = {"name": "Mine", "external_id": "111122223333"}
    owner.post(page(draft, "account"), mine | {"name": "Theirs", "seen": seen})

    shown = owner.post(page(draft, "account"), mine | {"seen": seen}, follow=True)

    assert "Somebody changed this draft after you opened the page." in shown.content.decode()
    assert 'value="Mine"' in shown.content.decode()
    assert CloudAccount.objects.get().name == "Theirs"
    owner.post(page(draft, "account"), mine | {"seen": shown.context["account"].answers_mark})
    assert CloudAccount.objects.get().name == "Mine"


def test_place_of_a_draft_changed_in_another_tab_is_not_replaced_unseen(owner, acme):
    draft = make_cloud_account(organisation=acme, wizard_step="place")
    seen = draft.answers_mark
    owner.post(page(draft, "place"), {"region": "eu-west-1", "seen": seen})

    shown = owner.post(page(draft, "place"), {"region": "us-west-2", "seen": seen}, follow=True)

    assert "Somebody changed this draft" in shown.content.decode()
    assert CloudAccount.objects.get().home_region == "eu-west-1"


@pytest.mark.parametrize("step", ["account", "place"])
def test_continue_after_the_kit_was_made_says_that_nothing_was_saved(owner, acme, alice, step):
    account = make_cloud_account(organisation=acme)
    issue_kit(account, after_generation=0, by=alice)

    shown = owner.post(page(account, step), {"name": "Other", "external_id": "111122223333", "region": "eu-west-1"}, follow=True)

    assert "What you entered was not saved. The kit is already made" in shown.content.decode()
