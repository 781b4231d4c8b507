"""Writing events: the chain, the lock, the refusals."""

import threading
import uuid
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from types import SimpleNamespace

import pytest
import structlog
from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext_lazy

from portal.audit import Actor, ActorKind, Entry, Subject, record, record_all
from portal.audit.chain import check_chain, head_of
from portal.audit.details import MAX_BYTES, WITHHELD, DetailsRefused, plain
from portal.audit.models import PLATFORM, ChainHead, Event
from portal.audit.origin import Origin, originating
from portal.audit.recording import NotInTransaction
from portal.audit.verify import FIRST_PREVIOUS, leaf_hash, verify_lines
from portal.redaction import looks_secret
from tests.activity import assert_no_event, assert_one_event

WORKER = Actor.worker("operations")
# Not one anybody ever had: the example of AWS's own documentation.
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhY2NvdW50In0.c2lnbmF0dXJl"


def make_event(organisation_id, action="thing.happened", **fields):
    with transaction.atomic():
        return record(organisation_id=organisation_id, action=action, actor=fields.pop("actor", WORKER), **fields)


# --- The chain -------------------------------------------------------------------------------------------------------


def test_record_links_each_event_to_the_one_before(db):
    organisation = uuid.uuid4()
    first, second = make_event(organisation), make_event(organisation)
    assert (first.sequence, first.previous) == (1, FIRST_PREVIOUS)
    assert (second.sequence, second.previous) == (2, first.hash)
    head = head_of(organisation)
    assert (head.sequence, head.hash) == (2, second.hash)


def test_record_keeps_a_chain_for_each_organisation_and_one_for_the_platform(db):
    one, other = uuid.uuid4(), uuid.uuid4()
    assert [make_event(chain).sequence for chain in (one, other, None, one, None)] == [1, 1, 1, 2, 2]
    assert head_of(None).chain == PLATFORM


def test_several_events_at_once_link_as_one_by_one_would(db):
    one, other = uuid.uuid4(), uuid.uuid4()
    make_event(one), make_event(other)
    entries = [Entry(chain, f"thing.happened_{number}", WORKER) for number, chain in enumerate((one, other, one, None, one))]

    with transaction.atomic():
        events = record_all(entries)

    assert [(event.organisation_id, event.sequence) for event in events] == [(one, 2), (other, 2), (one, 3), (None, 1), (one, 4)]
    assert [event.action[-1] for event in events] == ["0", "1", "2", "3", "4"]
    for chain in (one, other, None):
        assert check_chain(chain).is_unbroken


def test_event_written_by_another_keeps_the_origin_of_who_made_it(db):
    with originating(Origin(request_id="mine")):
        entry = Entry(uuid.uuid4(), "thing.happened", WORKER)
    with originating(Origin(request_id="the-writers")), transaction.atomic():
        (event,) = record_all([entry])
    assert event.request_id == "mine"


def test_record_survives_the_database_byte_for_byte(db):
    organisation = uuid.uuid4()
    details = {"state": ["draft", "connected"], "note": "tab\t “ü” \u2028 \U0001f600 \x7f", "deep": {"b": [1, None, True], "a": 2**53 - 1}}
    written = make_event(organisation, subject=Subject("cloud_account", "a-1", "Prod ✓"), details=details)
    found = Event.objects.get(pk=written.pk)
    assert found.line() == written.line()
    assert leaf_hash(found.leaf()) == found.hash
    assert verify_lines([found.line()]).head == written.hash


def test_record_writes_who_what_and_on_what(db):
    user = SimpleNamespace(pk=uuid.uuid4(), name="Anna", email="anna@acme.example", is_staff=False)
    event = make_event(uuid.uuid4(), actor=Actor.user(user), subject=Subject("cloud_account", "a-1", "Production"))
    assert (event.actor_kind, event.actor_id, event.actor_name, event.actor_email) == ("user", str(user.pk), "Anna", "anna@acme.example")
    assert event.leaf()["subject"] == {"id": "a-1", "kind": "cloud_account", "label": "Production"}
    assert make_event(None).leaf()["subject"] is None


@pytest.mark.parametrize(
    ("actor", "kind", "name"),
    [
        (Actor.user(SimpleNamespace(pk=1, name="Sam", email="sam@fernhill.example", is_staff=True)), ActorKind.STAFF, "Sam"),
        (
            Actor.user(SimpleNamespace(pk=1, name="", email="eva@fernhill.example", is_support_engineer=True)),
            ActorKind.STAFF,
            "eva@fernhill.example",
        ),
        (Actor.guest("desk@acme.example"), ActorKind.GUEST, "desk@acme.example"),
        (Actor.worker("operations"), ActorKind.WORKER, "operations"),
        (Actor.system("beat"), ActorKind.SYSTEM, "beat"),
    ],
)
def test_actor_kinds(actor, kind, name):
    assert (actor.kind, actor.name) == (kind, name)


def test_record_rolls_back_with_the_business_transaction(db):
    organisation = uuid.uuid4()
    make_event(organisation)
    with transaction.atomic():
        record(organisation_id=organisation, action="thing.happened", actor=WORKER)
        transaction.set_rollback(True)
    assert head_of(organisation).sequence == 1
    assert make_event(organisation).sequence == 2


@pytest.mark.django_db(transaction=True)
def test_record_outside_a_transaction_is_refused():
    with pytest.raises(NotInTransaction):
        record(organisation_id=None, action="thing.happened", actor=WORKER)


@pytest.mark.parametrize("action", ["", "Connected", "connected", "cloud_account.", "cloud account.connected", "a.b\n"])
def test_record_refuses_a_malformed_action(db, action):
    with pytest.raises(ValueError, match=r"area\.what_happened"):
        make_event(None, action)


@pytest.mark.django_db(transaction=True)
def test_record_under_concurrency_leaves_no_gap_and_no_fork():
    organisations = [uuid.uuid4(), None]
    start, faults = threading.Barrier(8), []

    def write(number):
        try:
            start.wait(10)
            for turn in range(10):
                with transaction.atomic():
                    record(organisation_id=organisations[turn % 2], action="thing.happened", actor=WORKER, details={"by": number})
        except Exception as error:  # noqa: BLE001  whatever it is, the main thread must see it
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    for organisation in organisations:
        events = Event.objects.for_chain(organisation).oldest_first()
        assert [event.sequence for event in events] == list(range(1, 41))
        assert [event.at for event in events] == sorted(event.at for event in events)
        assert check_chain(organisation).is_unbroken


def test_database_refuses_a_fork(db):
    organisation = uuid.uuid4()
    event = make_event(organisation)
    for chain in (organisation, None):
        twin = Event.objects.get(pk=make_event(chain).pk)
        twin.pk, twin.organisation_id = uuid.uuid4(), chain
        with pytest.raises(IntegrityError, match="once_in"), transaction.atomic():
            twin.save(force_insert=True)
    assert event.sequence == 1


# --- What may stand in it --------------------------------------------------------------------------------------------


class Colour(StrEnum):
    RED = "red"


def test_details_become_plain():
    moment = datetime(2026, 11, 21, 2, 20, 13, 5, tzinfo=timezone(timedelta(hours=1)))
    key = uuid.uuid4()
    assert plain({"at": moment, "key": key, "colour": Colour.RED, "pair": (1, None), "nul": "a\x00b", "half": "a\ud800"}) == {
        "at": "2026-11-21T01:20:13.000005Z",
        "key": str(key),
        "colour": "red",
        "pair": [1, None],
        "nul": "a\ufffdb",
        "half": "a?",
    }
    assert type(plain({"colour": Colour.RED})["colour"]) is str


@pytest.mark.parametrize(
    "value",
    [1.5, b"bytes", 2**53, datetime(2026, 1, 1), object(), {"ünï": 1}, {1: 2}, gettext_lazy("Connected"), [[[[[[[1]]]]]]]],  # noqa: DTZ001
)
def test_details_without_a_plain_form_are_refused(value):
    with pytest.raises(DetailsRefused):
        plain({"value": value})


def test_details_are_limited():
    assert plain({"text": "x" * 1001})["text"] == "x" * 999 + "…"
    with pytest.raises(DetailsRefused, match=str(MAX_BYTES)):
        plain({str(number): "x" * 900 for number in range(10)})


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "Password",
        "new_password",
        "token",
        "csrfToken",
        "client_secret",
        "AWS-Secret",
        "api_key",
        "privateKey",
        "totp",
        "cookies",
    ],
)
@pytest.mark.parametrize("shape", [lambda key: {key: "x"}, lambda key: {"deep": [{key: ["a", "b"]}]}, lambda key: {key: {"n": 1}}])
def test_details_under_a_key_that_names_a_secret_are_refused(key, shape):
    with pytest.raises(DetailsRefused, match="names a secret"):
        plain(shape(key))


def test_details_may_say_whether_there_is_a_secret():
    assert plain({"has_password": True, "token": None}) == {"has_password": True, "token": None}


@pytest.mark.parametrize(
    "value",
    [
        JWT,
        f"Bearer {JWT}",
        "AKIAIOSFODNN7EXAMPLE",
        "key ASIAIOSFODNN7EXAMPLE here",
        AWS_SECRET,
        "-----BEGIN RSA PRIVATE KEY-----",
        "postgres://portal:hunter2@db.internal/portal",
        "ghp_0123456789abcdefghijABCDEFGHIJ",
        "zqX3vT9kLm2PfR7wYb5NcD8h",
    ],
)
def test_values_that_look_like_a_secret_are_withheld(value):
    assert looks_secret(value)
    assert plain({"evidence": value, "deep": [{"note": value}]}) == {"evidence": WITHHELD, "deep": [{"note": WITHHELD}]}


@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:iam::111122223333:role/byoc-k7f2-operator",
        "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_AdministratorAccess_3f1b6a9c0d2e4f57/anna@acme.example",
        "arn:aws:cloudformation:eu-west-1:111122223333:stack/byoc-k7f2-kit/6a0c9c50-1111-2222-3333-0a1b2c3d4e5f",
        "kits/aws/1.0.0/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855/template.yaml",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "7b0e3f0a-3d0c-4a57-9f5e-0d6d3c1f2a10",
        "https://id.portal.test/trust/7b0e3f0a-3d0c-4a57-9f5e-0d6d3c1f2a10/g1",
        "User: arn:aws:sts::111122223333:assumed-role/x is not authorized to perform: ec2:DescribeAvailabilityZones",
        "CloudFormationStackCreationInProgressSince2026",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "OP-7F3K9Q",
    ],
)
def test_values_of_everyday_are_no_secrets(value):
    assert plain({"value": value}) == {"value": value}


def test_names_that_look_like_a_secret_are_withheld_too(db):
    event = make_event(None, actor=Actor.system("cron"), subject=Subject("cloud_account", "a-1", "AKIAIOSFODNN7EXAMPLE"))
    assert event.subject_label == WITHHELD


# --- Asserting on it -------------------------------------------------------------------------------------------------


def test_assert_one_event_finds_the_event(db):
    organisation = uuid.uuid4()
    make_event(organisation)
    with assert_one_event(organisation, action="thing.happened") as written:
        event = make_event(organisation)
    assert written.event == event


@pytest.mark.parametrize("chains", [["own", "own"], [], ["other"], ["own", None]])
def test_assert_one_event_fails_for_none_two_or_another_chain(db, chains):
    ids = {"own": uuid.uuid4(), "other": uuid.uuid4(), None: None}
    with pytest.raises(AssertionError), assert_one_event(ids["own"]):
        [make_event(ids[chain]) for chain in chains]


def test_assert_no_event_fails_for_one(db):
    with assert_no_event():
        pass
    with pytest.raises(AssertionError), assert_no_event():
        make_event(None)


# --- Origin ----------------------------------------------------------------------------------------------------------


def test_record_outside_a_request_carries_the_id_of_the_logs(db):
    with structlog.contextvars.bound_contextvars(request_id="req-1"):
        assert make_event(None).request_id == "req-1"
    with structlog.contextvars.bound_contextvars(request_id='"><script>'):
        assert make_event(None).request_id == ""


def test_times_are_utc_with_microseconds(db):
    event = make_event(None)
    event.at = datetime(2026, 11, 21, 1, 20, 13, tzinfo=UTC)
    assert event.leaf()["at"] == "2026-11-21T01:20:13.000000Z"


def test_heads_are_made_once(db):
    organisation = uuid.uuid4()
    make_event(organisation)
    make_event(organisation)
    assert ChainHead.objects.filter(chain=organisation).count() == 1
