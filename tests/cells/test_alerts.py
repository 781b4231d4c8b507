"""Contacts hear of a silence or an illness once, of its end once, and nothing to and fro."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.mail import send_due_mails
from cells.models import Alarm, Cell, CellStatus, Instance, StatusChange, SweepRound
from cells.states import CellState, Health, InstanceState
from cells.tasks import sweep_agents
from portal.audit.models import Event
from tests.cells.factories import make_instance
from tests.cells.test_sweep import heard
from tests.factories import make_cloud_account, make_contact

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(acme, mailoutbox):
    make_contact(organisation=acme, email="night@acme.example", confirmed_at=timezone.now())
    make_contact(organisation=acme, email="unconfirmed@acme.example")
    make_contact(organisation=acme, email="books@acme.example", purpose="billing", confirmed_at=timezone.now())
    return make_cloud_account(organisation=acme, state="connected")


@pytest.fixture
def pass_time(time_machine):
    """Time goes by with a round of the sweep every 15 seconds; `hears` are cells that report all along."""
    now = timezone.now()
    time_machine.move_to(now, tick=False)
    SweepRound.objects.create(looked_at=now, listening_since=now - timedelta(hours=1))
    clock = [now]

    def go(seconds, *hears):
        for _ in range(0, seconds, 15):
            clock[0] += timedelta(seconds=15)
            time_machine.move_to(clock[0], tick=False)
            CellStatus.objects.filter(cell__in=hears).update(seen_at=clock[0])
            sweep_agents()

    return go


def mails(mailoutbox):
    send_due_mails()
    found = [(message.to[0], message.subject) for message in mailoutbox]
    mailoutbox.clear()
    return found


def events():
    return list(Event.objects.order_by("sequence").values_list("action", flat=True))


def test_silent_cell_is_told_once_and_its_return_once(account, pass_time, mailoutbox):
    cell = heard(timedelta(0), account=account, name="orders cell")
    pass_time(600)
    assert (mails(mailoutbox), events()) == ([], [])

    pass_time(3600)
    assert mails(mailoutbox) == [("night@acme.example", "No word from the deployment cell orders cell")]
    assert events() == ["cell.offline"]

    pass_time(270, cell)
    assert mails(mailoutbox) == []
    pass_time(120, cell)
    assert mails(mailoutbox) == [("night@acme.example", "The deployment cell orders cell is heard again")]
    pass_time(3600, cell)
    assert (mails(mailoutbox), events()) == ([], ["cell.offline", "cell.recovered"])


def test_mail_says_since_when_and_what_goes_on(account, pass_time, mailoutbox):
    cell = heard(timedelta(0), account=account)
    since = CellStatus.objects.get().seen_at
    pass_time(660)

    send_due_mails()
    text = mailoutbox[0].body
    assert f"{since:%-d %b %Y, %H:%M} UTC" in text
    assert "What runs in the cell goes on by itself." in text
    assert f"http://localhost:8000/o/acme/cells/{cell.pk}/" in text


def test_short_silences_and_short_returns_are_not_told(account, pass_time, mailoutbox):
    cell = heard(timedelta(0), account=account)
    for _ in range(5):
        pass_time(480)
        pass_time(60, cell)
    assert mails(mailoutbox) == []
    # Each silence is in the past of the page all the same.
    assert StatusChange.objects.filter(cell=cell, value="offline").count() == 5

    pass_time(660)
    assert len(mails(mailoutbox)) == 1
    for _ in range(5):
        pass_time(120, cell)
        pass_time(900)
    assert mails(mailoutbox) == []


def test_after_a_return_it_is_quiet_for_half_an_hour(account, pass_time, mailoutbox):
    cell = heard(timedelta(0), account=account)
    pass_time(660)
    pass_time(420, cell)
    assert len(mails(mailoutbox)) == 2

    pass_time(1200)
    assert mails(mailoutbox) == []
    pass_time(900)
    assert len(mails(mailoutbox)) == 1


def test_agent_that_the_customer_disabled_is_no_outage(account, pass_time, mailoutbox):
    heard(timedelta(0), account=account, is_agent_disabled=True)
    pass_time(1200)
    assert (mails(mailoutbox), events()) == ([], [])


def test_agent_disabled_during_an_outage_ends_it_without_a_word(account, pass_time, mailoutbox):
    cell = heard(timedelta(0), account=account)
    pass_time(660)
    assert len(mails(mailoutbox)) == 1
    Cell.objects.filter(pk=cell.pk).update(is_agent_disabled=True)
    pass_time(600, cell)

    assert mails(mailoutbox) == []
    assert Alarm.objects.get().ended_at is not None


@pytest.mark.parametrize("state", [CellState.BOOTSTRAPPING, CellState.DELETING])
def test_cell_that_comes_or_goes_is_no_outage(account, pass_time, mailoutbox, state):
    heard(timedelta(0), account=account, state=state)
    pass_time(1200)
    assert mails(mailoutbox) == []


def test_after_a_standstill_of_ours_silence_counts_anew(account, pass_time, mailoutbox):
    heard(timedelta(hours=3), account=account)
    SweepRound.objects.update(looked_at=timezone.now() - timedelta(hours=2))
    pass_time(600)
    assert mails(mailoutbox) == []
    pass_time(60)
    assert len(mails(mailoutbox)) == 1


def test_unhealthy_instance_is_told_once_and_its_recovery_once(account, pass_time, mailoutbox):
    cell = heard(timedelta(0), account=account)
    instance = make_instance(cell=cell, name="orders", health=Health.UNHEALTHY, health_at=timezone.now())
    pass_time(300, cell)
    assert mails(mailoutbox) == []
    pass_time(900, cell)
    assert mails(mailoutbox) == [("night@acme.example", "The instance orders is unhealthy")]

    Instance.objects.filter(pk=instance.pk).update(health=Health.HEALTHY, health_at=timezone.now())
    pass_time(300, cell)
    assert mails(mailoutbox) == []
    pass_time(60, cell)
    assert mails(mailoutbox) == [("night@acme.example", "The instance orders is well again")]
    assert events() == ["instance.unhealthy", "instance.recovered"]


def test_health_of_a_silent_cell_is_not_believed(account, pass_time, mailoutbox):
    cell = heard(timedelta(0), account=account, name="orders cell")
    make_instance(cell=cell, health=Health.UNHEALTHY, health_at=timezone.now())
    pass_time(1200)
    assert [subject for _, subject in mails(mailoutbox)] == ["No word from the deployment cell orders cell"]


def test_instance_that_is_stopped_on_purpose_is_no_outage(account, pass_time, mailoutbox):
    cell = heard(timedelta(0), account=account)
    instance = make_instance(cell=cell, health=Health.UNHEALTHY, health_at=timezone.now())
    pass_time(330, cell)
    assert len(mails(mailoutbox)) == 1
    Instance.objects.filter(pk=instance.pk).update(state=InstanceState.STOPPED)
    pass_time(900, cell)
    assert (mails(mailoutbox), Alarm.objects.filter(ended_at=None).count()) == ([], 0)


def test_other_customers_contacts_hear_nothing(account, charlie, pass_time, mailoutbox):
    make_contact(organisation=charlie.memberships.get().organisation, email="night@globex.example", confirmed_at=timezone.now())
    heard(timedelta(0), account=account)
    pass_time(660)
    assert [address for address, _ in mails(mailoutbox)] == ["night@acme.example"]


def test_status_that_cannot_be_read_silences_no_alarm(account, pass_time, mailoutbox):
    """Python knows no such year: whoever reads that column fails."""
    poisoned = heard(timedelta(0), account=account, name="poisoned cell")
    heard(timedelta(0), account=account, region="us-east-1", name="orders cell")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cells_cellstatus SET reported_at = '0044-03-15 BC' WHERE cell_id = %s", [poisoned.pk])

    pass_time(615)

    assert sorted(mails(mailoutbox)) == [
        ("night@acme.example", "No word from the deployment cell orders cell"),
        ("night@acme.example", "No word from the deployment cell poisoned cell"),
    ]


def test_alarm_that_cannot_be_written_keeps_no_other_one_back(account, pass_time, mailoutbox):
    first = heard(timedelta(0), account=account, name="first")
    heard(timedelta(0), account=account, region="us-east-1", name="second")
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE cells_alarm ADD CONSTRAINT refused CHECK (cell_id <> '{first.pk}')")

    pass_time(615)

    assert mails(mailoutbox) == [("night@acme.example", "No word from the deployment cell second")]
