"""An account whose kit cannot build the cell that is asked for is told so before anything is ordered, with the way out."""

import pytest
from django.urls import reverse

from accounts import kits
from accounts.kits.history import offers_cells, snapshot, versions
from cells.forms.instances import PlaceForm
from cells.states import CellState
from cells.transitions import subject_of_cell
from portal.operations.catalogue import failure_text
from portal.operations.driver import advance
from portal.operations.engine import start
from tests.cells.factories import make_cell, make_draft, make_plan
from tests.factories import make_cloud_account, make_kit

EARLIER = {"aws": "1.3.0", "gcp": "1.1.0", "azure": "1.1.0"}


@pytest.mark.parametrize("cloud", sorted(kits.KITS))
def test_cells_are_offered_since_the_kit_that_brought_the_agent(cloud):
    offering = [version for version in versions(cloud) if offers_cells(cloud, version)]

    assert EARLIER[cloud] not in offering
    assert kits.load(cloud).version in offering
    # By what these kits hold, and not by their numbers: a machine for the agent, or an identity that uses the cluster.
    machine = {"aws": "ec2:RunInstances", "gcp": "compute.instances.create", "azure": "Microsoft.Compute/virtualMachines/write"}[cloud]
    holding = [version for version in versions(cloud) if any(machine in key for key in snapshot(cloud, version).permissions)]
    assert set(offering) <= set(holding)


@pytest.fixture
def account(acme):
    """By cloud, with a kit of that version."""

    def make(cloud, version=""):
        made = make_cloud_account(organisation=acme, cloud=cloud, state="connected", home_region=kits.load(cloud).default_region)
        make_kit(account=made, **({"version": version} if version else {}))
        return made

    return make


def asked(account, region):
    form = PlaceForm({"account": account.pk, "region": f"{account.cloud}:{region}"}, organisation=account.organisation, plan=make_plan())
    return form, {name: [problem.code for problem in errors] for name, errors in form.errors.as_data().items()}


@pytest.mark.django_db
@pytest.mark.parametrize("cloud", sorted(kits.KITS))
def test_place_under_an_earlier_kit_is_refused_with_the_way_to_the_update(cloud, account):
    own = account(cloud, EARLIER[cloud])
    form, problems = asked(own, own.home_region)

    assert problems == {"account": ["kit_too_old"]}
    update = reverse("accounts:account_kit_update", args=[own.organisation.slug, own.pk])
    assert f'href="{update}"' in str(form["account"].errors)
    assert "Update the kit first" in str(form["account"].errors)


@pytest.mark.django_db
@pytest.mark.parametrize("cloud", sorted(kits.KITS))
def test_place_under_the_kit_of_today_is_taken(cloud, account):
    own = account(cloud)

    assert asked(own, own.home_region)[1] == {}


@pytest.mark.django_db
def test_place_where_a_cell_stands_already_is_taken_under_any_kit(account):
    own = account("azure", EARLIER["azure"])
    make_cell(account=own, region=own.home_region)

    assert asked(own, own.home_region)[1] == {}


@pytest.mark.django_db
def test_place_in_another_region_than_the_kits_is_refused_on_azure_alone(account):
    azure, aws = account("azure"), account("aws")
    form, problems = asked(azure, "northeurope")

    assert problems == {"region": ["only_where_the_kit_is"]}
    told = str(form["region"].errors)
    assert f"only where its kit was run: {azure.home_region}. Choose one of these, or run the kit for northeurope too" in told
    assert reverse("accounts:account_kit_regions", args=[azure.organisation.slug, azure.pk]) in told
    assert asked(aws, "eu-north-1")[1] == {}


@pytest.mark.django_db
def test_place_page_says_what_to_do_about_an_earlier_kit(client, alice, acme, account):
    own = account("aws", EARLIER["aws"])
    draft = make_draft(organisation=acme, created_by=alice, account=own)
    client.force_login(alice)
    page = reverse("cells:instance_new_place", args=["acme", draft.pk])

    shown = client.post(page, {"account": own.pk, "region": f"aws:{own.home_region}"}, follow=True).text

    assert reverse("accounts:account_kit_update", args=["acme", own.pk]) in shown
    assert "Update the kit first" in shown


@pytest.mark.django_db
@pytest.mark.parametrize(("cloud", "region", "code"), [
    ("aws", "", "kit_too_old"), ("azure", "", "kit_too_old"), ("azure", "northeurope", "only_where_the_kit_is"),
])  # fmt: skip
def test_cell_is_not_ordered_under_a_kit_that_cannot_build_it(cloud, region, code, account, alice):
    own = account(cloud, EARLIER[cloud] if code == "kit_too_old" else "")
    cell = make_cell(account=own, region=region or own.home_region, state=CellState.PLANNED)
    data = {"cell": str(cell.pk), "cloud": cloud, "region": cell.region}
    operation = start(kind="bootstrap_cell", subject=subject_of_cell(cell), organisation_id=own.organisation_id, by=alice, data=data)

    while advance(operation.pk):
        pass

    operation.refresh_from_db()
    assert operation.failure_code == code
    told = failure_text(code, {"cloud": "Azure", "region": "northeurope", "version": "1.1.0", "only": "westeurope", "kind": ""})
    assert str(told.act)
    cell.refresh_from_db()
    assert (cell.state, cell.stack_name) == (CellState.FAILED, "")
