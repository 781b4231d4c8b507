"""What stands in a project, to read: networks, machines, clusters, deployments. As a script looks for what is left."""

from collections.abc import Callable
from typing import Any

from portal.sandbox.shell.gcloud.api import Api
from portal.sandbox.shell.gcloud.words import Command, Words, command

Lister = Callable[[Api, Words], Any]


def _compute(words: Words) -> str:
    return f"/compute/compute/v1/projects/{words.project}"


def _global(collection: str) -> Lister:
    def run(api: Api, words: Words) -> Any:
        return api.every(f"{_compute(words)}/global/{collection}", "items")

    return run


def _aggregated(collection: str) -> Lister:
    def run(api: Api, words: Words) -> Any:
        pages = api.call("GET", f"{_compute(words)}/aggregated/{collection}?includeAllScopes=true").get("items", {})
        return [found for place in pages.values() for found in place.get(collection, [])]

    return run


def _regional(collection: str) -> Lister:
    def run(api: Api, words: Words) -> Any:
        places = words.get("regions").split(",")
        return [found for place in places for found in api.every(f"{_compute(words)}/regions/{place}/{collection}", "items")]

    return run


def _clusters(api: Api, words: Words) -> Any:
    return api.call("GET", f"/container/v1/projects/{words.project}/locations/-/clusters").get("clusters", [])


def _deployments(api: Api, words: Words) -> Any:
    return api.every(f"/config/v1/projects/{words.project}/locations/{words.get('location')}/deployments", "deployments")


COMMANDS: dict[str, Command] = {
    "compute networks list": command(_global("networks")),
    "compute networks subnets list": command(_aggregated("subnetworks")),
    "compute firewall-rules list": command(_global("firewalls")),
    "compute instances list": command(_aggregated("instances")),
    "compute disks list": command(_aggregated("disks")),
    "compute addresses list": command(_aggregated("addresses")),
    "compute routers list": command(_regional("routers"), required="regions"),
    "compute forwarding-rules list": command(_regional("forwardingRules"), required="regions"),
    "container clusters list": command(_clusters),
    "infra-manager deployments list": command(_deployments, required="location", is_anywhere=True),
}
