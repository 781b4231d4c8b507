"""What the tests of the Azure adapter stand on: the played account with and without the kit, and edits of it."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.clouds.base import CloudError
from tests.clouds.azure.played import ACCOUNT, PlayedAzure, addresses
from tests.clouds.conftest import SandboxProcess, TestIssuer

ROOT = "/providers/Microsoft.Authorization"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.fixture
def played(sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> PlayedAzure:
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    return PlayedAzure(sandbox, issuer)


@pytest.fixture
def standing(played: PlayedAzure) -> PlayedAzure:
    """The kit was run and stands as shipped."""
    assert played.run_kit() == "Succeeded"
    return played


def refusal(call: Callable[[], object]) -> CloudError:
    with pytest.raises(CloudError) as caught:
        call()
    return caught.value


def credential(played: PlayedAzure, identity: str, name: str, group: str = "", **changes: Any) -> None:
    subject = f"account:{ACCOUNT}:{'support' if identity == 'support' else 'ops'}"
    shipped = {"issuer": played.target.issuer, "subject": subject, "audiences": ["api://AzureADTokenExchange"]}
    played.put(f"{played.identity(identity, group)}/federatedIdentityCredentials/{name}", {**shipped, **changes})


def let_ops_open_support_too(played: PlayedAzure) -> None:
    credential(played, "support", "second", subject=f"account:{ACCOUNT}:ops")


def delete_support_credential(played: PlayedAzure) -> None:
    played.remove(f"{played.identity('support')}/federatedIdentityCredentials/portal")


def write_role(played: PlayedAzure, name: str, edit: Callable[[dict[str, Any]], None]) -> None:
    role = played.role(name)
    properties = {key: role["properties"][key] for key in ("roleName", "description", "type", "permissions", "assignableScopes")}
    edit(properties)
    played.put(f"{ROOT}/roleDefinitions/{role['name']}", properties)


def narrow_operator(played: PlayedAzure) -> None:
    write_role(played, "operator", lambda role: role["permissions"][0]["actions"].remove("Microsoft.Authorization/locks/read"))
