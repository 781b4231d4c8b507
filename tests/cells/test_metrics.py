"""The pages of figures and of what the provider sees: right numbers, words beside every picture, nothing of anybody else."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import msgspec
import pytest
from django.urls import reverse
from django.utils import timezone

from cells.models import FinalBackup, InstanceSample, StatusChange
from cells.protocol.backup_documents import BackupResult
from cells.protocol.documents import Reports
from cells.protocol.order_documents import OrderResult
from cells.telemetry.changes import days_of, forget_old, share_of, spans_of
from cells.telemetry.ingest import Received, store
from cells.telemetry.series import cores, of_instance
from cells.telemetry.visible import BACKUPS, ORDERS, SIGN_IN, WHY, fields_of, sign_in_fields
from tests.cells.factories import make_cell, make_instance
from tests.cells.spoken import a_report, an_instance
from tests.factories import make_cloud_account

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 20, 12, 0, tzinfo=UTC)
HEALTH = StatusChange.Axis.HEALTH


@pytest.fixture
def cell(acme):
    return make_cell(account=make_cloud_account(organisation=acme, state="connected"))


@pytest.fixture
def instance(cell):
    return make_instance(cell=cell, name="orders")


def sample(instance, at, **values):
    right = {"ready": 1, "desired": 1, "restarts": 0, "cpu": 100, "memory": 50, "requests": 0, "errors": 0}
    InstanceSample.objects.create(instance=instance, at=at, **right | values)


def page(client, user, name, *args):
    client.force_login(user)
    answer = client.get(reverse(f"cells:{name}", args=args))
    assert answer.status_code == 200
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


# --- Figures -------------------------------------------------------------------------------------------------------------


def test_counter_that_fell_began_anew(instance):
    for number, requests in enumerate([100, 160, 20, 25]):
        sample(instance, NOON - timedelta(minutes=30 - 5 * number), requests=requests, errors=number)

    day, week = of_instance(instance, NOON)

    assert day.metrics[2].values == [60, 20, 5]
    assert day.metrics[2].conclusion == "Requests in 24 hours: 85 in all, at most 60 in five minutes."
    assert day.metrics[3].conclusion == "Errors in 24 hours: 3 in all, at most 1 in five minutes."
    assert week.metrics[2].conclusion == "Requests in 7 days: 85 in all, at most 85 in an hour."
    assert sum(week.metrics[2].values) == 85


def test_gauge_is_averaged_and_its_conclusion_says_so(instance):
    for number, cpu in enumerate([100, 300, 200]):
        sample(instance, NOON - timedelta(minutes=15 - 5 * number), cpu=cpu)

    day, week = of_instance(instance, NOON)

    assert day.metrics[0].values == [100, 300, 200]
    assert (
        day.metrics[0].conclusion == "CPU in 24 hours: 0.20 cores on average, at most 0.30 cores over five minutes, 0.20 cores at the end."
    )
    assert week.metrics[0].values == [200]
    assert day.rows == [("11:00", ["0.20 cores", "50 MiB", "0", "0"])]


def test_little_cpu_is_not_said_to_be_none(instance):
    sample(instance, NOON, cpu=3)

    day, _week = of_instance(instance, NOON)

    assert day.metrics[0].conclusion.startswith("CPU in 24 hours: 0.003 cores on average")
    assert [cores(value) for value in (0, 3, 99, 100, 12_350)] == ["0 cores", "0.003 cores", "0.099 cores", "0.10 cores", "12.35 cores"]


def test_every_chart_says_what_it_counts_and_in_what_unit(instance):
    units = [(metric.name, metric.unit) for metric in of_instance(instance, NOON)[0].metrics]

    assert units == [("CPU", "cores in use"), ("Memory", "MiB in use"), ("Requests", "answered"), ("Errors", "requests that failed")]


def test_what_nobody_counts_is_not_nothing(instance):
    for number in range(2):
        sample(instance, NOON - timedelta(minutes=5 * number), requests=None, errors=None)

    assert of_instance(instance, NOON)[0].metrics[2].conclusion == "Nothing was reported."


def test_instance_metrics_page(client, alice, instance):
    now = timezone.now()
    for number in range(4):
        sample(instance, now - timedelta(minutes=20 - 5 * number), requests=100 * number, errors=number)
    StatusChange.objects.create(instance=instance, axis="health", value="healthy", at=now - timedelta(days=2))

    text = page(client, alice, "instance_metrics", "acme", instance.pk)

    assert "1.0 % of 300 requests failed in the last 24 hours." in text
    assert "CPU in 24 hours: 0.10 cores on average" in text
    assert "Healthy for 100.00 % of the time that is known; something else on 0 days." in text
    assert text.count("Show as table") == 3


def test_cell_metrics_page_without_any_report(client, alice, cell):
    text = page(client, alice, "cell_metrics", "acme", cell.pk)

    assert text.count("Nothing was reported in this time.") == 2
    assert text.count("Nothing is known of the last 90 days.") == 2


@pytest.mark.parametrize("samples", [1, 200])
def test_queries_do_not_grow_with_the_past(client, alice, instance, samples, django_assert_num_queries):
    now = timezone.now()
    for number in range(samples):
        sample(instance, now - timedelta(minutes=5 * number))
        StatusChange.objects.create(instance=instance, axis="health", value="healthy", at=now - timedelta(hours=number))
    client.force_login(alice)
    client.get(reverse("cells:instance_metrics", args=["acme", instance.pk]))

    with django_assert_num_queries(QUERIES):
        client.get(reverse("cells:instance_metrics", args=["acme", instance.pk]))


QUERIES = 7


# --- Ninety days ---------------------------------------------------------------------------------------------------------


def turn(instance, value, at):
    StatusChange.objects.create(instance=instance, axis="health", value=value, at=at)


def test_worst_of_each_day_counts(instance):
    turn(instance, "healthy", NOON - timedelta(days=3))
    turn(instance, "degraded", NOON - timedelta(days=2))
    turn(instance, "unhealthy", NOON - timedelta(days=2) + timedelta(minutes=1))
    turn(instance, "healthy", NOON - timedelta(days=2) + timedelta(minutes=2))

    spans = spans_of(instance, HEALTH, NOON - timedelta(days=5), NOON)
    days = days_of(spans, HEALTH, UTC, NOON.date(), days=5)

    assert [day.worst for day in days] == ["", "healthy", "unhealthy", "healthy", "healthy"]
    assert share_of(spans, "healthy") == pytest.approx(1 - 120 / (3 * 86400))


def test_value_from_before_the_strip_counts_from_its_first_day(instance):
    turn(instance, "degraded", NOON - timedelta(days=200))
    spans = spans_of(instance, HEALTH, NOON - timedelta(days=2), NOON)

    assert [day.worst for day in days_of(spans, HEALTH, UTC, NOON.date(), days=3)] == ["degraded"] * 3


def test_change_at_midnight_belongs_to_the_day_it_begins(instance):
    midnight = NOON.replace(hour=0)
    turn(instance, "unhealthy", midnight - timedelta(hours=3))
    turn(instance, "healthy", midnight)
    spans = spans_of(instance, HEALTH, midnight - timedelta(days=1), NOON)

    assert [day.worst for day in days_of(spans, HEALTH, UTC, NOON.date(), days=2)] == ["unhealthy", "healthy"]


def test_old_changes_go_but_the_last_before_them_stays(instance):
    now = timezone.now()
    for days in (500, 450, 420, 10):
        turn(instance, "healthy", now - timedelta(days=days))
    other = make_instance(cell=instance.cell)
    turn(other, "degraded", now - timedelta(days=900))

    assert (forget_old(), forget_old()) == (2, 0)
    assert [(now - change.at).days for change in instance.changes.all()] == [420, 10]
    assert other.changes.count() == 1


# --- What the provider sees ------------------------------------------------------------------------------------------------


def test_every_field_has_words_and_no_words_are_stale():
    assert set(fields_of(Reports)) == set(WHY)
    assert set(sign_in_fields()) == set(SIGN_IN)
    assert set(fields_of(OrderResult)) == set(ORDERS)
    assert set(fields_of(BackupResult)) == set(BACKUPS)


def test_cell_visible_shows_the_last_value_of_every_field(client, alice, cell, instance):
    event = {"at": "2026-05-01T12:00:00Z", "code": "instance_restarted", "instance": str(instance.pk)}
    components = [{"name": "ingress", "version": "4.1.0", "state": "ready"}]
    report = a_report(7, an_instance(instance, problem="chart_missing"), components=components, events=[event])
    store([Received(msgspec.convert({"cell": str(cell.pk), "reports": [report]}, Reports), timezone.now())])

    text = page(client, alice, "cell_visible", "acme", cell.pk)

    for path, why in WHY.items():
        assert f"{path} " in text
        assert str(why) in text
    values = ["7", "1.0.0", "v1.35.0", "8000", "ingress", "4.1.0", "instance_restarted", "chart_missing", "https://orders.example/"]
    for value in values:
        assert f" {value} " in text
    client.force_login(alice)
    rows = re.findall(
        r'<td data-label="Last value" class="mono">(.*?)</td>',
        client.get(reverse("cells:cell_visible", args=["acme", cell.pk])).content.decode(),
    )
    assert len(rows) == len(WHY)
    assert [row for row in rows if not row] == []


def test_groups_of_fields_are_folded_but_the_cells_own(client, alice, cell, instance):
    store([Received(msgspec.convert({"cell": str(cell.pk), "reports": [a_report(7, an_instance(instance))]}, Reports), timezone.now())])
    client.force_login(alice)

    found = [
        re.findall(r'<details class="disclosure"( open)?>\s*<summary>(\d+) fields', client.get(reverse(f"cells:{name}", args=args)).text)
        for name, args in (("cell_visible", ["acme", cell.pk]), ("visible", ["acme"]))
    ]

    numbers = [str(sum(path.startswith("reports.instances") == of_instance for path in WHY)) for of_instance in (False, True)]
    folded = [("", numbers[1]), *(("", str(len(one))) for one in (BACKUPS, ORDERS, SIGN_IN))]
    assert found == [[(" open", numbers[0]), *folded], [("", numbers[0]), *folded]]


def test_cell_visible_shows_the_last_final_backup_of_one_own(client, alice, charlie, cell, instance):
    foreign = make_instance(cell=cell, organisation=charlie.memberships.get().organisation, name="secret-shop")
    for of, place in ((instance, "s3://acme/last.dump"), (foreign, "s3://other/last.dump")):
        now = timezone.now()
        FinalBackup.objects.create(
            instance=of, cell=cell, attempt=1, outcome="taken", location=place, bytes=4096, sha256="ab" * 32, taken_at=now, ended_at=now
        )

    text = page(client, alice, "cell_visible", "acme", cell.pk)

    assert " s3://acme/last.dump " in text
    assert "s3://other" not in text


def test_cell_visible_shows_no_instance_of_another_customer(client, alice, charlie, cell, instance):
    foreign = make_instance(cell=cell, organisation=charlie.memberships.get().organisation, name="secret-shop")
    reports = [a_report(1, an_instance(instance), an_instance(foreign))]
    store([Received(msgspec.convert({"cell": str(cell.pk), "reports": reports}, Reports), timezone.now())])

    assert "secret-shop" not in page(client, alice, "cell_visible", "acme", cell.pk)


def test_security_package_leads_to_what_the_provider_sees(client, alice, cell):
    client.force_login(alice)
    answer = client.get(reverse("accounts:security_packages", args=["acme"]))
    assert reverse("cells:visible", args=["acme"]) in answer.content.decode()

    text = page(client, alice, "visible", "acme")
    assert all(str(why) in text for why in [*WHY.values(), *ORDERS.values(), *SIGN_IN.values()])
    assert str(cell) in text
