"""The Azure kit and one subscription that it is made for."""

from pathlib import Path

from accounts.clouds.base import Target
from accounts.kits.azure import template
from accounts.kits.azure.kit import AUDIENCE, AzureKit
from tests.clouds.azure.account import SUBSCRIPTION, TENANT

KIT = AzureKit()
TARGET = Target(
    account="3f9a1c2e-0000-4000-8000-000000000001",
    external_id=SUBSCRIPTION,
    region="germanywestcentral",
    suffix="3f9a1c2e-g9999",  # the longest there is
    generation=9999,
    kit_version=KIT.version,
    kit_hash=KIT.content_hash,
    issuer="https://identity.a-rather-long-name-of-a-provider.example.com/trust/3f9a1c2e-0000-4000-8000-000000000001/g9999",
    audience=AUDIENCE,
    identity={"tenant_id": TENANT},
)
SCRIPT = Path(template.SCRIPT_PATH)
