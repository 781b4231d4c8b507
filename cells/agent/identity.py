"""Who this agent is to the portal: enrolled once, access tokens for minutes, keys that change. Killed at any point, it goes on."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cells.agent import VERSION, files
from cells.agent.keys import Key, fingerprint
from cells.agent.wire import Portal, RefusedError

ASSERTION_SECONDS = 120
# A token is changed for a new one this long before its end.
EARLY_SECONDS = 60
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Config:
    """What the machine was given at its first start."""

    portal_url: str
    cell: str
    enrolment_token: str
    # How the address of a chart may begin; empty: any.
    allowed_charts: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Config:
        values = json.loads(path.read_text())
        charts = tuple(str(values.get("allowed_charts", "")).split())
        return cls(str(values["portal_url"]).rstrip("/"), str(values["cell"]), str(values["enrolment_token"]), charts)


class Identity:
    """Shared by the threads of one agent; each brings its own connection."""

    def __init__(self, config: Config, folder: Path, *, rotate_every: float) -> None:
        self.config = config
        self.folder = folder
        self.rotate_every = rotate_every
        self._lock = threading.Lock()
        self._token = ""
        self._token_until = 0.0
        self._clock_offset = 0.0

    def now(self) -> float:
        """The portal's time, as far as it has told."""
        return time.time() + self._clock_offset

    def set_clock(self, portals: float) -> None:
        """What the portal's clock says now."""
        self._clock_offset = portals - time.time()

    def call(self, portal: Portal, method: str, path: str, body: bytes | None = None, **more: Any) -> Any:
        """As the enrolled agent. Raises PortalAwayError, RefusedError."""
        headers = {**more.pop("headers", {}), **({"Content-Type": "application/json"} if body else {})}
        token = self.access_token(portal)
        try:
            return portal.call(method, path, body, {**headers, "Authorization": f"Bearer {token}"}, **more)
        except RefusedError as refused:
            if refused.code != "token_expired":
                self._learn(refused)
                raise
        self.forget_token()
        return portal.call(method, path, body, {**headers, "Authorization": f"Bearer {self.access_token(portal)}"}, **more)

    def access_token(self, portal: Portal) -> str:
        with self._lock:
            if time.monotonic() >= self._token_until:
                self._renew(portal)
            return self._token

    def forget_token(self) -> None:
        with self._lock:
            self._token_until = 0.0

    @property
    def first_seq(self) -> int:
        """The number from which this agent counts its reports."""
        return int((files.read(self.folder / "identity.json") or {}).get("first_seq", 1))

    # --- Each step is written down before the next, so that a killed one is done again with the same key ---

    def _renew(self, portal: Portal) -> None:
        self._enrol(portal)
        try:
            self._rotate(portal)
        except RefusedError as refused:
            # The key in use is as good as it was; another one is asked for with the next token.
            if refused.code != "too_many_keys":
                raise
        self._fetch_token(portal)

    def _enrol(self, portal: Portal) -> None:
        """With a token that this directory has not yet used: at the first start, or after the portal has thrown the agent out."""
        mark = fingerprint(self.config.enrolment_token)
        known = files.read(self.folder / "identity.json")
        if known and known["enrolled_with"] == mark:
            (self.folder / "enrolling.json").unlink(missing_ok=True)
            return
        begun = files.read(self.folder / "enrolling.json")
        if not begun or begun["enrolled_with"] != mark:
            begun = {"pem": Key.make().pem, "enrolled_with": mark}
            files.write(self.folder / "enrolling.json", begun)
        key = Key(begun["pem"])
        asked = {
            "token": self.config.enrolment_token,
            "cell": self.config.cell,
            "public_jwk": key.public_jwk(),
            "agent_version": VERSION,
            "proof": key.sign(self._claims(f"{self.config.portal_url}/agent/v1/enrolments")),
        }
        answer = self._post(portal, "/agent/v1/enrolments", json.dumps(asked).encode(), JSON).body
        self._keep(begun["pem"], answer["key_id"], mark, answer["first_seq"])
        (self.folder / "enrolling.json").unlink(missing_ok=True)

    def _rotate(self, portal: Portal) -> None:
        known = files.read(self.folder / "identity.json")
        begun = files.read(self.folder / "rotating.json")
        if not begun:
            if time.time() < known["made_at"] + self.rotate_every:
                return
            begun = {"pem": Key.make().pem, "replaces": known["key_id"]}
            files.write(self.folder / "rotating.json", begun)
        if begun["replaces"] == known["key_id"]:
            # The new key counts from the moment at which it is first used; until then the old one does.
            self._fetch_token(portal)
            key, current = Key(begun["pem"]), Key(known["pem"], known["key_id"])
            claims = self._claims(f"{self.config.portal_url}/agent/v1/keys")
            approval = current.sign({**claims, "jti": key.thumbprint()})
            asked = {"public_jwk": key.public_jwk(), "proof": key.sign(claims), "approval": approval}
            headers = {**JSON, "Authorization": f"Bearer {self._token}"}
            answer = self._post(portal, "/agent/v1/keys", json.dumps(asked).encode(), headers).body
            self._keep(begun["pem"], answer["key_id"], known["enrolled_with"], known["first_seq"])
        (self.folder / "rotating.json").unlink()

    def _keep(self, pem: str, key_id: str, mark: str, first_seq: int) -> None:
        value = {"pem": pem, "key_id": key_id, "enrolled_with": mark, "first_seq": first_seq, "made_at": time.time()}
        files.write(self.folder / "identity.json", value)

    def _fetch_token(self, portal: Portal) -> None:
        known = files.read(self.folder / "identity.json")
        key = Key(known["pem"], known["key_id"])
        form = {"grant_type": "client_credentials", "client_assertion_type": BEARER}

        def body() -> bytes:
            assertion = key.sign(self._claims(f"{self.config.portal_url}/agent/v1/token"))
            return urlencode({**form, "client_assertion": assertion}).encode()

        try:
            answer = self._post(portal, "/agent/v1/token", body(), FORM).body
        except RefusedError as refused:
            if refused.code != "clock_skew":
                raise
            answer = self._post(portal, "/agent/v1/token", body(), FORM).body
        self._token = answer["access_token"]
        self._token_until = time.monotonic() + max(1.0, answer["expires_in"] - EARLY_SECONDS)

    def _claims(self, audience: str) -> dict[str, Any]:
        now = int(self.now())
        return {
            "iss": self.config.cell,
            "sub": self.config.cell,
            "aud": audience,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }

    def _post(self, portal: Portal, path: str, body: bytes, headers: dict[str, str]) -> Any:
        try:
            return portal.call("POST", path, body, headers)
        except RefusedError as refused:
            self._learn(refused)
            raise

    def _learn(self, refused: RefusedError) -> None:
        """The portal's clock, which counts, where it says that ours is wrong."""
        if refused.code == "clock_skew" and refused.server_time:
            self._clock_offset = refused.server_time - time.time()
