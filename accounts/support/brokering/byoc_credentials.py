#!/usr/bin/env python3
"""Fetch short-lived credentials under one approved support access. One file, needs nothing but Python 3.9 or newer.

    python3 byoc_credentials.py bind https://portal.example CODE      once: the code stands on the session's page for five minutes
    python3 byoc_credentials.py get ID                                as AWS's tools run it: prints a credential_process answer

`bind` makes a key that is kept on this computer (in ~/.byoc, readable by you alone) and of which the portal keeps the hash, and prints the
lines for ~/.aws/config. The portal asks its gate each time: once the access has ended, nothing comes any more.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FOLDER = Path.home() / ".byoc"
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
TRIES, PAUSE_SECONDS = 30, 2
STILL_OPENING = 202


class Refused(Exception):
    """What the portal, or this computer, says against it."""


def bind(portal: str, code: str) -> str:
    """The lines for the configuration of AWS's tools."""
    key = secrets.token_urlsafe(32)
    _status, told = ask(portal, "bind", {"code": code, "key": key, "name": platform.node()[:80]})
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    place = FOLDER / f"{told['device']}.json"
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"portal": portal, "device": told["device"], "key": key}, file)
    here = f'"{sys.executable}" "{Path(__file__).resolve()}" get {told["device"]}'
    return f"[profile {told['profile']}]\nregion = {told['region']}\ncredential_process = {here}\n"


def get(device: str) -> str:
    """The credentials, as AWS's tools read them."""
    if not device.replace("-", "").isalnum():
        raise Refused("This is no ID of a binding.")
    place = FOLDER / f"{device}.json"
    if not place.is_file():
        raise Refused("This computer is not bound. Run `bind` with a code of the session's page.")
    kept = json.loads(place.read_text())
    for _try in range(TRIES):
        status, told = ask(kept["portal"], "credentials", {"device": kept["device"], "key": kept["key"]})
        if status != STILL_OPENING:
            return json.dumps(told)
        time.sleep(PAUSE_SECONDS)
    raise Refused("The session was not opened in time. Try again.")


def ask(portal: str, what: str, content: dict[str, str]) -> tuple[int, dict[str, Any]]:
    address = urlsplit(portal)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOCAL):
        raise Refused("The portal's address begins with https://.")
    body, kind = json.dumps(content).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{portal.rstrip('/')}/support/device/{what}/", data=body, headers=kind, method="POST")  # noqa: S310  checked above
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        raise Refused(_said(error)) from error
    except (urllib.error.URLError, ValueError) as error:
        raise Refused(f"The portal cannot be reached: {error}") from error


def _said(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The portal answered {error.code}."


def main(arguments: list[str]) -> int:
    try:
        if len(arguments) == 3 and arguments[0] == "bind":  # noqa: PLR2004  bind PORTAL CODE
            sys.stdout.write(f"Bound. Add this to ~/.aws/config:\n\n{bind(arguments[1], arguments[2])}")
            return 0
        if len(arguments) == 2 and arguments[0] == "get":  # noqa: PLR2004  get ID
            sys.stdout.write(get(arguments[1]) + "\n")
            return 0
    except (Refused, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(__doc__ or "")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
