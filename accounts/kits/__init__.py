"""Onboarding kits: what a customer runs in its own cloud, and what it says of itself.

load("aws").permissions   load("aws").routes(target, publication)   load("aws").shipped(target)
"""

from functools import cache
from importlib import import_module

from accounts.kits.base import CloudKit

KITS = {
    "aws": "accounts.kits.aws.kit:AwsKit",
    "gcp": "accounts.kits.gcp.kit:GcpKit",
    "azure": "accounts.kits.azure.kit:AzureKit",
}


@cache
def load(cloud: str) -> CloudKit:
    """The kit of one cloud, in the version that is shipped now. Raises KeyError for a cloud without one."""
    module, name = KITS[cloud].split(":")
    kit: CloudKit = getattr(import_module(module), name)()
    return kit


__all__ = ["KITS", "CloudKit", "load"]
