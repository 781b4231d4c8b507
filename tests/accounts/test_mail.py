"""What a mail leaves behind on its way: nothing that opens a door lies in the broker."""

import pytest
from celery.signals import before_task_publish
from django.db import transaction

from accounts.actions.invitations import create_invitation
from accounts.mail import hand_over, send_mail_task
from tests.factories import make_user

SECRET = "http://localhost:8000/invitations/a-secret-link/"


@pytest.fixture
def published():
    """Bodies of the messages that were given to the broker."""
    bodies = []

    def keep(body, **_):
        bodies.append(body)

    before_task_publish.connect(keep)
    yield bodies
    before_task_publish.disconnect(keep)


def test_body_of_a_mail_is_sealed_in_the_broker(published, mailoutbox):
    hand_over(to="dora@people.example", subject="Come in", body=SECRET)

    ((_args, kwargs, _embedded),) = published
    assert (kwargs["to"], kwargs["subject"]) == ("dora@people.example", "Come in")
    assert "a-secret-link" not in repr(published)
    send_mail_task(**kwargs)
    assert [(message.to, message.subject, message.body) for message in mailoutbox] == [(["dora@people.example"], "Come in", SECRET)]


@pytest.mark.django_db(transaction=True)
def test_no_link_of_an_invitation_reaches_the_broker_in_clear(published, acme):
    with transaction.atomic():
        create_invitation(organisation=acme, email="dora@people.example", role="auditor", by=make_user())

    assert len(published) == 1
    assert "/invitations/" not in repr(published)
