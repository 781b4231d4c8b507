"""Deployments on the local Azure: what a template makes, how long it takes, which mistakes are refused."""

import json
import time
from typing import Any
from uuid import UUID, uuid5

import pytest

from tests.clouds.azure.account import SUBSCRIPTION, AzureAccount, kit
from tests.clouds.azure.deployed import PATH, SCHEMA, account, group, identity, inner_errors, template
from tests.clouds.conftest import TestIssuer

__all__ = ["account", "group"]  # fixtures


def expected(account: AzureAccount, kind: str) -> None:
    assert [entry["kind"] for entry in account.sandbox.control("GET", "violations")] == [kind]
    account.sandbox.control("DELETE", "violations")


# --- Success ---


def test_kit_can_be_deployed_again(account: AzureAccount) -> None:
    first, second = account.deploy(kit()).body, account.deploy(kit()).body

    assert second["properties"]["provisioningState"] == "Succeeded"
    assert second["properties"]["outputs"] == first["properties"]["outputs"]
    assert second["properties"]["outputs"]["tenantId"] == {"type": "String", "value": "11111111-aaaa-4aaa-8aaa-111111111111"}


def test_deployment_runs_by_the_sdk_of_whoever_may(account: AzureAccount, group: str) -> None:
    client = account.deploy(kit(actions=["Microsoft.Resources/*", "Microsoft.ManagedIdentity/*"])).body["properties"]["outputs"][
        "clientId"
    ]["value"]
    body = {"properties": {"mode": "Incremental", "template": template(identity("second"))}}

    done = account.deployments(client).deployments.begin_create_or_update(group, "mine", body).result()

    assert done.properties.provisioning_state == "Succeeded"
    assert [made.id.rpartition("/")[2] for made in done.properties.output_resources] == ["second"]
    listed = account.deployments(client).deployment_operations.list(group, "mine")
    assert [entry.properties.provisioning_state for entry in listed] == ["Succeeded"]


def test_progress_is_paced_and_the_address_of_the_operation_long(account: AzureAccount, group: str) -> None:
    account.sandbox.control("POST", "knobs", {"pace_seconds": 30})
    body = {"properties": {"mode": "Incremental", "template": template(identity("one"), identity("two"))}}

    started = account.owner("PUT", f"/resourceGroups/{group}{PATH}", body)

    states = [account.owner("GET", started.headers["azure-asyncoperation"]).body["status"]]
    for _ in range(3):
        account.control("POST", "clock", {"seconds": 31})
        states.append(account.owner("GET", started.headers["azure-asyncoperation"]).body["status"])
    assert (started.status, started.body["properties"]["provisioningState"]) == (201, "Accepted")
    assert len(started.headers["azure-asyncoperation"]) > 3500
    assert states == ["Accepted", "Running", "Running", "Succeeded"]


def test_active_deployment_is_not_overwritten(account: AzureAccount, group: str) -> None:
    account.sandbox.control("POST", "knobs", {"pace_seconds": 30})
    body = {"properties": {"mode": "Incremental", "template": template(identity())}}
    account.owner("PUT", f"/resourceGroups/{group}{PATH}", body)

    again = account.owner("PUT", f"/resourceGroups/{group}{PATH}", body)

    assert (again.status, again.code) == (409, "DeploymentActive")
    assert account.owner("POST", f"/resourceGroups/{group}{PATH}/cancel").status == 204
    assert account.owner("GET", f"/resourceGroups/{group}{PATH}").body["properties"]["provisioningState"] == "Canceled"


def test_expressions_of_the_language(account: AzureAccount, group: str) -> None:
    outputs = {
        "text": "[concat('a', '-', parameters('name'))]",
        "format": "[format('{0}/{1}', toUpper('x'), variables('list')[1])]",
        "quote": "it's [not] an expression",
        "bracket": "[[literal]",
        "choice": "[if(equals(length(variables('list')), 2), 'two', 'more')]",
        "id": "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials', 'a', 'b')]",
        "group": "[resourceGroup().tags.a]",
        "scope": "[deployment().name]",
        "guid": "[guid('a', 'b')]",
        "chosen": "[coalesce(null(), last(split('a,b', ',')))]",
        "nested": "[variables('deep').inner['key']]",
    }
    body = template(
        parameters={"name": {"type": "string", "defaultValue": "b"}},
        variables={"list": ["one", "two"], "deep": {"inner": {"key": "[toLower('VALUE')]"}}},
        outputs={name: {"type": "string", "value": value} for name, value in outputs.items()},
    )

    found = account.deploy(body, group=group).body["properties"]["outputs"]

    assert {name: entry["value"] for name, entry in found.items()} == {
        "text": "a-b",
        "format": "X/two",
        "quote": "it's [not] an expression",
        "bracket": "[literal]",
        "choice": "two",
        "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/byoc/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a/"
        "federatedIdentityCredentials/b",
        "group": "b",
        "scope": "kit",
        "guid": str(uuid5(UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830"), "a-b")),
        "chosen": "b",
        "nested": "value",
    }


def test_secret_parameters_and_outputs_are_not_shown(account: AzureAccount, group: str) -> None:
    body = template(
        parameters={"secret": {"type": "securestring"}},
        outputs={"secret": {"type": "securestring", "value": "[parameters('secret')]"}},
    )

    done = account.deploy(body, group=group, secret="hush").body

    assert done["properties"]["parameters"] == {}
    assert done["properties"]["outputs"] == {"secret": {"type": "SecureString"}}
    assert "hush" not in json.dumps(done)


def test_body_of_the_cli_is_read_though_it_is_no_json(account: AzureAccount, group: str) -> None:
    text = (
        '{"properties": {"parameters": {}, "mode": "Incremental", template:{\n  "$schema": "%s", // a comment\n'
        '  "contentVersion": "1.0.0.0",\n  "resources": []\n}}}'
    )
    token = account.owner_token()

    answer = account.http(
        "PUT", f"{account.scope}/resourcegroups/{group}{PATH}?api-version=2020-06-01", (text % SCHEMA).encode(),
        Authorization=f"Bearer {token}", Content_Type="application/json",
    )  # fmt: skip

    assert answer.status == 201


def test_validation_makes_nothing(account: AzureAccount, group: str) -> None:
    body = {"properties": {"mode": "Incremental", "template": template(identity())}}

    answer = account.owner("POST", f"/resourceGroups/{group}{PATH}/validate", body)

    assert [made["id"].rpartition("/")[2] for made in answer.body["properties"]["validatedResources"]] == ["ops"]
    assert account.owner("GET", f"/resourceGroups/{group}{PATH}").code == "DeploymentNotFound"


def test_template_at_an_address_that_is_not_public_is_refused(account: AzureAccount, group: str) -> None:
    body = {"properties": {"mode": "Incremental", "templateLink": {"uri": "https://nowhere.example/kit.json"}}}

    answer = account.owner("PUT", f"/resourceGroups/{group}{PATH}", body)

    assert (answer.status, answer.code) == (400, "InvalidTemplateLink")
    assert answer.message.startswith("Unable to download deployment content from 'https://nowhere.example/kit.json'. The tracking Id is ")


# --- Mistakes in a template ---


@pytest.mark.parametrize(
    ("body", "given", "sentence"),
    [
        (
            template(parameters={"word": {"type": "string"}}), {},
            "The value for the template parameter 'word' at line '1' and column '1' is not provided. "
            "Please see https://aka.ms/arm-create-parameter-file for usage details.",
        ),
        (
            template(), {"word": "x"},
            "The following parameters were supplied, but do not correspond to any parameters defined in the template: 'word'. "
            "The parameters defined in the template are: ''.",
        ),
        (
            template(parameters={"word": {"type": "string", "allowedValues": ["a", "b"]}}), {"word": "c"},
            "The provided value 'c' for the template parameter 'word' is not valid. The value 'c' is not part of the allowed "
            "value(s): 'a,b'. "
            "Please see https://aka.ms/arm-create-parameter-file for usage details.",
        ),
        (
            template(identity(dependsOn=["nothing"])), {},
            "The resource 'nothing' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details.",
        ),
        (
            template(identity("a/b")), {},
            "The template resource 'a/b' for type 'Microsoft.ManagedIdentity/userAssignedIdentities' at line '1' and column '1' has "
            "incorrect "
            "segment lengths. A nested resource type must have identical number of segments as its resource name. A root resource "
            "type must "
            "have segment length one greater than its resource name. Please see https://aka.ms/arm-syntax-resources for usage details.",
        ),
        (template(identity(name="[nonsense('x')]")), {}, "The template function 'nonsense' is not valid."),
    ],
)  # fmt: skip
def test_template_is_refused(account: AzureAccount, group: str, body: dict[str, Any], given: dict[str, str], sentence: str) -> None:
    answer = account.deploy(body, group=group, **given)

    assert (answer.status, answer.code, answer.message) == (400, "InvalidTemplate", f"Deployment template validation failed: '{sentence}'.")


def test_circle_of_dependencies_is_refused(account: AzureAccount, group: str) -> None:
    answer = account.deploy(template(identity("a", dependsOn=["b"]), identity("b", dependsOn=["a"])), group=group)

    assert answer.message.startswith("Deployment template validation failed: 'Circular dependency detected on resource: ")


def test_version_that_is_not_known_is_a_violation(account: AzureAccount, group: str) -> None:
    answer = account.deploy(template(identity(apiVersion="2019-01-01")), group=group)

    assert (answer.status, answer.code) == (400, "NoRegisteredProviderFound")
    expected(account, "template")


def test_field_that_is_not_known_is_a_violation(account: AzureAccount, group: str) -> None:
    done = account.deploy(template(identity(properties={"colour": "red"})), group=group).body

    assert inner_errors(done)[0]["code"] == "InvalidRequestContent"
    expected(account, "field")


# --- Memory ---


def test_deployment_under_way_goes_on_after_a_restart(issuer: TestIssuer, tmp_path: Any) -> None:
    from tests.clouds.conftest import start_sandbox

    resolve = (
        "--issuer-resolve",
        f"https://id.portal.test=http://127.0.0.1:{issuer.port}",
        "--state-dir",
        str(tmp_path),
        "--propagation",
        "0",
    )
    first = start_sandbox("--pace", "600", *resolve)
    try:
        account = AzureAccount(first, issuer)
        body = {"location": "westeurope", "properties": {"mode": "Incremental", "template": kit()}}
        started = account.owner("PUT", PATH, body)
        assert started.status == 201
        time.sleep(1.2)  # a snapshot is written twice a second
    finally:
        first.process.kill()
        first.process.communicate()
    second = start_sandbox("--pace", "0", *resolve)
    try:
        account = AzureAccount(second, issuer)
        account.control("POST", "clock", {"seconds": 601})
        done = account.owner("GET", PATH).body
        assert done["properties"]["provisioningState"] == "Succeeded"
        assert account.exchange(done["properties"]["outputs"]["clientId"]["value"]).status == 200
    finally:
        second.stop()
