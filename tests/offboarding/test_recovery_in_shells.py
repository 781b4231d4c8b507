"""The recovery kit as a person pastes it: the page's own command in a played shell that runs the portal's scripts and no other."""

import html
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from portal.embedded.ports import free_port
from tests.accounts.test_connect_gcp import publish
from tests.clouds.azure.account import SUBSCRIPTION, TENANT
from tests.clouds.gcp.google import NUMBER, PROJECT
from tests.factories import make_cloud_account, make_kit
from tests.local_cloud import LocalCloud, running
from tests.offboarding import shells
from tests.offboarding.guards import make_offboarding

PLACES = {"gcp": (PROJECT, {"project_number": NUMBER}, "europe-west3"), "azure": (SUBSCRIPTION, {"tenant_id": TENANT}, "westeurope")}


@dataclass
class Kept:
    """A local cloud as the demo starts it, over the same folder each time."""

    portal_url: str
    folder: Path
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in ("console", "aws", "smtp", "gcp", "azure")})

    def started(self):
        words = [word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))]
        words += ["--state-dir", str(self.folder / "state"), "--kit-script", str(self.folder / "recovery-kits")]
        return running(self.portal_url, self.folder / "sandbox.log", *words, scripts=())


@pytest.fixture
def kept(live_server, tmp_path):
    return Kept(live_server.url, tmp_path)


def make_stuck(cloud, acme, alice):
    """Connected by a kit that its customer has removed while the account left."""
    external_id, identity, region = PLACES[cloud]
    account = make_cloud_account(
        organisation=acme, created_by=alice, cloud=cloud, name="Main", external_id=external_id, identity=identity, home_region=region,
        state="offboarding", connected_at=timezone.now(),
    )  # fmt: skip
    make_kit(account=account, ran_at=timezone.now())
    make_offboarding(account=account, by=alice, state="stuck", code="offboarding_kit_gone")
    return account


def command_of(page: str) -> str:
    """What the page's button copies."""
    (command,) = {html.unescape(found) for found in re.findall(r">(curl -fsSLo byoc-recovery\.sh.+?)</code>", page, re.DOTALL)}
    return command


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cloud", PLACES)
def test_recovery_command_of_the_page_runs_in_the_shell_and_again_after_a_restart(cloud, kept, acme, alice, client, monkeypatch):
    account = make_stuck(cloud, acme, alice)
    client.force_login(alice)
    call_command("write_recovery_kits", kept.folder / "recovery-kits", verbosity=0)

    def paste(sandbox: LocalCloud) -> tuple[int, str]:
        page = client.get(f"/o/acme/accounts/{account.pk}/offboarding/").text
        return shells.run(sandbox, cloud, account.external_id, command_of(page))

    with kept.started() as sandbox:
        publish(sandbox, monkeypatch)
        first = paste(sandbox)
        sandbox.control("POST", "snapshot")
    with kept.started() as sandbox:
        again = paste(sandbox)

    for code, said in (first, again):
        assert (code, "byoc-recovery.sh: OK" in said) == (0, True), said
