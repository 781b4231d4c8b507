"""Organisation policies as they count in a project, to read. Control sets them: an owner of a project could not."""

from typing import Any

from portal.sandbox.gcp import org_policies
from portal.sandbox.gcp.access import Target, project_target
from portal.sandbox.gcp.errors import missing
from portal.sandbox.gcp.methods import Call, Params, method
from portal.sandbox.gcp.world import World

ONE = "/v2/projects/{project}/policies/{constraint}"
API = "orgpolicy.projects.policies"


def _of_policy(world: World, params: Params) -> Target:
    above = project_target(world, params["project"])
    return Target(above.project, above.chain, f"{above.name}/policies/{params['constraint']}", "orgpolicy.googleapis.com/Policy")


def _known(call: Call) -> str:
    constraint = call.params["constraint"]
    if constraint not in org_policies.CONSTRAINTS:
        call.violate(f"constraint {constraint}")
        raise missing(f"Constraint constraints/{constraint} was not found.")
    return constraint


def _shown(call: Call, spec: dict[str, Any]) -> dict[str, Any]:
    return {"name": f"projects/{call.project.number}/policies/{call.params['constraint']}", "spec": spec}


@method(f"{API}.getEffectivePolicy", f"GET {ONE}:getEffectivePolicy", permission="orgpolicy.policy.get", on=_of_policy)
def get_effective(call: Call) -> dict[str, Any]:
    return _shown(call, org_policies.effective(call.world, call.project, _known(call)))


@method(f"{API}.get", f"GET {ONE}", permission="orgpolicy.policy.get", on=_of_policy)
def get(call: Call) -> dict[str, Any]:
    """Only what is set at the project itself."""
    spec = call.world.org_policies.get(f"projects/{call.project.number}", {}).get(_known(call))
    if spec is None:
        raise missing()
    return _shown(call, spec)
