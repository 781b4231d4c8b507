"""What of the fleet support access can be limited to: the customer's own cells and instances, as they stand, and nobody else's."""

import pytest

from accounts.models import CloudAccount
from accounts.support.actions.requests import ask_for_access
from accounts.support.rules import scopes
from cells.models import HostingAccount, Instance
from tests.cells.factories import make_cell, make_instance
from tests.factories import make_cloud_account, make_organisation
from tests.support.factories import make_account, make_engineer, make_wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def globex(db):
    return make_organisation(name="Globex", slug="globex")


@pytest.fixture
def cell(acme):
    account = make_account(acme, name="Main")
    return make_cell(account=account, region="eu-west-1", name="Main eu-west-1", stack_name="byoc-1a2b-cell-eu-west-1")


def of_fleet(organisation):
    return [scope for scope in scopes.choices(organisation) if scope.kind != "account"]


def test_cell_and_instance_are_found_with_place_stack_and_page(acme, cell):
    instance = make_instance(cell=cell, name="orders")

    first, second = of_fleet(acme)

    place = (cell.account_id, "eu-west-1", "byoc-1a2b-cell-eu-west-1")
    assert (first.key, first.label, first.url) == (f"cell:{cell.pk}", "Main eu-west-1", cell.get_absolute_url())
    assert (second.key, second.label, second.url) == (f"instance:{instance.pk}", "orders", instance.get_absolute_url())
    assert (first.account, first.region, first.stack) == (second.account, second.region, second.stack) == place
    assert scopes.find(acme, first.key) == first
    assert [str(scopes.kind_words(one.kind)) for one in (first, second)] == ["Deployment cell", "Instance"]


def test_narrower_than_an_account_is_its_cell_and_than_a_cell_its_instance(acme, cell):
    instance = make_instance(cell=cell)
    other = make_cell(account=make_account(acme), region="eu-north-1", stack_name="byoc-9-cell-eu-north-1")
    make_instance(cell=other)
    account, whole = (scopes.find(acme, key) for key in (f"account:{cell.account_id}", f"cell:{cell.pk}"))

    assert [one.id for one in scopes.narrower(acme, account)] == [str(cell.pk), str(instance.pk)]
    assert [one.id for one in scopes.narrower(acme, whole)] == [str(instance.pk)]


def test_strangers_cell_and_instance_are_not_offered(acme, globex, cell):
    instance = make_instance(cell=cell)

    assert of_fleet(globex) == []
    assert scopes.find(globex, f"cell:{cell.pk}") is None
    assert scopes.find(globex, f"instance:{instance.pk}") is None


def test_what_is_gone_or_not_there_yet_is_not_offered(acme, cell):
    make_instance(cell=cell, state="deleted")
    make_instance(cell=cell, state="waiting_for_cell")
    gone = make_cell(account=cell.account, region="eu-north-1", state="deleted", stack_name="byoc-1a2b-cell-eu-north-1")
    make_instance(cell=gone)
    planned = make_cell(account=cell.account, region="eu-south-1", state="planned")
    make_instance(cell=planned)

    assert [one.id for one in of_fleet(acme)] == [str(cell.pk)]


@pytest.mark.parametrize("state", ["disconnected", "offboarding", "ready_to_offboard", "offboarded"])
def test_nothing_is_offered_in_an_account_that_leaves(state, acme, cell):
    make_instance(cell=cell)
    CloudAccount.objects.filter(pk=cell.account_id).update(state=state)

    assert scopes.choices(acme) == []


def test_what_the_provider_hosts_has_no_scope_for_anybody(acme, globex):
    account = make_cloud_account(organisation=globex, state="connected")
    HostingAccount.objects.create(account=account, hosting="platform")
    shared = make_cell(account=account, stack_name="byoc-5-cell-eu-west-1")
    hosted = make_instance(organisation=acme, cell=shared)
    Instance.objects.filter(pk=hosted.pk).update(account=None)
    make_instance(organisation=globex, cell=shared)

    assert of_fleet(acme) == []
    assert of_fleet(globex) == []
    assert scopes.choices(globex) == []  # nor the whole account, with everybody's instances in it
    assert scopes.find(globex, f"account:{account.pk}") is None


def test_request_keeps_the_cells_stack(acme, cell):
    scope = scopes.find(acme, f"cell:{cell.pk}")

    request = ask_for_access(organisation=acme, wish=make_wish(scope), by=make_engineer())

    assert (request.scope_kind, request.scope_id, request.region, request.stack) == ("cell", str(cell.pk), "eu-west-1", cell.stack_name)


@pytest.mark.parametrize("number", [1, 3])
def test_choices_ask_the_database_the_same_at_any_size(number, acme, cell, django_assert_num_queries):
    for _ in range(number):
        make_instance(cell=cell)

    with django_assert_num_queries(3):
        assert len(scopes.choices(acme)) == number + 2


def test_choices_are_bounded_and_words_find_the_rest(acme, cell):
    for name in ("alpha", "beta", "gamma"):
        make_instance(cell=cell, name=name)

    some = scopes.choices(acme, kinds={"instance"}, most=2)
    assert ([one.label for one in some], some.is_cut) == (["alpha", "beta"], True)
    found = scopes.choices(acme, kinds={"instance"}, words="  GAMM", most=2)
    assert ([one.label for one in found], found.is_cut) == (["gamma"], False)
    assert scopes.choices(acme, kinds={"instance"}, words="eu-north") == []


def test_one_that_is_not_in_the_list_can_be_chosen_by_its_key(acme, globex, cell):
    last = make_instance(cell=cell, name="zulu")
    make_instance(cell=cell, name="alpha")
    some = scopes.choices(acme, kinds={"instance"}, most=1)
    key = f"instance:{last.pk}"

    assert key not in {one.key for one in some}
    assert some.with_key(acme, key)[key].label == "zulu"
    assert key not in some.with_key(globex, key)


@pytest.mark.parametrize("number", [1, 5])
def test_one_is_looked_up_directly(number, acme, cell, django_assert_num_queries):
    last = [make_instance(cell=cell) for _ in range(number)][-1]

    with django_assert_num_queries(1):
        assert scopes.find(acme, f"instance:{last.pk}").label == last.name
    for key in ("instance:no-id", "cell:", "nothing:1", "", f"cell:{last.pk}"):
        assert scopes.find(acme, key) is None
