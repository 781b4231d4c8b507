"""Organisation policies: what an owner of a project cannot decide alone."""

from typing import Any

from portal.sandbox.gcp.errors import GoogleError, violation
from portal.sandbox.gcp.methods import Call
from portal.sandbox.gcp.world import Project, World

ISSUERS = "iam.workloadIdentityPoolProviders"
MEMBER_DOMAINS = "iam.allowedPolicyMemberDomains"
LOCATIONS = "gcp.resourceLocations"
SHIELDED = "compute.requireShieldedVm"
EXTERNAL_IPS = "compute.vmExternalIpAccess"
LISTS = {ISSUERS, MEMBER_DOMAINS, LOCATIONS, EXTERNAL_IPS}
CONSTRAINTS = {*LISTS, SHIELDED}


def effective(world: World, project: Project, constraint: str) -> dict[str, Any]:
    """The spec that counts: the project's own, else the organisation's, else none. Lists of parents are not merged here."""
    for name in (f"projects/{project.number}", f"organizations/{project.organization}"):
        spec: dict[str, Any] | None = world.org_policies.get(name, {}).get(constraint)
        if spec is not None and not spec.get("reset"):
            return spec
    return {"rules": [{"enforce": False}]} if constraint not in LISTS else {"rules": [{"allowAll": True}]}


def allows(spec: dict[str, Any], value: str) -> bool:
    for rule in spec.get("rules", []):
        values = rule.get("values", {})
        if rule.get("denyAll") or value in values.get("deniedValues", []):
            return False
        if values.get("allowedValues") and value not in values["allowedValues"]:
            return False
    return True


def check_issuer(call: Call, issuer: str) -> None:
    """Only at creation and change: a provider that stands already goes on."""
    if allows(effective(call.world, call.project, ISSUERS), issuer):
        return
    subject = f"orgpolicy:projects/{call.project.id}/locations/global/workloadIdentityPools/{call.params['pool']}"
    detail = violation(f"constraints/{ISSUERS}", subject, f"Org Policy violated for value: '{issuer}'.")
    raise GoogleError("FAILED_PRECONDITION", "Precondition check failed.", detail)


def check_members(call: Call, wanted: list[str], present: set[str]) -> None:
    """Domain-restricted sharing looks at what a policy adds. It hits users, groups, domains, `allUsers`, service accounts of other
    organisations and pools of other organisations' projects; not what belongs to the own one.
    """
    spec = effective(call.world, call.project, MEMBER_DOMAINS)
    for member in wanted:
        if member in present:
            continue
        customer = _customer(call.world, member)
        if not allows(spec, customer):
            name = member.partition("?uid=")[0].partition(":")[2] or member
            subject = f"orgpolicy:projects/{call.project.id}?configvalue={name}"
            detail = violation(f"constraints/{MEMBER_DOMAINS}", subject, f"User {name} is not in permitted organization.")
            raise GoogleError("FAILED_PRECONDITION", "One or more users named in the policy do not belong to a permitted customer.", detail)


def _customer(world: World, member: str) -> str:
    """The directory customer that a member belongs to, "" for none."""
    if member.startswith(("principal://", "principalSet://")):
        project = world.projects.get(member.split("/")[4])
        return _customer_of(world, project)
    kind, _, name = member.partition("?uid=")[0].partition(":")
    if kind == "serviceAccount":
        return _customer_of(world, world.project(name.partition("@")[2].removesuffix(".iam.gserviceaccount.com")))
    domain = name.rpartition("@")[2]
    return next((entry.customer for entry in world.organizations.values() if entry.domain == domain), "")


def _customer_of(world: World, project: Project | None) -> str:
    organization = world.organizations.get(project.organization) if project else None
    return organization.customer if organization else ""
