"""What the tests of the Google Cloud adapter stand on: the played project with and without the kit."""

from collections.abc import Callable

import pytest

from accounts.clouds.base import CloudError, Needs
from tests.clouds.conftest import SandboxProcess, TestIssuer
from tests.clouds.gcp.google import PROJECT
from tests.clouds.gcp.played import PlayedGcp

NEEDS = Needs(vcpus=16, networks=1, addresses=2, cidr="10.64.0.0/16", name_prefix="byoc-3f9a1c2e-")
IAM = f"/iam/v1/projects/{PROJECT}"


@pytest.fixture
def played(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> PlayedGcp:
    monkeypatch.setenv("PORTAL_GCP_URL", sandbox.google)
    return PlayedGcp(sandbox, issuer)


@pytest.fixture
def standing(played: PlayedGcp) -> PlayedGcp:
    """The kit was run and stands as shipped."""
    played.run_kit()
    return played


def refusal(call: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value


def role_deleted(played: PlayedGcp) -> None:
    played.google.done("DELETE", f"/iam/v1/{played.role('support')}")


def found(played: PlayedGcp, check: str, region: str = "europe-west3", needs: Needs = NEEDS):
    (finding,) = played.adapter().check_environment(region, needs, only=[check])
    return finding
