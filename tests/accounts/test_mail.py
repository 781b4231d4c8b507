"""A mail is a row until the mail server has it: it survives whatever dies, and opens no door while it waits."""

import re
import threading
from datetime import timedelta

import pytest
import time_machine
from aiosmtpd.controller import Controller
from celery.signals import before_task_publish
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.actions.invitations import create_invitation
from accounts.mail import FIRST_PAUSE, GIVE_UP_AFTER, LEASE, LONGEST_PAUSE, PAUSE_FOR_ALL, queue_message, send_due_mails
from accounts.models import OutgoingMail
from portal.embedded.ports import free_port
from tests.factories import make_user
from tests.kill_mail import run_until_killed
from tests.worker import flush_broker, process_environment, work_off_queue

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "http://localhost:8000/invitations/a-secret-link/"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture(autouse=True)
def _nothing_queued():
    flush_broker()


@pytest.fixture
def published():
    """What was given to the broker: task, and body of the message."""
    messages = []

    def keep(sender, body, **_):
        messages.append((sender, body))

    before_task_publish.connect(keep)
    yield messages
    before_task_publish.disconnect(keep)


@pytest.fixture
def mail_server(sandbox, settings):
    """The sandbox's, spoken to over the wire."""
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", sandbox.smtp_port
    return sandbox


def write(to: str = "dora@people.example") -> None:
    queue_message(EmailMessage(subject="Come in", body=SECRET, to=[to]))


def in_time(**passed):
    return time_machine.travel(timezone.now() + timedelta(**passed), tick=True)


# --- On its way --------------------------------------------------------------------------------------------------------


def test_mail_leaves_and_leaves_nothing_behind(mailoutbox):
    write()

    work_off_queue()

    (message,) = mailoutbox
    assert (message.to, message.subject, message.body) == (["dora@people.example"], "Come in", SECRET)
    assert not OutgoingMail.objects.exists()


def test_mail_of_an_act_that_is_undone_is_not_sent(mailoutbox):
    with transaction.atomic():
        write()
        transaction.set_rollback(True)

    work_off_queue()
    send_due_mails()

    assert mailoutbox == []


def test_waiting_mail_is_sealed_and_the_broker_carries_none(published, acme):
    with transaction.atomic():
        create_invitation(organisation=acme, email="dora@people.example", role="auditor", by=make_user())

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM accounts_outgoingmail t")
        ((row,),) = cursor.fetchall()
    assert "dora@people.example" in row
    assert "/invitations/" not in row
    assert [(task, args, kwargs) for task, (args, kwargs, _embedded) in published] == [("accounts.mail.send_due_mails", (), {})]


def test_two_senders_at_once_send_each_mail_once(mailoutbox):
    for number in range(12):
        write(f"person{number}@people.example")
    begin = threading.Barrier(4)

    def send() -> None:
        begin.wait()
        send_due_mails()
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(message.to[0] for message in mailoutbox) == sorted(f"person{number}@people.example" for number in range(12))


def test_mail_goes_out_though_the_broker_is_away(mailoutbox, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OperationalError

    monkeypatch.setattr(send_due_mails, "delay", fail)

    write()

    assert len(mailoutbox) == 1
    assert not OutgoingMail.objects.exists()


def test_bell_lost_with_the_broker_costs_time_and_no_mail(mailoutbox):
    write()
    flush_broker()

    send_due_mails()  # the schedule's

    assert len(mailoutbox) == 1


# --- Death -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("point", "copies"), [("before", 1), ("after", 2)])
def test_worker_killed_while_it_sends_loses_no_mail(mail_server, point, copies):
    write()
    write("emil@people.example")

    run_until_killed(point, env=process_environment(mail_server))
    send_due_mails()
    assert len(mail_server.control("GET", "mail?to=emil@people.example")) == 1
    with in_time(seconds=(LEASE + FIRST_PAUSE).total_seconds()):
        send_due_mails()

    assert not OutgoingMail.objects.exists()
    assert len(mail_server.control("GET", "mail?to=emil@people.example")) == 1
    assert len(mail_server.control("GET", "mail?to=dora@people.example")) == copies


def test_mail_sent_twice_bears_one_message_id(mailoutbox):
    write()
    row = OutgoingMail.objects.get()
    send_due_mails()
    row.save(force_insert=True)

    send_due_mails()

    ids = [message.message()["Message-ID"] for message in mailoutbox]
    assert ids == [f"<{row.pk}@localhost>"] * 2


# --- A mail server that is away, or says no ----------------------------------------------------------------------------


def test_mail_waits_for_the_mail_server_and_then_leaves(mail_server, settings):
    settings.EMAIL_PORT = free_port()
    write()
    write("emil@people.example")

    work_off_queue()

    tried, untried = OutgoingMail.objects.order_by("-tries")
    assert (tried.tries, tried.last_error, untried.tries) == (1, "ConnectionRefusedError", 0)
    assert timedelta() < untried.due_at - timezone.now() <= PAUSE_FOR_ALL
    settings.EMAIL_PORT = mail_server.smtp_port
    with in_time(seconds=PAUSE_FOR_ALL.total_seconds()):
        send_due_mails()

    assert not OutgoingMail.objects.exists()
    assert sorted(message["to"][0] for message in mail_server.control("GET", "mail")) == ["dora@people.example", "emil@people.example"]
    assert SECRET in mail_server.control("GET", "mail")[0]["text"]


class Picky:
    """Takes mail to anybody but Dora."""

    def __init__(self):
        self.taken = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's hook
        if address == "dora@people.example":
            return "550 No such mailbox: she asked for http://localhost:8000/invitations/a-secret-link/"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's hook
        self.taken += envelope.rcpt_tos
        return "250 OK"


def test_mail_that_is_refused_holds_up_no_other(settings, caplog):
    server = Controller(Picky(), hostname="127.0.0.1", port=free_port())
    server.start()
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, server.hostname, server.port
    write()
    write("emil@people.example")

    work_off_queue()
    server.stop()

    assert server.handler.taken == ["emil@people.example"]
    left = OutgoingMail.objects.get()
    assert (left.to, left.tries, left.last_error) == ("dora@people.example", 1, "SMTPRecipientsRefused")
    assert "a-secret-link" not in caplog.text


def test_mail_that_cannot_be_addressed_holds_up_no_other(mailoutbox):
    write("dora@people.example\nBcc: everybody@people.example")
    write("emil@people.example")

    work_off_queue()

    assert [message.to for message in mailoutbox] == [["emil@people.example"]]
    assert (OutgoingMail.objects.get().tries, OutgoingMail.objects.get().last_error) == (1, "BadHeaderError")


def test_mail_whose_seal_key_is_missing_holds_up_no_other_and_leaves_with_it(mailoutbox, settings):
    keys = settings.SEAL_KEYS
    write()
    settings.SEAL_KEYS = ["YW5vdGhlci1vbmUtZm9yLXRlc3RzLTAxMjM0NTY3ODk="]
    write("emil@people.example")

    send_due_mails()
    assert [message.to for message in mailoutbox] == [["emil@people.example"]]
    settings.SEAL_KEYS = keys
    with in_time(seconds=FIRST_PAUSE.total_seconds()):
        send_due_mails()

    assert [message.to for message in mailoutbox] == [["emil@people.example"], ["dora@people.example"]]


def test_pauses_grow_and_a_mail_is_given_up_after_days(mail_server, settings, caplog):
    settings.EMAIL_PORT = free_port()
    write()
    mail_ = OutgoingMail.objects.get()
    pauses = []
    while OutgoingMail.objects.exists():
        with time_machine.travel(mail_.due_at, tick=False):
            send_due_mails()
            if left := OutgoingMail.objects.first():
                pauses.append(left.due_at - mail_.due_at)
                mail_ = left

    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert set(pauses[10:]) == {LONGEST_PAUSE}
    assert GIVE_UP_AFTER < sum(pauses, timedelta()) < GIVE_UP_AFTER + 2 * LONGEST_PAUSE
    assert re.search("mail_given_up", caplog.text)


def test_mail_that_was_never_tried_is_never_too_old(mailoutbox):
    write()

    with in_time(days=GIVE_UP_AFTER.days + 1):
        send_due_mails()

    assert len(mail.outbox) == 1
