"""The AWS cell's document: clean for cfn-lint, told in words part by part, closed to everybody, and within what AWS takes."""

import json
from typing import Any

import pytest
from cfnlint.api import lint

from accounts.clouds.base import Target
from accounts.kits.aws.template import _Loader as Loader
from accounts.kits.aws.template import yaml
from cells import stacks
from cells.stacks.aws.stack import MACHINE_TYPES, PIECE, STACK, TEMPLATE_PATH
from cells.stacks.base import AgentBootstrap, CellInput
from portal.sandbox.agents import read_user_data

ACCOUNT = "3f9a1c2e-0b5d-4c1e-9a57-6a1f0c2d3e4b"
CELL = "7d0f2b6a-1111-4222-8333-444455556666"
TARGET = Target(
    account=ACCOUNT, external_id="111122223333", region="eu-central-1", suffix="3f9a1c2e-g1", generation=1, kit_version="1.4.0",
    kit_hash="", issuer=f"https://id.portal.test/trust/{ACCOUNT}/g1", audience="sts.amazonaws.com",
)  # fmt: skip
TEXT = TEMPLATE_PATH.read_text(encoding="utf-8")
TEMPLATE: dict[str, Any] = yaml.load(TEXT, Loader=Loader)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def cell(**changes: Any) -> CellInput:
    agent = AgentBootstrap("https://portal.test", CELL, "once-only-token", "https://portal.test/agent.pyz", "0" * 64)
    given: dict[str, Any] = {
        "cell": CELL, "region": "eu-west-1", "zones": ("eu-west-1a", "eu-west-1b", "eu-west-1c"), "cidr": "10.64.0.0/16",
        "machine_size": "small", "machines": 2, "agent": agent, "token": "order-1",
    }  # fmt: skip
    return CellInput(**given | changes)


def properties(name: str) -> dict[str, Any]:
    return RESOURCES[name]["Properties"]


def of_type(kind: str) -> list[str]:
    return [name for name, resource in RESOURCES.items() if resource["Type"] == kind]


def test_aws_stack_is_loaded_by_its_clouds_name():
    assert stacks.load("aws") is STACK


def test_aws_template_is_clean_for_cfn_lint():
    assert [str(problem) for problem in lint(TEXT)] == []


def test_aws_template_fits_into_one_request():
    assert len(TEXT.encode()) <= 51_200


def test_aws_every_resource_is_told_in_words_with_its_cost():
    parts = STACK.parts()

    assert {part.name: part.kind for part in parts} == {name: resource["Type"] for name, resource in RESOURCES.items()}
    assert len({part.name for part in parts}) == len(parts)
    assert all(str(part.why).endswith(".") and str(part.cost).endswith(".") for part in parts)


def test_aws_order_fills_every_parameter_of_the_template_and_no_other():
    order = STACK.order(TARGET, cell())

    assert set(order.parameters) | set(order.secrets) == set(TEMPLATE["Parameters"])
    assert set(order.secrets) == {name for name, parameter in TEMPLATE["Parameters"].items() if parameter.get("NoEcho")}


def test_aws_same_input_gives_the_same_order():
    assert STACK.order(TARGET, cell()) == STACK.order(TARGET, cell())


def test_aws_name_starts_with_what_the_kit_lets_a_cell_be_called():
    assert STACK.name(TARGET, "ap-southeast-2") == "byoc-3f9a1c2e-cell-ap-southeast-2"


@pytest.mark.parametrize(("zones", "third"), [(("a", "b"), ""), (("a", "b", "c"), "c"), (("a", "b", "c", "d"), "c")])
def test_aws_cell_takes_two_zones_or_three(zones, third):
    given = STACK.order(TARGET, cell(zones=zones)).parameters

    assert (given["ZoneA"], given["ZoneB"], given["ZoneC"]) == ("a", "b", third)


def test_aws_third_zone_is_all_that_depends_on_a_condition():
    assert sorted(name for name, resource in RESOURCES.items() if "Condition" in resource) == [
        "PrivateRoutesC", "PrivateSubnetC", "PublicRoutesC", "PublicSubnetC",
    ]  # fmt: skip


def test_aws_machine_sizes_are_those_that_the_template_and_the_kit_allow():
    assert TEMPLATE["Parameters"]["MachineType"]["AllowedValues"] == list(MACHINE_TYPES.values())


def test_aws_cluster_is_reached_from_inside_alone_and_lets_the_agent_in_and_nobody_else():
    cluster = properties("Cluster")
    network = cluster["ResourcesVpcConfig"]

    assert (network["EndpointPrivateAccess"], network["EndpointPublicAccess"]) == (True, False)
    assert cluster["AccessConfig"] == {"AuthenticationMode": "API", "BootstrapClusterCreatorAdminPermissions": False}
    assert of_type("AWS::EKS::AccessEntry") == ["AgentEntry"]
    assert "cell-agent" in json.dumps(properties("AgentEntry")["PrincipalArn"])


def test_aws_cluster_writes_down_who_asked_it_for_what():
    logged = properties("Cluster")["Logging"]["ClusterLogging"]["EnabledTypes"]

    assert {entry["Type"] for entry in logged} == {"api", "audit", "authenticator"}
    assert not of_type("AWS::Logs::LogGroup")  # whoever could delete a cell's stack could delete the record of what was done in it
    (cluster,) = (part for part in STACK.parts() if part.name == "Cluster")
    assert "stays when the cell is deleted" in str(cluster.cost)


def test_aws_secrets_of_the_cluster_are_encrypted_with_the_cells_own_key():
    (encryption,) = properties("Cluster")["EncryptionConfig"]

    assert encryption == {"Resources": ["secrets"], "Provider": {"KeyArn": {"Fn::GetAtt": ["Key", "Arn"]}}}
    assert properties("Key")["EnableKeyRotation"] is True


def test_aws_nothing_comes_in_from_outside():
    rules = [rule for name in of_type("AWS::EC2::SecurityGroup") for rule in properties(name)["SecurityGroupIngress"]]

    assert [rule["SourceSecurityGroupId"] for rule in rules] == [{"Ref": "AgentGroup"}]
    assert "SshKey" not in TEXT
    assert "KeyName" not in properties("AgentTemplate")["LaunchTemplateData"]
    assert not any("MapPublicIpOnLaunch" in properties(name) for name in of_type("AWS::EC2::Subnet"))
    (card,) = properties("AgentTemplate")["LaunchTemplateData"]["NetworkInterfaces"]
    assert card["AssociatePublicIpAddress"] is False


@pytest.mark.parametrize("name", ["AgentTemplate", "MachineTemplate"])
def test_aws_machines_have_encrypted_disks_the_safe_metadata_and_our_tags(name):
    data = properties(name)["LaunchTemplateData"]

    assert data["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
    assert all(disk["Ebs"]["Encrypted"] is True for disk in data["BlockDeviceMappings"])
    tagged = {spec["ResourceType"]: {tag["Key"] for tag in spec["Tags"]} for spec in data["TagSpecifications"]}
    assert set(tagged) == {"instance", "volume", "network-interface"}
    assert all({"byoc:account", "byoc:cell", "byoc:managed"} <= keys for keys in tagged.values())


def test_aws_add_ons_tag_what_they_make():
    """The kit's limits let clusters make nothing without our tag."""
    cards = json.loads(properties("NetworkAddon")["ConfigurationValues"]["Fn::Sub"])["env"]["ADDITIONAL_ENI_TAGS"]
    disks = json.loads(properties("DiskAddon")["ConfigurationValues"]["Fn::Sub"])["controller"]["extraVolumeTags"]

    assert json.loads(cards) == disks == {"byoc:account": "${AccountRef}", "byoc:cell": "${CellRef}"}


def test_aws_template_makes_no_identity():
    assert not any(resource["Type"].startswith("AWS::IAM::") for resource in RESOURCES.values())


def test_aws_order_bears_the_tags_of_its_cell():
    assert STACK.order(TARGET, cell()).tags == {"byoc:account": ACCOUNT, "byoc:cell": CELL, "byoc:managed": "cell"}
    assert STACK.tags(TARGET) == {"byoc:account": ACCOUNT, "byoc:managed": "cell"}


def test_aws_bootstrap_data_is_secret_and_comes_in_pieces_that_fit():
    order = STACK.order(TARGET, cell())
    pieces = [order.secrets[f"AgentStart{number}"] for number in range(1, 5)]

    assert all(len(piece) <= PIECE for piece in pieces)
    assert read_user_data("".join(pieces))["enrolment_token"] == "once-only-token"
    assert "aws eks update-kubeconfig --region eu-west-1 --name byoc-3f9a1c2e-cell-eu-west-1" in "".join(pieces)
    assert "once-only-token" not in json.dumps(order.parameters)
    assert "once-only-token" not in order.document


def test_aws_bootstrap_data_that_is_no_ascii_is_refused():
    agent = AgentBootstrap("https://portal.test", CELL, "t", "https://portal.test/\u00e4.pyz", "0" * 64)

    with pytest.raises(ValueError, match="of ASCII fit"):
        STACK.order(TARGET, cell(agent=agent))
