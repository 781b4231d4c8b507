"""The template of a cell on Azure, and what its parameters and words say: held against each other, the kit, and Microsoft's models."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from accounts.clouds.base import Target
from accounts.kits.azure import template as kit_template
from accounts.kits.azure.kit import AUDIENCE, AzureKit
from cells import stacks
from cells.stacks.azure.stack import AGENT_SIZE, SIZES, SYSTEM_SIZE
from cells.stacks.base import AgentBootstrap, CellInput
from portal.sandbox.azure.template.evaluate import Surroundings, Template
from tests.clouds.azure import models
from tests.clouds.azure.account import SUBSCRIPTION, TENANT

KIT, STACK = AzureKit(), stacks.load("azure")
CELL = "9c4f2b1a-7d3e-4f60-8a21-5b6c7d8e9f01"
TARGET = Target(
    account="3f9a1c2e-0000-4000-8000-000000000001",
    external_id=SUBSCRIPTION,
    region="germanywestcentral",
    suffix="3f9a1c2e-g9999",
    generation=9999,
    kit_version=KIT.version,
    kit_hash=KIT.content_hash,
    issuer="https://portal.example/trust/x/g9999",
    audience=AUDIENCE,
    identity={"tenant_id": TENANT},
)
AGENT = AgentBootstrap("https://portal.example", CELL, "enrol-secret-token", "https://portal.example/agent.pyz", "0" * 64)
INPUT = CellInput(CELL, "germanywestcentral", ("1", "2", "3"), "10.64.0.0/16", "small", 2, AGENT, "cell-g1")
GROUP = "byoc-3f9a1c2e-cell-germanywestcentral"


def document() -> dict[str, Any]:
    return json.loads(STACK.order(TARGET, INPUT).document)


def every_text(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in every_text(inner)] + list(value)
    if isinstance(value, list):
        return [text for inner in value for text in every_text(inner)]
    return [value] if isinstance(value, str) else []


def evaluated(cell: CellInput = INPUT) -> list[dict[str, Any]]:
    """Every resource with its expressions worked out, as the provider would be sent it."""
    order = STACK.order(TARGET, cell)
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    around = Surroundings(
        scope=scope,
        subscription={"id": f"/subscriptions/{SUBSCRIPTION}", "subscriptionId": SUBSCRIPTION, "tenantId": TENANT},
        group={"id": scope, "name": GROUP, "location": cell.region},
        deployment={"name": order.name},
        tenant={"tenantId": TENANT},
        reference=lambda _name, _version, _full: {"keyUriWithVersion": "https://x.vault.azure.net/keys/cell-key/1"},
    )
    template = Template(json.loads(order.document), {**order.parameters, **order.secrets}, around)
    return [template.value(resource) for resource in template.body["resources"]]


def of_type(kind: str, cell: CellInput = INPUT) -> list[dict[str, Any]]:
    return [resource for resource in evaluated(cell) if resource["type"] == kind]


def test_azure_cell_parts_are_the_templates_resources() -> None:
    """A machine's name ends with the version of what it was told; a child is called by its own name."""
    made = [(entry["type"], entry["name"].rpartition("/")[2]) for entry in evaluated()]
    version = STACK.order(TARGET, INPUT).parameters["agentVersion"]

    assert [(part.kind, part.name) for part in STACK.parts()] == [(kind, name.removesuffix(f"-{version}")) for kind, name in made]
    assert all(str(part.why).endswith(".") and str(part.cost).endswith(".") for part in STACK.parts())


def test_azure_cell_bodies_are_as_microsofts_models_say() -> None:
    for resource in evaluated():
        module, name = models.CELL[resource["type"].lower()]
        body = {key: value for key, value in resource.items() if key not in {"type", "apiVersion", "name", "dependsOn"}}

        assert list(models.walk(body, models.model(module, name), resource["name"])) == []


def test_azure_cell_parameters_are_documented_used_and_filled() -> None:
    order, declared = STACK.order(TARGET, INPUT), document()["parameters"]
    texts = " ".join(every_text({key: value for key, value in document().items() if key != "parameters"}))

    assert set(order.parameters) | set(order.secrets) == set(declared)
    assert {name for name, shape in declared.items() if shape["type"] == "secureString"} == set(order.secrets)
    assert not any("defaultValue" in shape for shape in declared.values())
    for name, shape in declared.items():
        assert shape["metadata"]["description"].endswith("."), name
        assert f"parameters('{name}')" in texts, name
        value = {**order.parameters, **order.secrets}[name]
        assert shape.get("minLength", 0) <= len(value) <= shape["maxLength"], name
    for name in document()["variables"]:
        assert f"variables('{name}')" in texts, name


def test_azure_cell_secrets_stay_out_of_outputs_names_and_parameters() -> None:
    order, shown = STACK.order(TARGET, INPUT), document()
    (machine,) = [entry for entry in shown["resources"] if entry["type"].endswith("virtualMachines")]
    system = machine["properties"].pop("osProfile")

    assert (system["adminPassword"], system["customData"]) == ("[parameters('agentPassword')]", "[base64(parameters('agentData'))]")
    rest = every_text([shown["resources"], shown["outputs"], shown["variables"]])
    assert not [text for text in rest if "agentData" in text or "agentPassword" in text]
    assert AGENT.enrolment_token not in json.dumps([dict(order.parameters), dict(order.tags), order.name, order.document])
    assert AGENT.enrolment_token in order.secrets["agentData"]
    assert AGENT.enrolment_token not in order.secrets["agentPassword"]
    assert AGENT.enrolment_token not in repr(order)


def test_azure_cell_everything_bears_its_tags() -> None:
    order = STACK.order(TARGET, INPUT)

    for resource in evaluated():
        held = resource.get("tags") or resource["properties"]["tags"]  # a pool has its own kind of tags
        assert order.tags.items() <= held.items(), resource["name"]
    assert order.tags == STACK.tags(TARGET, CELL) == {"byoc-account": TARGET.account, "byoc-managed": "cell", "byoc-cell": CELL}
    assert STACK.tags(TARGET) == {"byoc-account": TARGET.account, "byoc-managed": "cell"}


def test_azure_cell_has_no_open_door() -> None:
    (cluster,), (machine,) = of_type("Microsoft.ContainerService/managedClusters"), of_type("Microsoft.Compute/virtualMachines")
    access = cluster["properties"]["apiServerAccessProfile"]

    assert (access["enablePrivateCluster"], access["enablePrivateClusterPublicFQDN"], access["disableRunCommand"]) == (True, False, True)
    assert cluster["properties"]["disableLocalAccounts"] is True
    assert cluster["properties"]["aadProfile"] == {"managed": True, "enableAzureRBAC": True}
    assert cluster["properties"]["securityProfile"]["azureKeyVaultKms"]["enabled"] is True
    assert machine["properties"]["osProfile"]["allowExtensionOperations"] is False
    assert machine["properties"]["osProfile"]["linuxConfiguration"]["provisionVMAgent"] is False
    assert "extensions" not in json.dumps([entry["type"] for entry in evaluated()])
    (card,) = of_type("Microsoft.Network/networkInterfaces")
    assert "publicIPAddress" not in json.dumps(card)
    allowed = [
        (rules["name"], rule["name"], rule["properties"]["sourceAddressPrefix"])
        for rules in of_type("Microsoft.Network/networkSecurityGroups")
        for rule in rules["properties"]["securityRules"]
        if (rule["properties"]["access"], rule["properties"]["direction"]) == ("Allow", "Inbound")
    ]
    assert allowed == [("cell-rules", "allow-within-the-cell", "VirtualNetwork"), ("cell-rules", "allow-probes", "AzureLoadBalancer")]


def test_azure_cell_takes_the_kits_vault_and_identities() -> None:
    shipped, order = KIT.shipped(TARGET), STACK.order(TARGET, INPUT)

    assert order.name == shipped.cell_group == GROUP
    assert order.parameters["vault"] == shipped.vault
    assert order.parameters["clusterIdentity"] == shipped.identities["cell-cluster"].name
    assert order.parameters["agentIdentity"] == shipped.identities["cell-agent"].name
    assert not {entry["type"] for entry in evaluated()} & {"Microsoft.KeyVault/vaults", "Microsoft.ManagedIdentity/userAssignedIdentities"}


def test_azure_cell_needs_no_right_that_the_kit_does_not_give() -> None:
    held = {action.lower() for name in ("BuildNetworks", "BuildClusters", "BuildAgents", "CreateKeys") for action in
            kit_template.actions((name,))}  # fmt: skip

    for resource in evaluated():
        assert f"{resource['type']}/write".lower() in held, resource["type"]


def test_azure_cell_addresses_lie_apart_inside_the_network() -> None:
    parameters = STACK.order(TARGET, INPUT).parameters

    assert (parameters["nodesRange"], parameters["agentRange"]) == ("10.64.0.0/17", "10.64.128.0/28")
    network = of_type("Microsoft.ContainerService/managedClusters")[0]["properties"]["networkProfile"]
    assert {network["podCidr"], network["serviceCidr"]} == {"10.244.0.0/16", "10.0.0.0/16"}  # cells lie in 10.64/10


@pytest.mark.parametrize(("zones", "found"), [((), []), (("1", "2"), ["1", "2"]), (("westeurope-1", "westeurope-3"), ["1", "3"])])
def test_azure_cell_spreads_over_the_zones_that_there_are(zones: tuple[str, ...], found: list[str]) -> None:
    (cluster,) = of_type("Microsoft.ContainerService/managedClusters", replace(INPUT, zones=zones))

    assert cluster["properties"]["agentPoolProfiles"][0]["availabilityZones"] == found


@pytest.mark.parametrize("size", SIZES)
def test_azure_cell_has_the_machines_that_were_asked_for(size: str) -> None:
    (pool,) = of_type("Microsoft.ContainerService/managedClusters/agentPools", replace(INPUT, machine_size=size, machines=5))

    assert (pool["properties"]["vmSize"], pool["properties"]["count"]) == (SIZES[size], 5)
    assert {SYSTEM_SIZE, AGENT_SIZE, *SIZES.values()} >= {pool["properties"]["vmSize"]}


def test_azure_cell_same_input_same_order_and_other_data_another_machine() -> None:
    one, same = STACK.order(TARGET, INPUT), STACK.order(TARGET, replace(INPUT))
    other = STACK.order(TARGET, replace(INPUT, agent=replace(AGENT, package_sha256="1" * 64)))

    assert one == same
    assert one.parameters["agentVersion"] != other.parameters["agentVersion"]
    assert re.fullmatch("[0-9a-f]{8}", other.parameters["agentVersion"])


def test_azure_cell_machine_locks_itself_before_it_does_anything_else() -> None:
    told = yaml.safe_load(STACK.order(TARGET, INPUT).secrets["agentData"])
    prepare = next(file["content"] for file in told["write_files"] if file["path"].endswith("prepare"))

    assert prepare.index("systemctl disable --now ssh") < prepare.index("passwd --lock byoc") < prepare.index("az login --identity")
    assert f"az aks get-credentials --resource-group {GROUP} --name cell-cluster" in prepare
    assert "--admin" not in prepare
