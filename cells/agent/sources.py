"""Where charts may come from: what this machine was told at its first start, which the portal cannot change afterwards."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

SCHEMES = ("https", "oci")


def is_allowed(chart: str, prefixes: tuple[str, ...] = ()) -> bool:
    """Encrypted, unless it is this machine itself; and under one of the prefixes, where there are any."""
    try:
        parts = urlsplit(chart)
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or ".." in parts.path.split("/") or "%" in parts.path:
        return False
    if parts.scheme not in SCHEMES and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return False
    return not prefixes or any(_is_under(chart, prefix) for prefix in prefixes)


def _is_under(chart: str, prefix: str) -> bool:
    """Whole parts of the address: `oci://a.example/shop` is no prefix of `oci://a.example/shoplifter`."""
    return chart == prefix or chart.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
