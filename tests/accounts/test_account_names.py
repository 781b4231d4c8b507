"""A name means one account of an organisation: what is typed to end the access to it proves something."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection
from django.urls import reverse

from accounts.actions.accounts import rename_account
from accounts.actions.connect import save_identity
from accounts.actions.preparations import accept_terms, prepare_connection
from accounts.models import CloudAccount
from accounts.models.cloud_accounts import Cloud
from accounts.states import AccountState
from accounts.terms import terms_of
from portal.operations.availability import NotAllowed
from tests.activity import assert_no_event
from tests.factories import answers_to_terms, make_cloud_account, make_prepared_account, make_user
from tests.portal.test_admin_site import make_staff, sign_in

pytestmark = pytest.mark.django_db
NUMBER, OTHER = "111122223333", "444455556666"
TAKEN = f"Your organisation has an account named “Production” already ({NUMBER}). Give this one another name."


@pytest.fixture
def production(acme):
    return make_cloud_account(organisation=acme, name="Production", external_id=NUMBER, state=AccountState.CONNECTED)


def url(name, account):
    return reverse(f"accounts:{name}", args=["acme", account.pk])


def test_account_name_once_in_an_organisation_whatever_its_case(acme, production):
    make_cloud_account(name="Production")
    make_cloud_account(organisation=acme, name="production", state=AccountState.OFFBOARDED)
    make_cloud_account(organisation=acme, name="", external_id="")
    make_cloud_account(organisation=acme, name="", external_id="")

    with pytest.raises(IntegrityError, match="cloud_account_name_once_per_organisation"):
        make_cloud_account(organisation=acme, name="PRODUCTION")


def test_account_name_taken_is_said_at_the_field_of_every_form(client, acme, alice, production):
    draft = make_cloud_account(organisation=acme, name="Draft", external_id="", wizard_step="account")
    prepared = make_prepared_account(acme, alice)
    client.force_login(alice)

    with assert_no_event():
        wizard = client.post(url("connect_account", draft), {"name": " production ", "external_id": OTHER}, follow=True)
        renamed = client.post(url("account_rename", draft), {"name": "PRODUCTION"}, follow=True)
        accepted = client.post(url("connect_terms", prepared), answers_to_terms(prepared, name="Production"), follow=True)

    for response in (wizard, renamed, accepted):
        assert response.context["form"].errors["name"] == [TAKEN]
    assert sorted(CloudAccount.objects.values_list("name", flat=True)) == ["Draft", "Prepared", "Production"]


def test_account_name_taken_is_said_to_staff_who_prepare(client, acme, production):
    sign_in(client, make_staff())
    page = reverse("admin:accounts_organisation_start_connection", args=[acme.pk])

    response = client.post(f"{page}?cloud=aws", {"name": "Production", "external_id": OTHER, "region": "eu-west-1"})

    told = "The customer has an account of this name already. Give this one another name."
    assert response.context["form"].errors["name"] == [told]


def test_account_keeps_its_own_name_and_may_change_its_case(client, acme, alice, production):
    client.force_login(alice)

    client.post(url("account_rename", production), {"name": "PRODUCTION"})

    assert CloudAccount.objects.get().name == "PRODUCTION"


def test_account_name_taken_in_between_is_refused_in_words(acme, alice, production):
    """The form found the name free; a colleague was quicker."""
    draft = make_cloud_account(organisation=acme, name="Draft", external_id=OTHER)
    prepared = make_prepared_account(acme, alice)
    account = {"name": "production", "identity": {}}
    staff = make_user(is_staff=True)
    acts = (
        lambda: rename_account(draft, name="production", by=alice),
        lambda: save_identity(draft, external_id=OTHER, by=alice, **account),
        lambda: prepare_connection(
            organisation=acme, cloud=Cloud.AWS, external_id="777788889999", region="eu-west-1", note="", by=staff, **account
        ),
        lambda: accept_terms(
            prepared,
            terms_hash=terms_of("aws").sha256,
            external_id=prepared.external_id,
            region=prepared.home_region,
            by=alice,
            **account,
        ),
    )

    with assert_no_event():
        for act in acts:
            with pytest.raises(NotAllowed) as refused:
                act()
            assert refused.value.reason == TAKEN


def test_migration_numbers_the_doubles_the_oldest_keeps_its_name(acme, alice):
    numbered = import_module("accounts.migrations.0010_account_names_numbered")
    once = next(one for one in CloudAccount._meta.constraints if one.name == "cloud_account_name_once_per_organisation")
    with connection.schema_editor() as editor:
        editor.remove_constraint(CloudAccount, once)
    long = "x" * 80
    names = ["Production", "production", "Staging", "Production (2)", "PRODUCTION", "", "", long, long]
    made = [make_cloud_account(organisation=acme, created_by=alice, name=name) for name in names]
    elsewhere = make_cloud_account(name="Production")
    gone = make_cloud_account(organisation=acme, name="Production", state=AccountState.OFFBOARDED)

    numbered.number_doubles(apps, None)

    connection.check_constraints()  # the index waits for no trigger of this test's own rows
    with connection.schema_editor() as editor:
        editor.add_constraint(CloudAccount, once)
    found = dict(CloudAccount.objects.values_list("pk", "name"))
    expected = ["Production", "production (3)", "Staging", "Production (2)", "PRODUCTION (4)", "", "", long, "x" * 76 + " (2)"]
    assert [found[account.pk] for account in made] == expected
    assert (found[elsewhere.pk], found[gone.pk]) == ("Production", "Production")
