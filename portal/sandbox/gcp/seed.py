"""The world as a demo finds it, and how projects come and go."""

from portal.sandbox.gcp.access import newest
from portal.sandbox.gcp.apis.policies import put_policy
from portal.sandbox.gcp.world import (
    FIRST_SERVICES,
    Organization,
    Project,
    Resource,
    Token,
    World,
    fresh_number,
    fresh_secret,
)

ACME, GLOBEX = "700000000001", "700000000002"
PROJECTS = (
    ("acme-data-prod", "123456789012", "owner@acme.example", ACME),
    ("acme-sandbox", "345678901234", "owner@acme.example", ACME),
    ("acme-locked", "456789012345", "owner@acme.example", ACME),
    ("globex-analytics", "210987654321", "owner@globex.example", GLOBEX),
    ("fernhill-releases", "567890123456", "releases@fernhill.example", ""),
)
# The provider's own sign-in, as the local AWS has a key of the provider's: it publishes plans, and may do nothing in customers' projects.
PROVIDERS_TOKEN = "ya29.of-the-local-google"  # noqa: S105
PROVIDER = "releases@fernhill.example"
TOKEN_SECONDS = 3600.0
# Every new project has a network that reaches everywhere; some of its subnets, with the ranges that Google gives them.
DEFAULT_SUBNETS = {
    "us-central1": "10.128.0.0/20", "europe-west1": "10.132.0.0/20", "us-west1": "10.138.0.0/20", "us-east1": "10.142.0.0/20",
    "asia-northeast1": "10.146.0.0/20", "australia-southeast1": "10.152.0.0/20", "europe-west3": "10.156.0.0/20",
    "europe-west4": "10.164.0.0/20",
}  # fmt: skip


def fresh_world(propagation_seconds: float, operation_seconds: float) -> World:
    world = World()
    world.knobs.propagation_seconds, world.knobs.operation_seconds = propagation_seconds, operation_seconds
    world.organizations[ACME] = Organization(ACME, "acme.example", "acme.example", "C0acme01x")
    world.organizations[GLOBEX] = Organization(GLOBEX, "globex.example", "globex.example", "C0globex1")
    for id_, number, owner, organization in PROJECTS:
        create_project(world, id_, owner, number, organization)
    grant(world, "acme-data-prod", "roles/viewer", "user:viewer@acme.example")
    member = f"user:{PROVIDER}"
    world.tokens[PROVIDERS_TOKEN] = Token("user", member, [member, "domain:fernhill.example"], float("inf"), PROVIDER)
    world.org_policies["projects/456789012345"] = {
        "iam.workloadIdentityPoolProviders": {"rules": [{"values": {"allowedValues": ["https://token.actions.githubusercontent.com"]}}]}
    }
    return world


def create_project(world: World, id_: str, owner: str, number: str = "", organization: str = "") -> Project:
    """A project and its owner's policy, which counts at once. Raises ValueError when one lives under the id."""
    known = world.project(id_)
    if known is not None and known.state == "ACTIVE":
        raise ValueError(f"project {id_} is there")
    project = Project(id_, number or fresh_number(12), owner, organization, created_at=world.now())
    project.services = dict.fromkeys(FIRST_SERVICES, 0.0)
    world.projects[project.number] = project
    own = f"projects/{project.number}"
    world.resources[f"{own}/global/networks/default"] = Resource({"autoCreateSubnetworks": True}, world.now())
    for region, cidr in DEFAULT_SUBNETS.items():
        world.resources[f"{own}/regions/{region}/subnetworks/default"] = Resource({"network": "default", "ipCidrRange": cidr}, world.now())
    put_policy(world, project.policy_name, [{"role": "roles/owner", "members": [f"user:{owner}"]}])
    world.policies[project.policy_name][0].at = 0.0
    return project


def delete_project(world: World, id_: str) -> Project:
    """Asks for the deletion, as its owner could; 30 days later all would be gone. Raises KeyError."""
    project = world.project(id_)
    if project is None or project.state != "ACTIVE":
        raise KeyError(id_)
    project.state, project.deleted_at = "DELETE_REQUESTED", world.now()
    return project


def recreate_project(world: World, id_: str) -> Project:
    """The same id and owner, another number, nothing in it: what an address alone cannot tell apart. Google itself never reuses an id."""
    gone = world.project(id_)
    if gone is None:
        raise KeyError(id_)
    gone.state, gone.deleted_at = "DELETE_REQUESTED", world.now()
    prefixes = (f"projects/{id_}/", f"projects/{gone.number}/")
    world.resources = {name: found for name, found in world.resources.items() if not name.startswith(prefixes)}
    return create_project(world, id_, gone.owner, organization=gone.organization)


def grant(world: World, project_id: str, role: str, member: str, *, is_above: bool = False) -> None:
    """A binding as somebody would add it by hand, without propagation: at the project, or above at its organisation. Raises KeyError."""
    project = world.project(project_id)
    if project is None:
        raise KeyError(project_id)
    name = f"organizations/{project.organization}" if is_above else project.policy_name
    put_policy(world, name, [*newest(world, name).bindings, {"role": role, "members": [member]}])
    world.policies[name][-1].at = 0.0


def mint_user_token(world: World, email: str, seconds: float = TOKEN_SECONDS) -> str:
    """What `gcloud auth print-access-token` gives a signed-in person."""
    text = fresh_secret("ya29.a0")
    member = f"user:{email}"
    domain = email.rpartition("@")[2]
    world.tokens[text] = Token("user", member, [member, f"domain:{domain}"], world.now() + seconds, email)
    return text
