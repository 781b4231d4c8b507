"""What cells add to the security package: the agent, whom it calls and what it tells; and what is written down of it, cloud by cloud."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts import kits
from accounts.models import Organisation
from accounts.security.hosts import Connection
from accounts.security.inside import Flow, Inside, Record
from cells import stacks
from cells.models import Release


def of_cells(organisation: Organisation, cloud: str) -> Inside:
    return Inside(tuple(_connections(cloud)), _flows(organisation), _records(cloud))


def _connections(cloud: str) -> Iterator[Connection]:
    machine = _("The agent's machine in a cell")
    portal = urlsplit(settings.AGENT_URL)
    port = portal.port or (80 if portal.scheme == "http" else 443)
    told = _("Fetches the agent's own file and what shall run, and reports how it is. The portal never calls it.")
    yield Connection(machine, portal.hostname or "", port, told)
    for called in stacks.load(cloud).calls():
        yield Connection(machine, called.host, called.port, str(called.purpose))
    for host in sorted(_chart_hosts()):
        yield Connection(machine, host, 443, _("Charts of what is installed. Each is compared with the SHA-256 of its release."))


def _chart_hosts() -> set[str]:
    """As configured, and as releases are offered from now."""
    named = [*settings.AGENT_CHARTS, *(component["chart"] for component in settings.PLATFORM_COMPONENTS)]
    named += Release.objects.filter(is_offered=True).values_list("chart", flat=True).distinct()
    return {urlsplit(chart).hostname or "" for chart in named} - {""}


def _flows(organisation: Organisation) -> tuple[Flow, ...]:
    agent, portal = _("The agent in a cell"), _("The portal")
    return (
        Flow(
            agent,
            portal,
            _("States, counts, versions, addresses and figures of the cell and its instances, signed with the agent's own key"),
            _("Data, logs, secrets or settings of your instances: reports have no field for them"),
            reverse("cells:visible", args=[organisation.slug]),
        ),
        Flow(
            portal,
            agent,
            _("Answers to its calls: which charts of which hash shall run, in which size, with which settings you chose"),
            _("Commands to run: the agent installs charts, and does what is on a fixed list of orders, and nothing else"),
        ),
        Flow(
            agent,
            portal,
            _(
                "Answers to orders under support access that you have approved, or for a diagnostic bundle that you look through first: "
                "states, events and, where you allow it, log lines without known kinds of secrets"
            ),
            _("Anything without an order, or after the end of the access: the agent checks the end itself"),
            reverse("cells:visible", args=[organisation.slug]),
        ),
    )


def _records(cloud: str) -> tuple[Record, ...]:
    names = {"cloud": kits.load(cloud).words.cloud}
    own = (
        Record(
            _("What the operator asked of %(cloud)s") % names,
            _("The audit log of your account, as %(cloud)s keeps it") % names,
            _("You. We can neither change nor delete it."),
        ),
    )
    kept = tuple(Record(str(one.what), str(one.where), str(one.reader)) for one in stacks.load(cloud).records())
    return own + kept
