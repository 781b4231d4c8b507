"""Which hosts talk to which: from the settings, and what each cloud's kit says of links and calls."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from accounts import kits
from accounts.clouds.base import Target
from accounts.kit_links import publication

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Connection:
    """One direction of talk, opened by `source`."""

    source: str
    host: str
    port: int
    purpose: str


def connections(cloud: str) -> list[Connection]:
    """Every one that a firewall would have to let through. Nothing dials into the customer's network."""
    kit = kits.load(cloud)
    portal = _("Browsers of the customer's people")
    found = [_to(portal, settings.PORTAL_URL, _("The portal's pages, and links in its mails"))]
    cloud_words = {"cloud": kit.words.cloud}
    issuer = _("Key set and discovery document, to check a token's signature. Public, and asks for nothing.")
    found.append(_to(_("%(cloud)s itself") % cloud_words, settings.ISSUER_URL, issuer))
    published = publication(cloud)
    if published.is_published:
        found.append(_to(_("Whoever runs the kit, and the cloud's console"), published.url(""), _("Files of the kit, named by their hash")))
    found += [_to(portal, link, _("Console of the cloud, opened by a link of the portal")) for link in _console_links(cloud)]
    if kit.words.is_report_needed:
        found.append(
            _to(_("The kit's own script"), settings.PORTAL_URL, _("Says what the kit made. It is believed never, and may be blocked."))
        )
    asks = _("Signs in with a token, reads, and changes what the kit permits")
    found += [Connection(_("The portal"), host, port, asks) for host, port in _cloud_hosts(cloud)]
    return list(dict.fromkeys(found))


def _cloud_hosts(cloud: str) -> list[tuple[str, int]]:
    traffic = kits.load(cloud).traffic
    moved = [os.environ[name] for name in traffic.moved_by if os.environ.get(name)]
    if moved:
        return [_host_and_port(url) for url in moved]
    return [(host, 443) for host in traffic.hosts]


def _console_links(cloud: str) -> Iterator[str]:
    """Where links of the run page lead, apart from what is published."""
    kit = kits.load(cloud)
    example = Target(
        account="00000000-0000-4000-8000-000000000000",
        external_id="000000000000",
        region=kit.default_region,
        suffix="00000000-g1",
        generation=1,
        kit_version=kit.version,
        kit_hash=kit.content_hash,
        issuer=settings.ISSUER_URL,
        audience="",
        identity={question.name: "0" for question in kit.identity_fields},
    )
    yield from (act.link for route in kit.routes(example, publication(cloud)) for act in route.acts if act.link)


def _to(source: str, url: str, purpose: str) -> Connection:
    host, port = _host_and_port(url)
    return Connection(source, host, port, purpose)


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
