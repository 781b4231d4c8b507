"""What support can ask of a cell's agent, and what is refused when it is asked."""

import pytest

from accounts.support.brokering import broker
from accounts.support.models import AccessRequest, Act
from accounts.support.rules.acts import BadArgument
from cells.models import Cell, CellStatus, Instance
from portal.audit.models import Event
from portal.operations.availability import NotAllowed
from tests.cells.factories import make_instance, make_plan
from tests.cells.orders import ask, make_grant, make_ready_cell
from tests.cells.spoken import a_report, speaker

pytestmark = pytest.mark.django_db


def test_what_can_be_asked_grows_with_the_profile(instance):
    by_profile = {}
    for profile in ("diagnose", "logs", "operate", "repair"):
        grant = make_grant(instance, profile=profile)
        by_profile[profile] = {kind.name for kind in broker.offered(grant) if kind.via == "agent"}

    diagnose = {"rollout_status", "list_instance_events"}
    assert by_profile["diagnose"] == diagnose
    assert by_profile["logs"] == diagnose | {"tail_log"}
    assert by_profile["operate"] == diagnose | {"tail_log", "restart", "scale"}
    assert by_profile["repair"] == diagnose | {"tail_log", "restart", "scale", "rollback", "resync"}


def test_every_argument_of_every_act_has_words_of_its_own(cell, instance):
    asked = {argument.name: argument.words for kind in broker.offered(make_grant(cell)) for argument in kind.arguments}

    assert asked == {"instance": "Instance", "lines": "Number of lines", "size": "Size of its plan"}


def test_grant_on_a_cell_names_the_instance_and_no_stranger(cell, instance):
    other = make_instance(cell=make_ready_cell(cell.organisation, region="eu-north-1"), name="elsewhere")
    grant = make_grant(cell, profile="operate")

    order = ask(grant, "restart", instance="orders").agent_order
    assert (order.instance, order.cell) == (instance, cell)
    with pytest.raises(BadArgument):
        ask(grant, "restart", instance=other.name)
    with pytest.raises(BadArgument):
        ask(grant, "restart")


def test_act_that_the_approved_text_does_not_name_is_refused(instance):
    """A grant of before there was such an act."""
    grant = make_grant(instance, profile="operate")
    AccessRequest.objects.filter(pk=grant.pk).update(document=grant.document.replace('"restart",', ""))
    grant.refresh_from_db()

    assert "restart" not in {kind.name for kind in broker.offered(grant)}


@pytest.mark.parametrize("why", ["state", "switched off", "too old", "same size", "nothing before", "two at once", "other plan"])
def test_change_that_cannot_be_is_refused_when_it_is_asked(why, instance, cell):
    grant = make_grant(instance, profile="repair")
    act, arguments = "restart", {}
    if why == "state":
        Instance.objects.filter(pk=instance.pk).update(state="stopped")
    elif why == "switched off":
        Cell.objects.filter(pk=cell.pk).update(is_agent_disabled=True)
    elif why == "too old":
        agent = speaker(cell)
        assert agent.report(a_report(1)).status_code == 200
        assert CellStatus.objects.get(pk=cell.pk).agent_version == "1.0.0"
    elif why == "same size":
        act, arguments = "scale", {"size": instance.plan.sizes.get().name}
    elif why == "nothing before":
        act = "rollback"
    elif why == "two at once":
        ask(grant, "restart")
    else:
        make_plan(size={"code": "huge", "name": "Huge"})
        act, arguments = "scale", {"size": "Huge"}
    before = Act.objects.count(), Event.objects.count()

    with pytest.raises((NotAllowed, BadArgument)):
        ask(grant, act, **arguments)

    assert (Act.objects.count(), Event.objects.count()) == before
