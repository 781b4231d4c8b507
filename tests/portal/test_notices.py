"""What allauth mails and says after an act: one-line subjects, plain sentences, the provider's name, no words of the package."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone

TEMPLATES = Path(settings.BASE_DIR) / "templates"
SUBJECTS = sorted(
    path.relative_to(TEMPLATES).as_posix() for app in ("account", "mfa") for path in (TEMPLATES / app / "email").glob("*_subject.txt")
)
MESSAGES = sorted(
    path.relative_to(TEMPLATES).as_posix()
    for app in ("account", "mfa", "usersessions")
    for path in (TEMPLATES / app / "messages").glob("*.txt")
)
CONTEXT = {
    "current_site": SimpleNamespace(name="Fernhill", domain="portal.fernhill.example"),
    "email": "mia@acme.example",
    "from_email": "mia@acme.example",
    "to_email": "mia@globex.example",
    "deleted_email": "mia@acme.example",
    "timestamp": timezone.now(),
    "ip": "203.0.113.7",
    "user_agent": "Firefox",
    "activate_url": "https://portal.fernhill.example/confirm",
    "password_reset_url": "https://portal.fernhill.example/reset",
    "signup_url": "https://portal.fernhill.example/sign-up",
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_subject_is_one_plain_line(name):
    subject = render_to_string(name, CONTEXT).strip()

    assert "\n" not in subject
    assert 10 <= len(subject) <= 70
    assert re.match(r"[A-Z][a-z]* [a-z]", subject), "sentence case"


@pytest.mark.parametrize("name", [subject.replace("_subject", "_message") for subject in SUBJECTS])
def test_mail_is_short_and_says_who_sends_it(name):
    text = render_to_string(name, CONTEXT)

    assert "Sent by the customer portal of Fernhill, portal.fernhill.example." in text
    assert len(text) < 900
    assert not re.search(r"<\w+|&\w+;", text), "plain text"


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_a_sentence_or_nothing(name):
    text = render_to_string(name, CONTEXT).strip()

    assert text == "" or (text.endswith(".") and "\n" not in text)
    assert "successfully" not in text.lower()
