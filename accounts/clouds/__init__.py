"""Cloud adapters: the only code that talks to a customer's cloud. Each loads when first used: start-up imports no SDK."""

from importlib import import_module

from accounts.clouds.base import CloudAdapter, Target, TokenSource
from accounts.clouds.stacks import StackCloud
from accounts.clouds.support import SupportCloud

ADAPTERS = {
    "aws": "accounts.clouds.aws.adapter:AwsAdapter",
    "gcp": "accounts.clouds.gcp.adapter:GcpAdapter",
    "azure": "accounts.clouds.azure.adapter:AzureAdapter",
}
STACKS = {
    "aws": "accounts.clouds.aws.stacks:AwsStacks",
    "gcp": "accounts.clouds.gcp.stacks:GcpStacks",
    "azure": "accounts.clouds.azure.stacks:AzureStacks",
}
SUPPORT = {
    "aws": "accounts.clouds.aws.support:AwsSupport",
    "gcp": "accounts.clouds.gcp.support:GcpSupport",
    "azure": "accounts.clouds.azure.support:AzureSupport",
}


def open_account(cloud: str, target: Target, tokens: TokenSource, shipped: object) -> CloudAdapter:
    """The adapter of one account. `shipped` is what the same cloud's kit gives. Nothing is asked of the cloud yet."""
    module, name = ADAPTERS[cloud].split(":")
    adapter: CloudAdapter = getattr(import_module(module), name)(target, tokens, shipped)
    return adapter


def open_stacks(cloud: str, target: Target, tokens: TokenSource, shipped: object) -> StackCloud:
    """The stacks of one account, under the operator identity. Nothing is asked of the cloud yet."""
    module, name = STACKS[cloud].split(":")
    stacks: StackCloud = getattr(import_module(module), name)(target, tokens, shipped)
    return stacks


def open_support(cloud: str, target: Target, tokens: TokenSource, shipped: object) -> SupportCloud:
    """Support access to one account. Nothing is asked of the cloud yet."""
    module, name = SUPPORT[cloud].split(":")
    support: SupportCloud = getattr(import_module(module), name)(target, tokens, shipped)
    return support
