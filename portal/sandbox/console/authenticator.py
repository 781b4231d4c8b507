"""`/authenticator/`: plays the phone of the demo's staff, who need a code to enter the administration."""

import base64
import hashlib
import hmac
import struct
import time

from portal.sandbox import wire
from portal.sandbox.console.html import fill, page
from portal.sandbox.request import Request

BANNER = "Authenticator of the demo – plays the phone of staff@fernhill.example"
PERIOD = 30  # seconds a code is valid, RFC 6238


class AuthenticatorPages:
    def __init__(self, secret: str) -> None:
        self.secret = secret

    async def __call__(self, request: Request) -> wire.Reply:
        if not self.secret:
            body = fill("<p>This demo was started without PORTAL_DEMO_TOTP_SECRET.</p>")
            return page("No authenticator", body, banner=BANNER, status=404)
        now = time.time()
        body = fill(
            '<p>Enter this code after the password.</p><p><code id="code">{code}</code></p><p>Valid for {left} more seconds, once.'
            " This page shows the next one by itself.</p><p>For an app of your own, the secret is <code>{secret}</code>.</p>",
            code=code_at(self.secret, now),
            left=PERIOD - int(now) % PERIOD,
            secret=self.secret,
        )
        return page("Your code", body, banner=BANNER, refresh=True)


def code_at(secret: str, moment: float) -> str:
    """The six digits of a base32 secret at a Unix time (RFC 6238: SHA-1, 30 seconds)."""
    key = base64.b32decode(secret)
    digest = hmac.digest(key, struct.pack(">Q", int(moment) // PERIOD), hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"
