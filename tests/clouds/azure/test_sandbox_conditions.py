"""The local Azure's conditions and workflows: what is played holds, and anything else is refused and told of."""

from datetime import UTC, datetime
from typing import Any

import pytest

from portal.sandbox.azure.conditions import ConditionError, parse
from portal.sandbox.azure.logic.expressions import Known, WorkflowError, value
from tests.clouds.azure.account import AzureAccount
from tests.clouds.conftest import SandboxProcess, TestIssuer

ONE, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
WRITE, DELETE = "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"
ROLE = "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals"
GUARDED = f"((!(ActionMatches{{'{WRITE}'}})) OR ({ROLE} {{{ONE}, {OTHER.upper()}}}))"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("action", "role", "holds"),
    [(WRITE, ONE, True), (WRITE.lower(), OTHER, True), (WRITE, "3" * 8, False), (WRITE, "", False), (DELETE, "", True)],
)
def test_condition_asks_of_the_action_that_it_names(action: str, role: str, holds: bool) -> None:
    assert parse(GUARDED).holds(action, {"Request:RoleDefinitionId": role}) is holds


@pytest.mark.parametrize(
    "text",
    [
        "", "(", f"{GUARDED} AND", f"{GUARDED} {GUARDED}", f"{ROLE} {{Reader}}", "@Principal[x] StringEquals 'a'",
        f"{GUARDED} AND ({ROLE} {{{ONE}}}", "x" * 9000,
    ],
)  # fmt: skip
def test_condition_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConditionError):
        parse(text)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("@last(split('a until b', ' until '))", "b"),
        ("@less('2026-11-22T11:59:59Z', utcNow('yyyy-MM-ddTHH:mm:ssZ'))", True),
        ("@addHours(utcNow(), 25, 'yyyy-MM-ddTHH:mm:ssZ')", "2026-11-23T13:00:00Z"),
        ("@coalesce(item()?['properties']?['description'], 'none')", "none"),
        ("https://x@{item()['id']}?a=b", "https://x/one?a=b"),
        ("plain", "plain"),
    ],
)
def test_expression_is_worked_out(expression: str, found: Any) -> None:
    assert value(expression, Known(NOW, item={"id": "/one"})) == found


@pytest.mark.parametrize("expression", ["@guid()", "@item()['missing']", "@and(1, true)", "@utcNow('d')", "@last(", "@less('a', 1)"])
def test_expression_that_is_not_played_is_refused(expression: str) -> None:
    with pytest.raises(WorkflowError):
        value(expression, Known(NOW, item={}))


@pytest.mark.parametrize(
    ("kind", "path", "body"),
    [
        ("condition", "providers/Microsoft.Authorization/roleAssignments", {"condition": "@Principal[x]", "conditionVersion": "2.0"}),
        ("workflow", "resourceGroups/byoc/providers/Microsoft.Logic/workflows", {"definition": {"triggers": {"Now": {"type": "Request"}}}}),
    ],
)
def test_what_is_not_played_is_recorded(sandbox: SandboxProcess, issuer: TestIssuer, kind: str, path: str, body: dict[str, Any]) -> None:
    account = AzureAccount(sandbox, issuer)
    account.owner("PUT", "/resourceGroups/byoc", {"location": "westeurope"})
    account.control("PATCH", "subscriptions", {"id": account.subscription, "registered": ["Microsoft.Logic"]})
    given = {"roleDefinitionId": f"{account.scope}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"}
    properties = body | ({**given, "principalId": ONE, "principalType": "ServicePrincipal"} if kind == "condition" else {})
    version = "2022-04-01" if kind == "condition" else "2019-05-01"

    answer = account.owner("PUT", f"/{path}/{ONE}", {"location": "westeurope", "properties": properties} if kind == "workflow"
                           else {"properties": properties}, version=version)  # fmt: skip

    assert answer.status == 400
    assert [found["kind"] for found in sandbox.control("GET", "violations")] == [kind]
    sandbox.control("POST", "reset")
