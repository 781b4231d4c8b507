"""An agent by hand: each request as one likes, to the letter or against it."""

import base64
import json
import time
import uuid
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client
from django.urls import reverse

from cells.agent.keys import Key
from tests.cells.factories import make_enrolment

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Speaker:
    """Of one cell. `enrol` and `fetch_token` first; what is named replaces what would be right."""

    def __init__(self, cell) -> None:
        self.cell = cell
        self.client = Client()
        self.key = Key.make()
        self.token = ""

    def claims(self, name: str, **values):
        now = int(time.time())
        audience = f"{settings.AGENT_URL}/agent/v1/{name}"
        right = {"iss": str(self.cell.pk), "sub": str(self.cell.pk), "aud": audience, "jti": str(uuid.uuid4()), "iat": now, "exp": now + 60}
        return {key: value for key, value in {**right, **values}.items() if value is not None}

    def post(self, name: str, document, **headers):
        body = document if isinstance(document, bytes | str) else json.dumps(document)
        return self.client.post(reverse(f"cells:agent_{name}"), body, content_type="application/json", headers=self._auth() | headers)

    def enrol(self, **values):
        right = {
            "token": make_enrolment(self.cell),
            "cell": str(self.cell.pk),
            "public_jwk": self.key.public_jwk(),
            "agent_version": "1.0.0",
            "proof": self.key.sign(self.claims("enrolments")),
        }
        answer = self.post("enrolment", {**right, **values})
        if answer.status_code == 201:
            self.key.id = answer.json()["key_id"]
        return answer

    def assertion(self, **claims) -> str:
        return self.key.sign(self.claims("token", **claims))

    def fetch_token(self, assertion: str = "", **values):
        form = {"grant_type": "client_credentials", "client_assertion_type": BEARER, "client_assertion": assertion or self.assertion()}
        answer = self.client.post(
            reverse("cells:agent_token"), urlencode({**form, **values}), content_type="application/x-www-form-urlencoded"
        )
        if answer.status_code == 200:
            self.token = answer.json()["access_token"]
        return answer

    def add_key(self, key: Key, **claims):
        approval = self.key.sign(self.claims("keys", jti=key.thumbprint()))
        return self.post("key", {"public_jwk": key.public_jwk(), "proof": key.sign(self.claims("keys", **claims)), "approval": approval})

    def desired(self, etag: str = "", wait: int | str = 0):
        headers = self._auth() | ({"If-None-Match": etag} if etag else {})
        return self.client.get(reverse("cells:agent_desired"), {"wait": wait} if wait else {}, headers=headers)

    def report(self, *reports, cell=None):
        return self.post("reports", {"cell": str(cell or self.cell.pk), "reports": reports})

    def _auth(self):
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def speaker(cell) -> Speaker:
    """Enrolled and with a token."""
    made = Speaker(cell)
    assert made.enrol().status_code == 201
    assert made.fetch_token().status_code == 200
    return made


def a_report(seq: int = 1, *instances, **values):
    cluster = {"version": "v1.35.0", "nodes_ready": 2, "nodes": 2, "cpu_used": 100, "cpu": 4000, "memory_used": 900, "memory": 8000}
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "seq": seq,
        "at": at,
        "agent": {"version": "1.0.0"},
        "cluster": cluster,
        "components": [],
        "instances": list(instances),
        "events": [],
        **values,
    }


def an_instance(instance, **values):
    right = {
        "id": str(instance.pk), "revision": 1, "state": "running", "health": "healthy", "ready": 1, "desired": 1, "restarts": 0,
        "cpu": 5, "memory": 20, "requests": 7, "errors": 1, "endpoints": [{"name": "web", "url": "https://orders.example/"}],
        "components": [{"name": "app", "version": "1.0.0", "state": "running"}],
    }  # fmt: skip
    return {**right, **values}


def decoded(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
