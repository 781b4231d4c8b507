"""What is left of cells in one region, whatever made it: by labels, or by the words of a description.

Networks, subnets, routers and firewall rules take no labels on Google Cloud: the plan writes the same into their description. What stands
in a cell's network without either keeps the network itself from being deleted, and so shows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from accounts.clouds.gcp.clients import Session
from accounts.clouds.gcp.shipped import ShippedKit
from accounts.clouds.stacks import StackPart

CONSOLE = "https://console.cloud.google.com"
# The console's page of what Terraform or an address calls so.
PAGES = (
    (r"projects/(?P<p>[^/]+)/global/networks/(?P<n>[^/]+)", "networking/networks/details/{n}"),
    (r"projects/(?P<p>[^/]+)/global/firewalls/(?P<n>[^/]+)", "networking/firewalls/details/{n}"),
    (r"projects/(?P<p>[^/]+)/regions/(?P<r>[^/]+)/subnetworks/(?P<n>[^/]+)", "networking/subnetworks/details/{r}/{n}"),
    (r"projects/(?P<p>[^/]+)/regions/(?P<r>[^/]+)/routers/(?P<n>[^/]+)", "hybrid/routers/details/{r}/{n}"),
    (r"projects/(?P<p>[^/]+)/zones/(?P<r>[^/]+)/instances/(?P<n>[^/]+)", "compute/instancesDetail/zones/{r}/instances/{n}"),
    (r"projects/(?P<p>[^/]+)/zones/(?P<r>[^/]+)/disks/(?P<n>[^/]+)", "compute/disksDetail/zones/{r}/disks/{n}"),
    (r"projects/(?P<p>[^/]+)/locations/(?P<r>[^/]+)/clusters/(?P<n>[^/]+)", "kubernetes/clusters/details/{r}/{n}"),
)


class Leftovers:
    """One region of one project, seen by the operator account."""

    def __init__(self, session: Session, shipped: ShippedKit, region: str, tags: Mapping[str, str]) -> None:
        self._session = session
        self._project = shipped.project
        self._prefix = shipped.prefix
        self._region = region
        self._tags = tags

    def find(self) -> Sequence[StackPart]:
        parts = []
        for kind, path in (("network", "global/networks"), ("firewall", "global/firewalls"), *self._regional()):
            parts += [_part(f"google_compute_{kind}", found) for found in self._listed(path) if self._is_ours_here(found)]
        for kind, collection in (("google_compute_instance", "instances"), ("google_compute_disk", "disks")):
            parts += [_part(kind, found) for found in self._in_zones(collection) if self._is_ours(found)]
        parts += [_part("google_container_cluster", found) for found in self._clusters() if self._is_ours(found)]
        return parts

    def _regional(self) -> list[tuple[str, str]]:
        names = {"subnetwork": "subnetworks", "router": "routers", "forwarding_rule": "forwardingRules"}
        return [(kind, f"regions/{self._region}/{path}") for kind, path in names.items()]

    # --- whose it is ---

    def _is_ours(self, found: Mapping[str, Any]) -> bool:
        said = dict(word.split("=", 1) for word in str(found.get("description", "")).split() if "=" in word)
        said |= found.get("labels") or found.get("resourceLabels") or {}
        return all(said.get(name) == value for name, value in self._tags.items())

    def _is_ours_here(self, found: Mapping[str, Any]) -> bool:
        return self._is_ours(found) and ("region" in found or self._is_here(found["name"]))

    def _is_here(self, name: str) -> bool:
        """What belongs to no region has the region in its name."""
        return name == f"{self._prefix}{self._region}" or name.startswith(f"{self._prefix}{self._region}-")

    # --- what there is ---

    def _listed(self, path: str) -> list[dict[str, Any]]:
        pages = self._session.pages("compute", f"/compute/v1/projects/{self._project}/{path}", "leftovers")
        return [found for page in pages for found in page.get("items", [])]

    def _in_zones(self, collection: str) -> Iterator[dict[str, Any]]:
        # The metadata of machines, where some keep secrets, is nobody's business.
        fields = f"items/*/{collection}(name,labels,description,selfLink),nextPageToken"
        path = f"/compute/v1/projects/{self._project}/aggregated/{collection}"
        for page in self._session.pages("compute", path, "leftovers", fields=fields):
            for scope, found in (page.get("items") or {}).items():
                if scope.startswith(f"zones/{self._region}-"):
                    yield from found.get(collection, [])

    def _clusters(self) -> list[dict[str, Any]]:
        answer = self._session.get("container", f"/v1/projects/{self._project}/locations/-/clusters", "leftovers")
        return [found for found in answer.get("clusters", []) if found.get("location") == self._region]


def _part(kind: str, found: Mapping[str, Any]) -> StackPart:
    made = str(found.get("selfLink", found["name"])).removeprefix("https://www.googleapis.com/compute/v1/")
    return StackPart(kind, str(found["name"]), made, "ready", link=console_page(made))


def console_page(made: str) -> str:
    """Empty for what has no page of its own."""
    for pattern, page in PAGES:
        if known := re.search(f"{pattern}$", made):
            parts = known.groupdict()
            return f"{CONSOLE}/{page.format(**parts)}?project={parts['p']}"
    return ""
