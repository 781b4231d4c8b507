"""`/authenticator/`: plays the phone of the demo's staff and engineers, whose pages ask for a code, and of whoever sets one up."""

import base64
import binascii
import hashlib
import hmac
import struct
import time

from portal.sandbox import wire
from portal.sandbox.console.html import NOTHING, Markup, fill, page
from portal.sandbox.request import Request

STAFF = "Authenticator of the demo – plays the phone of staff@, support@ and checker@fernhill.example"
ANYBODY = "Authenticator of the demo – plays the phone of whoever scans a code in the portal"
PERIOD = 30  # seconds a code is valid, RFC 6238


class AuthenticatorPages:
    def __init__(self, secret: str) -> None:
        self.secret = secret

    async def __call__(self, request: Request) -> wire.Reply:
        if "other" in request.query:
            return ask(NOTHING)
        typed = request.query.get("secret", [""])[0]
        if typed:
            return of_secret(typed)
        if not self.secret:
            body = fill("<p>This demo was started without PORTAL_DEMO_TOTP_SECRET.</p>{more}", more=OTHER)
            return page("No authenticator", body, banner=STAFF, status=404)
        own = fill("<p>For an app of your own, the secret is <code>{secret}</code>.</p>{more}", secret=self.secret, more=OTHER)
        return show(self.secret, own, banner=STAFF)


OTHER = Markup('<p><a href="/authenticator/?other">Play the phone of somebody else</a>, who sets up an authenticator app here.</p>')


def ask(problem: Markup) -> wire.Reply:
    body = fill(
        "<p>Sign in as that person, open Security, and add an authenticator app. Copy the secret that the portal shows there.</p>"
        '{problem}<form method="get" action="/authenticator/" class="narrow"><p><label for="secret">Secret</label>'
        '<input id="secret" name="secret" required autocomplete="off" spellcheck="false"></p><p><button>Show the codes</button></p></form>',
        problem=problem,
    )
    return page("Another phone", body, banner=ANYBODY)


def of_secret(typed: str) -> wire.Reply:
    """The codes of a secret as the portal shows it; anything else is asked for once more."""
    secret = "".join(typed.split()).upper()
    try:
        code_at(secret, 0)
    except (binascii.Error, ValueError):
        return ask(Markup("<p><strong>This is no secret: it has letters A to Z and digits 2 to 7 only.</strong></p>"))
    return show(secret, fill("<p>Keep this page open: whoever signs in with this phone needs its codes again.</p>"), banner=ANYBODY)


def show(secret: str, more: Markup, *, banner: str) -> wire.Reply:
    now = time.time()
    body = fill(
        '<p>Enter this code after the password.</p><p><code id="code">{code}</code></p><p>Valid for {left} more seconds, once.'
        " This page shows the next one by itself.</p>{more}",
        code=code_at(secret, now),
        left=PERIOD - int(now) % PERIOD,
        more=more,
    )
    return page("Your code", body, banner=banner, refresh=True)


def code_at(secret: str, moment: float) -> str:
    """The six digits of a base32 secret at a Unix time (RFC 6238: SHA-1, 30 seconds)."""
    key = base64.b32decode(secret)
    digest = hmac.digest(key, struct.pack(">Q", int(moment) // PERIOD), hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"
