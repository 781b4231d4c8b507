"""Whom the agent's machine calls, as the security package says it: held against the lines that the machine is given."""

import re
from dataclasses import replace

import pytest

from cells import stacks
from cells.stacks import bootstrap
from tests.cells.test_stack_aws import TARGET as AWS_TARGET
from tests.cells.test_stack_aws import cell
from tests.cells.test_stack_gcp import TARGET as GCP_TARGET
from tests.clouds.azure.test_cell_template import TARGET as AZURE_TARGET

TARGETS = {"aws": AWS_TARGET, "gcp": GCP_TARGET, "azure": AZURE_TARGET}
# Called without being named: by the package manager, by the cloud's own command line, or by a redirection.
IMPLIED = {
    "aws": {"eks.<region>.amazonaws.com", "al2023-repos-<region>-de612dc2.s3.dualstack.<region>.amazonaws.com", "cdn.amazonlinux.com"},
    "gcp": {"container.googleapis.com", "<region>.gce.archive.ubuntu.com", "archive.ubuntu.com", "security.ubuntu.com"},
    "azure": {
        "release-assets.githubusercontent.com", "management.azure.com", "login.microsoftonline.com", "azure.archive.ubuntu.com",
    },
}  # fmt: skip


def started(cloud):
    """All that the machine is told, with a portal of a name that stands nowhere else."""
    target = TARGETS[cloud]
    order = stacks.load(cloud).order(target, replace(cell(), region=target.region, zones=(f"{target.region}-1", f"{target.region}-2")))
    return "".join(str(order.secrets[name]) for name in sorted(order.secrets))


@pytest.mark.parametrize("cloud", sorted(TARGETS))
def test_agents_machine_fetches_from_the_hosts_that_are_told_and_no_other(cloud):
    hosts = set(re.findall(r"https?://([A-Za-z0-9.-]+)", started(cloud))) - {"portal.test"}
    told = {one.host for one in stacks.load(cloud).calls()}

    assert hosts == told - IMPLIED[cloud]
    assert IMPLIED[cloud] <= told
    assert {one.host for one in bootstrap.CALLS} <= hosts


@pytest.mark.parametrize("cloud", sorted(TARGETS))
def test_agents_machine_calls_plain_http_for_signed_packages_alone(cloud):
    assert "http://" not in started(cloud)
    assert all(one.host.endswith("ubuntu.com") for one in stacks.load(cloud).calls() if one.port == 80)
    assert all(str(one.purpose).endswith(".") for one in stacks.load(cloud).calls())
