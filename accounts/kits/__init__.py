"""Onboarding kits: what a customer runs in its own cloud, and what it says of itself.

load("aws").permissions   load("aws").launch_url(...)   load("aws").shipped(target)
"""

from functools import cache

from accounts.kits.aws.kit import AwsKit


@cache
def load(cloud: str) -> AwsKit:
    """The kit of one cloud, in the version that is shipped now. Raises KeyError for a cloud without one."""
    return {"aws": AwsKit}[cloud]()


__all__ = ["AwsKit", "load"]
