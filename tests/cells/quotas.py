"""Limits of the played clouds that are too low for one part of a cell."""

from tests.clouds.aws.cells import QUOTA
from tests.clouds.azure.cells import QUOTA as AZURE_QUOTA

GOOGLE_QUOTA = "googleapi: Error 403: Quota 'CPUS' exceeded.  Limit: 8.0, quotaExceeded"
# Of each cloud: a part that stands early and one that an agent's new machine is.
PARTS = {
    "aws": {"early": "AWS::EC2::EIP", "agent": "AWS::EC2::Instance"},
    "azure": {"early": "Microsoft.ContainerService/managedClusters", "agent": "Microsoft.Compute/virtualMachines"},
    "gcp": {"early": "google_container_node_pool", "agent": "google_compute_instance"},
}
MANY = 1000  # for clouds that are told to fail for good


def lower_a_quota(cloud, sandbox, *, of: str = "early", count: int = MANY) -> None:
    """Until it is raised, or for so many tries."""
    part = PARTS[cloud][of]
    if cloud == "gcp":
        failure = {"type": part, "action": "create", "reason": GOOGLE_QUOTA, "status": 403, "count": count}
        sandbox.control("POST", "gcp/failures", failure)
        return
    # CloudFormation replaces a machine as a part of updating it.
    action, reason = ("update" if of == "agent" else "create", QUOTA) if cloud == "aws" else ("create", AZURE_QUOTA)
    failure = {"type": part, "action": action, "reason": reason, "count": None if count == MANY else count}
    sandbox.control("POST", "knobs", {"failures": [failure]})


def raise_the_quota(sandbox) -> None:
    """Google's is used up by its tries."""
    sandbox.control("POST", "knobs", {"failures": []})
