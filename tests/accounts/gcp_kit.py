"""The Google Cloud kit and one project that it is made for."""

from dataclasses import replace

import hcl2

from accounts.clouds.base import Target
from accounts.kits.gcp import terraform
from accounts.kits.gcp.kit import GcpKit

KIT = GcpKit()
NUMBER = "123456789012"
TARGET = Target(
    account="3f9a1c2e-0000-4000-8000-000000000001",
    external_id="acme-data-prod-of-europe-2026x1",  # one more than the longest there is
    region="northamerica-northeast1",
    suffix="3f9a1c2e-g9999",  # the longest there is
    generation=9999,
    kit_version=KIT.version,
    kit_hash=KIT.content_hash,
    issuer="https://identity.a-rather-long-name-of-a-provider.example.com/trust/3f9a1c2e-0000-4000-8000-000000000001/g9999",
    audience="",
    identity={"project_number": NUMBER},
)
TARGET = replace(TARGET, external_id=TARGET.external_id[:30])
TARGET = replace(TARGET, audience=KIT.audience(TARGET))
SHIPPED = KIT.shipped(TARGET)


def module() -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for path in sorted(terraform.MODULE_PATH.glob("*.tf")):
        for kind, blocks in hcl2.loads(path.read_text()).items():
            found.setdefault(kind, []).extend(blocks if isinstance(blocks, list) else [])
    return found
