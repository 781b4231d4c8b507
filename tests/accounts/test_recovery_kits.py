"""The recovery kits: cut out of the kits by the marks of their manifests, nothing that creates or changes among them."""

import json
import re
import subprocess

import pytest
import yaml

from accounts import kits
from accounts.kits.aws.manifest import GRANTS as AWS
from accounts.kits.azure.manifest import GRANTS as AZURE
from accounts.kits.gcp.manifest import GRANTS as GCP
from accounts.kits.manifest import ALL
from accounts.kits.recovery import RECOVERY_KITS, recovery_of
from accounts.kits.recovery import aws as recovery_aws
from accounts.kits.recovery.base import recovered, withheld
from accounts.kits.recovery.gcp import TAKEN_TO_DELETE as TAKEN_BY_GOOGLE
from tests.accounts.aws_kit import NUMBER, TARGET, characters, simulated
from tests.accounts.gcp_kit import TARGET as GCP_TARGET
from tests.customer import Customer

GRANTS = {"aws": AWS, "gcp": GCP, "azure": AZURE}
TAKEN_TO_DELETE = {"gcp": TAKEN_BY_GOOGLE}
# The last part of an action, as each cloud names what only looks or takes away.
LOOKS = {"aws": r"(Describe|Get|List|Simulate)\w+", "gcp": r"(get|list)\w*", "azure": "read"}
REMOVES = {
    "aws": r"(Delete|Detach|Disassociate|Release|Revoke|ScheduleKeyDeletion|Terminate)\w*",
    "gcp": r"delete\w*",
    "azure": "delete",
}
MOST_OF_A_POLICY, MOST_OF_A_ROLE = 6144, 10240


@pytest.mark.parametrize("cloud", RECOVERY_KITS)
def test_recovery_kit_holds_nothing_that_creates_or_changes(cloud):
    diff, taken = recovery_of(cloud).diff, TAKEN_TO_DELETE.get(cloud, frozenset())

    assert taken <= {one.action for one in diff.kept}
    for permission in (one for one in diff.kept if one.action not in taken):
        action = re.split(r"[:/.]", permission.action.removesuffix("/action"))[-1]
        assert re.fullmatch(f"{LOOKS[cloud]}|{REMOVES[cloud]}", action), permission.action
        assert permission.role != "support"
    assert {one.key for one in diff.kept} | {one.key for one in diff.withheld} == {one.key for one in kits.load(cloud).permissions}
    assert not {one.key for one in diff.kept} & {one.key for one in diff.withheld}


@pytest.mark.parametrize("cloud", RECOVERY_KITS)
def test_every_mark_names_an_action_of_its_grant(cloud):
    wrong = [(grant.sid, name) for grant in GRANTS[cloud] if grant.recovers != ALL for name in grant.recovers if name not in grant.actions]

    assert wrong == []
    assert recovered(GRANTS[cloud])
    assert withheld(GRANTS[cloud])


@pytest.mark.parametrize("cloud", RECOVERY_KITS)
def test_recovery_kit_says_which_it_is(cloud):
    small, kit = recovery_of(cloud), kits.load(cloud)

    assert small.version == f"{kit.version}-recovery"
    assert small.version in small.documents[0].text
    assert not set(small.files()) & set(kit.files())
    assert small.documents[0].file not in {document.file for document in kit.documents}


# --- AWS ---------------------------------------------------------------------------------------------------------------


def allowed(document):
    statements = [one for one in document["Statement"] if one["Effect"] == "Allow"]
    return {action for one in statements for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])}


def test_aws_template_allows_the_operator_what_is_marked_and_no_more():
    shipped = recovery_of("aws").shipped(TARGET)
    operator = shipped.roles["operator"]
    held = set().union(*map(allowed, [*operator.policies.values(), operator.switches["switch"][0]]))

    assert held == {action for grant in recovered(AWS) for action in grant.actions}
    assert set(shipped.roles) == {"operator", "cell-cluster", "cell-node"}
    most = allowed(shipped.limits[operator.boundary])
    creating = {action for grant in withheld(AWS) for action in grant.actions if grant.role == "operator"}
    changing = {one for one in creating if not re.fullmatch(LOOKS["aws"], one.partition(":")[2])}
    assert {one for one in changing for pattern in most if re.fullmatch(pattern.replace("*", ".*"), one)} == set()
    whole = kits.load("aws").shipped(TARGET)
    assert (operator.trust, operator.boundary, operator.name) == (
        whole.roles["operator"].trust,
        whole.roles["operator"].boundary,
        whole.roles["operator"].name,
    )
    assert shipped.provider == whole.provider


def test_aws_template_lets_clusters_and_machines_make_nothing_either():
    shipped = recovery_of("aws").shipped(TARGET)
    limit = allowed(shipped.limits[shipped.roles["cell-cluster"].boundary])

    names = {one.partition(":")[2] for one in limit}
    assert {one for one in names if re.match(r"(Add|Allocate|Assign|Assume|Attach|Authorize|Create|Modify|Put|Run|\*)", one)} == set()
    assert "ec2:DeleteNetworkInterface" in limit


def test_aws_template_fits_into_what_aws_takes():
    shipped = recovery_of("aws").shipped(TARGET)

    assert all(characters(document) <= MOST_OF_A_POLICY for document in shipped.limits.values())
    for role in shipped.roles.values():
        documents = [*role.policies.values(), *(pair[0] for pair in role.switches.values())]
        assert sum(characters(document) for document in documents) <= MOST_OF_A_ROLE
    assert yaml.safe_load(recovery_aws.text()) == json.loads(json.dumps(recovery_aws.document()))
    assert "&id" not in recovery_aws.text()


def test_aws_itself_refuses_the_recovery_kit_what_it_does_not_hold(sandbox):
    small = recovery_of("aws")
    customer = Customer(sandbox, NUMBER)
    cloudformation = customer.client("cloudformation", TARGET.region)
    stack = f"byoc-{TARGET.suffix}-kit"
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=small.documents[0].text,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in small.parameters(TARGET).items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    iam, who = customer.client("iam"), f"role/byoc-{TARGET.suffix}-operator"

    def decision(probe):
        return simulated(iam, who, probe.action, probe.resource, dict(probe.context))

    assert [probe.action for probe in small.probes(TARGET) if decision(probe) != "allowed"] == []
    assert [probe.action for probe in small.forbidden_probes(TARGET) if decision(probe) == "allowed"] == []
    wider = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    asked = [probe for probe in small.forbidden_probes(TARGET) if not re.match(LOOKS["aws"], probe.action.partition(":")[2])]
    # Its boundary holds whatever is attached beside it.
    assert [
        one.action for one in asked if simulated(iam, who, one.action, one.resource, dict(one.context), attached=wider) == "allowed"
    ] == []
    outputs = {one["OutputKey"]: one["OutputValue"] for one in cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]}
    assert (outputs["KitVersion"], outputs["AllowSupport"], outputs["AllowCreation"]) == (small.version, "no", "no")


# --- Google Cloud ------------------------------------------------------------------------------------------------------


def test_google_script_makes_of_the_kits_roles_what_is_marked_and_no_more():
    small, target = recovery_of("gcp"), GCP_TARGET
    shipped, whole = small.shipped(target), kits.load("gcp").shipped(target)

    held = set().union(*shipped.roles.values())
    assert held == {name for grant in recovered(GCP) for name in grant.actions} - {"iam.serviceAccounts.actAs"}
    assert all(set(permissions) <= set(whole.roles[name]) for name, permissions in shipped.roles.items())
    assert set(shipped.accounts) == {"operator", "builder"}
    assert set(shipped.bindings) < set(whole.bindings)
    assert (shipped.pool, shipped.issuer, shipped.mapping) == (whole.pool, whole.issuer, whole.mapping)
    text = small.documents[0].text
    for action in {name for grant in withheld(GCP) for name in grant.actions} - held:
        assert f"  {action}\n" not in text, action
    assert ":support']" not in text
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
