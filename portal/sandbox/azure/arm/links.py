"""Addresses of operations under way: signed, and as long as the real ones, so that a short column cannot keep them."""

import hashlib
import hmac
from urllib.parse import urlencode

from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import World
from portal.sandbox.request import Request

NOISE = 3600
SIGNED = ("t", "c", "s", "h")


def signed(world: World, origin: str, path: str, api_version: str) -> str:
    ticks = str(int(world.now() * 10_000_000))
    noise = (hashlib.sha512(path.encode()).hexdigest() * (NOISE // 128 + 1))[:NOISE]
    query = {"api-version": api_version, "t": ticks, "c": f"MII{noise}", "s": _seal(world, path, ticks, noise), "h": noise[:43]}
    return f"{origin}{path}?{urlencode(query)}"


def check(world: World, request: Request) -> None:
    """Refuses an address that was cut off or put together by hand. Raises ArmError."""
    given = {name: (request.query.get(name) or [""])[0] for name in SIGNED}
    expected = _seal(world, request.path, given["t"], given["c"].removeprefix("MII"))
    if given["h"] != given["c"].removeprefix("MII")[:43] or not hmac.compare_digest(given["s"], expected):
        raise ArmError(400, "InvalidAsyncOperationToken", "The token of the asynchronous operation is missing or damaged.")


def _seal(world: World, path: str, ticks: str, noise: str) -> str:
    return hmac.new(world.seal.encode(), f"{path.lower()}|{ticks}|{noise}".encode(), hashlib.sha256).hexdigest()
