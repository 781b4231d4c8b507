"""An issued kit as the customer meets it: a Launch-stack link, a CLI command, a Terraform module."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts import kits
from accounts.issuer.addresses import issuer_url
from accounts.kits.manifest import KitResource
from accounts.models import CloudAccount, Kit

ROUTES = {"launch": _("Launch stack"), "cli": _("CLI"), "terraform": _("Terraform")}


@dataclass(frozen=True)
class KitLinks:
    launch_url: str
    template_url: str
    cli_command: str
    cli_check: str
    terraform: str
    # Empty while no module is published: then there is no file to compare.
    terraform_check: str
    module_sha256: str
    stack_name: str
    parameters: dict[str, str]


def kit_links(kit: Kit) -> KitLinks:
    shipped = kits.load(kit.account.cloud)
    parameters = shipped.parameters(
        account=str(kit.account_id),
        generation=kit.generation,
        suffix=kit.suffix,
        issuer_url=issuer_url(kit),
        external_id=kit.account.external_id,
        region=kit.region,
    )
    stack_name = shipped.stack_name(kit.suffix)
    template_url = shipped.template_url(bucket=settings.KITS_BUCKET, region=settings.KITS_REGION, base_url=settings.KITS_URL)
    module_url = shipped.module_url(bucket=settings.KITS_BUCKET, region=settings.KITS_REGION, base_url=settings.KITS_URL)
    common: dict[str, Any] = {"template_url": template_url, "stack_name": stack_name, "parameters": parameters, "region": kit.region}
    return KitLinks(
        launch_url=shipped.launch_url(console_url=settings.AWS_CONSOLE_URL, **common),
        template_url=template_url,
        cli_command=shipped.cli_command(**common),
        cli_check=shipped.check_command(file=shipped.template_file, sha256=shipped.content_hash, url=template_url),
        terraform=shipped.terraform_snippet(parameters=parameters, module_url=module_url),
        terraform_check=shipped.check_command(file="terraform.zip", sha256=shipped.module_hash, url=module_url) if module_url else "",
        module_sha256=shipped.module_hash if module_url else "",
        stack_name=stack_name,
        parameters=parameters,
    )


def installer_policy(cloud: str) -> str:
    """Rights of the person who runs the current kit, for the page. Empty while the kit is not published."""
    shipped = kits.load(cloud)
    template_url = shipped.template_url(bucket=settings.KITS_BUCKET, region=settings.KITS_REGION, base_url=settings.KITS_URL)
    return shipped.installer_policy(template_url=template_url, issuer=settings.ISSUER_URL, bucket=settings.KITS_BUCKET)


def named_resources(account: CloudAccount, generation: int) -> list[tuple[str, KitResource]]:
    """What this kit creates, each with the name it will have in the customer's cloud."""
    kit = Kit(account=account, generation=generation)
    names = {"suffix": kit.suffix, "issuer_path": issuer_url(kit).removeprefix("https://")}
    return [(resource.name.format(**names), resource) for resource in kits.load(account.cloud).resources]
