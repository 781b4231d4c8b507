"""Nothing that opens a door lies where somebody could pick it up: logs, rows, the activity log, pages, mails, the broker, the cache.

Every secret that signing in and connecting make is caught where it is made. Then every place is searched for each of them, as it is
and in the shapes in which it could hide. A word that is no secret is searched for too: a net that catches nothing proves nothing.
"""

import base64
import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from botocore.session import Session
from django.conf import settings
from django.contrib.sessions.models import Session as SignIn
from django.core import mail
from django.db import connection
from django.urls import reverse

from accounts.clouds.aws import clients
from accounts.issuer.seal import unseal
from accounts.models import CloudAccount, Contact, Invitation, Kit, Organisation, OutgoingMail, SigningKey, User
from accounts.states import AccountState
from portal.audit.models import Event
from portal.operations.driver import advance
from portal.operations.models import Operation, StepLog
from tests.customer import Customer
from tests.worker import broker, cache, flush_broker, work_off_queue

pytestmark = pytest.mark.django_db(transaction=True)
MARK = "Quetzalcoatlus"  # no secret: the name of the account
PASSWORDS = {"password": "plum-harbour-lantern-91", "wrong password": "gorse-anvil-thimble-37", "new password": "sorrel-bridge-kettle-52"}
LINK = re.compile(r"http://[^/\s]+(/\S+/)")


# --- Catching secrets where they are made ------------------------------------------------------------------------------


class Catch:
    """Secrets by name. Tokens and sessions are read off botocore's own events, on their way to and from STS."""

    def __init__(self) -> None:
        self.secrets = dict(PASSWORDS)
        self.secrets |= {f"seal key {number}": key for number, key in enumerate(settings.SEAL_KEYS)}
        self.secrets["secret key"] = settings.SECRET_KEY

    def add(self, name: str, value: str) -> None:
        assert len(value) > 5
        self.secrets[f"{name} {len(self.secrets)}"] = value

    def sent(self, params, **_event) -> None:
        self.add("token", params["WebIdentityToken"])

    def answered(self, parsed, **_event) -> None:
        for part, value in parsed.get("Credentials", {}).items():
            if part in {"SecretAccessKey", "SessionToken", "AccessKeyId"}:
                self.add(part, value)

    def open_rows(self) -> None:
        """What lies sealed: a private key is its numbers, not its wrapping."""
        for row in SigningKey.objects.all():
            key = json.loads(unseal(row.sealed_private_key))
            for number in ("d", "p", "q", "dp", "dq", "qi"):
                self.add(f"private key {number}", key[number])


@pytest.fixture
def caught(monkeypatch) -> Iterator[Catch]:
    caught = Catch()

    class WatchedSession(Session):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.register("provide-client-params.sts.AssumeRoleWithWebIdentity", caught.sent)
            self.register("after-call.sts.AssumeRoleWithWebIdentity", caught.answered)

    monkeypatch.setattr(clients, "Session", WatchedSession)
    return caught


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, at its most talkative, in the format that leaves the process."""
    root = logging.getLogger()
    console = next(handler for handler in root.handlers if handler.formatter and "ProcessorFormatter" in type(handler.formatter).__name__)
    written, before = io.StringIO(), root.level
    handler = logging.StreamHandler(written)
    handler.setFormatter(console.formatter)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.setLevel(before)
    root.removeHandler(handler)


# --- Doing what makes them ---------------------------------------------------------------------------------------------


def sign_up_and_in(client, caught) -> User:
    """Sign-up, a wrong and a right sign-in, a reset and a change of password, an authenticator with its recovery codes."""
    address = "dora@people.example"
    client.post(reverse("account_signup"), {"name": "Dora", "email": address, "password1": PASSWORDS["password"]})
    client.post(open_link(caught, "confirmation", address))
    client.post(reverse("account_logout"))
    client.post(reverse("account_login"), {"login": address, "password": PASSWORDS["wrong password"]})
    client.post(reverse("account_reset_password"), {"email": address})
    page = client.get(open_link(caught, "reset", address), follow=True)
    client.post(page.redirect_chain[-1][0], {"password1": PASSWORDS["password"], "password2": PASSWORDS["password"]})
    client.post(reverse("account_login"), {"login": address, "password": PASSWORDS["password"]})
    changed = {"oldpassword": PASSWORDS["password"], "password1": PASSWORDS["new password"], "password2": PASSWORDS["new password"]}
    client.post(reverse("account_change_password"), changed)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORDS["new password"]})
    secret = client.get(reverse("mfa_activate_totp")).context["form"].secret
    caught.add("authenticator", secret)
    client.post(reverse("mfa_activate_totp"), {"code": format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))})
    codes = client.get(reverse("mfa_view_recovery_codes")).context["unused_codes"]
    for code in codes:
        caught.add("recovery code", code)
    client.post(reverse("mfa_reauthenticate"), {"code": codes[0]})
    return User.objects.get(email=address)


def open_link(caught, name: str, address: str) -> str:
    """The link of the newest mail to an address, its secret part caught."""
    work_off_queue()
    path = LINK.search(next(message for message in reversed(mail.outbox) if message.to == [address]).body)[1]
    caught.add(f"link: {name}", path.rstrip("/").rsplit("/", 1)[1])
    return path


def invite(client, caught) -> None:
    client.post(reverse("accounts:organisation_create"), {"name": "Dora Works"})
    slug = Organisation.objects.get().slug
    client.post(reverse("accounts:invitation_create", args=[slug]), {"email": "emil@people.example", "role": "operator"})
    assert Invitation.objects.count() == 1
    client.get(open_link(caught, "invitation", "emil@people.example"))
    client.post(
        reverse("accounts:contact_add", args=[slug]), {"name": "Night desk", "email": "night@people.example", "purpose": "operational"}
    )
    assert Contact.objects.count() == 1
    client.get(open_link(caught, "contact", "night@people.example"))


def connect(client, sandbox) -> None:
    """Through the pages, with a fault on the way, so that the raw words of the cloud are kept too."""
    slug = Organisation.objects.get().slug
    client.post(reverse("accounts:connect_start", args=[slug]), {"cloud": "aws"})
    account = CloudAccount.objects.get()
    for step, answers in (
        ("account", {"name": MARK, "external_id": "111122223333"}),
        ("place", {"region": "eu-central-1"}),
        ("review", {}),
        ("preflight", {"generation": "0"}),
    ):
        client.post(reverse(f"accounts:connect_{step}", args=[slug, account.pk]), answers)
    operation = Operation.objects.get(kind="connect_cloud_account")
    advance(operation.pk)
    Customer(sandbox, "111122223333").run_kit(Kit.objects.get())
    for action, kind in (("DescribeStacks", "lost_reply"), ("SimulatePrincipalPolicy", "access_denied")):
        sandbox.control("POST", "faults", {"action": action, "kind": kind, "count": 1})
    for _turn in range(6):
        Operation.objects.live().filter(pk=operation.pk).update(next_run_at=operation.created_at)
        advance(operation.pk)
        operation.refresh_from_db()
        if operation.state == "failed":
            client.post(reverse("accounts:operation_retry", args=[slug, operation.pk]))
    account.refresh_from_db()
    assert account.state == AccountState.CONNECTED


# --- Looking for them --------------------------------------------------------------------------------------------------


def shapes_of(secret: str) -> list[str]:
    """As it is; in base64, at each of three offsets; as PostgreSQL prints bytes; as JSON escapes it."""
    raw = secret.encode()
    encoded = [base64.b64encode(b"x" * shift + raw).decode()[4 if shift else 0 : -4] for shift in range(3)]
    return [secret, raw.hex(), json.dumps(secret)[1:-1], *(text for text in encoded if len(text) > 12)]


def rows() -> dict[str, str]:
    """Every table as text, and what sessions say once unpacked."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT row_to_json(t)::text FROM {connection.ops.quote_name(table)} t")
            found[f"table {table}"] = "\n".join(row[0] for row in cursor.fetchall())
    found["sessions, unpacked"] = "\n".join(str(session.get_decoded()) for session in SignIn.objects.all())
    return found


def keys() -> dict[str, str]:
    readers = {b"string": "get", b"hash": "hgetall", b"set": "smembers"}
    found = {}
    for name, server in (("broker", broker()), ("cache", cache())):
        with server:
            for key in server.scan_iter():
                kind = server.type(key)
                if kind == b"list":
                    value = server.lrange(key, 0, -1)
                elif kind == b"zset":
                    value = server.zrange(key, 0, -1)
                else:
                    value = getattr(server, readers[kind])(key)
                found[f"{name} {key.decode()}"] = f"{key!r} {value!r}"
    return found


def pages(client) -> dict[str, str]:
    """Every page and file an owner can open, and the administration."""
    organisation, account = Organisation.objects.get(), CloudAccount.objects.get()
    operation = Operation.objects.get(kind="connect_cloud_account")
    names = {
        "accounts:": (
            "home",
            "account_list",
            "operation_list",
            "activity",
            "members",
            "contacts",
            "organisation_settings",
        ),
        "accounts:account": ("_detail", "_permissions", "_kit", "_activity", "_record"),
        "accounts:connect": ("_done",),
    }
    addresses = [reverse(f"accounts:{name}", args=[organisation.slug]) for name in names["accounts:"]]
    addresses += [reverse(f"accounts:account{name}", args=[organisation.slug, account.pk]) for name in names["accounts:account"]]
    addresses += [reverse("accounts:connect_done", args=[organisation.slug, account.pk])]
    addresses += [reverse("accounts:operation_detail", args=[organisation.slug, operation.pk])]
    steps = set(operation.steps.values_list("name", flat=True))
    addresses += [reverse("accounts:operation_log", args=[organisation.slug, operation.pk, step]) for step in steps]
    addresses += [reverse("accounts:profile"), reverse("mfa_index"), reverse("usersessions_list"), reverse("account_email")]
    User.objects.update(is_staff=True, is_superuser=True)
    for model in (SigningKey, OutgoingMail, CloudAccount, Kit, Operation, Event, User, Invitation, Contact):
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        addresses += [reverse(f"{name}_changelist"), *(reverse(f"{name}_change", args=[row.pk]) for row in model._default_manager.all())]
    export = reverse("accounts:activity_export", args=[organisation.slug])
    found = {}
    for address in [*addresses, export]:
        answer = client.post(address) if address == export else client.get(address)
        assert answer.status_code == 200, address
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        found[f"page {address}"] = content.decode()
    return found


def mails() -> dict[str, str]:
    return {f"mail {number} to {message.to[0]}": f"{message.subject}\n{message.body}" for number, message in enumerate(mail.outbox)}


def test_no_secret_lies_about(client, caught, log, sandbox, mailoutbox):
    flush_broker()
    with cache() as valkey:
        valkey.flushdb()
    sign_up_and_in(client, caught)
    invite(client, caught)
    connect(client, sandbox)
    caught.open_rows()
    shown = pages(client)
    queued, unsent = keys(), {f"{name}, mails unsent": text for name, text in rows().items()}
    work_off_queue()
    places = {"log": log.getvalue(), **unsent, **rows(), **queued, **shown, **mails()}

    # What was caught, and that the net holds.
    made = {name.rstrip(" 0123456789") for name in caught.secrets}
    assert made >= {"token", "SecretAccessKey", "SessionToken", "private key d", "link: invitation", "link: contact", "authenticator"}
    assert caught_in(places, {"mark": MARK}) > {"table accounts_cloudaccount", "table audit_event", "table operations_operation"}
    assert any(place.startswith("page ") for place in caught_in(places, {"mark": MARK}))
    assert any(place.startswith("mail ") for place in caught_in(places, {"mark": MARK}))
    assert "table accounts_outgoingmail, mails unsent" in caught_in(places, {"mark": MARK})
    assert places["table accounts_outgoingmail"] == ""
    operation = Operation.objects.get(kind="connect_cloud_account")
    assert any(place.startswith("broker ") for place in caught_in(places, {"operation": str(operation.pk)}))
    assert StepLog.objects.exists()
    assert "request_finished" in places["log"]

    found = [f"{name} in {place}" for name, secret in caught.secrets.items() for place in sorted(caught_in(places, {name: secret}))]
    assert [line for line in found if not is_its_own_mail(line)] == []


OWN_MAILS = {"link: confirmation": "dora@", "link: reset": "dora@", "link: invitation": "emil@", "link: contact": "night@"}


def is_its_own_mail(line: str) -> bool:
    """A link's secret stands in the one mail that carries it."""
    return any(line.startswith(name) and re.search(rf" in mail \d+ to {address}", line) for name, address in OWN_MAILS.items())


def caught_in(places: dict[str, str], secrets: dict[str, str]) -> set[str]:
    return {place for place, text in places.items() for secret in secrets.values() if any(shape in text for shape in shapes_of(secret))}
