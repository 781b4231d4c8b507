"""Could a cell be built here? Each check makes one kind of call, changes nothing, and says what it saw."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from accounts.clouds.base import ALLOW_SUPPORT, CloudError, Finding, Identity, Needs, Target, Verdict
from accounts.clouds.gcp.clients import Session
from accounts.clouds.gcp.shipped import ShippedKit
from accounts.clouds.gcp.trust import Bound

if TYPE_CHECKING:
    from accounts.clouds.gcp.libraries import Rule

CONSOLE = "https://console.cloud.google.com"
MOST_NAMED = 10
EVERY_PROJECTS = "networks/default"  # a new project has it, so it tells nothing
# Rules of an organisation that have stopped kits or cells elsewhere.
LOCATIONS = "gcp.resourceLocations"
ISSUERS = "iam.workloadIdentityPoolProviders"
MEMBERS = "iam.allowedPolicyMemberDomains"
ENFORCED = ("compute.requireShieldedVm",)
LISTED = ("compute.vmExternalIpAccess",)


class Surroundings:
    """One project and region, seen by the operator account."""

    def __init__(self, session: Session, shipped: ShippedKit, target: Target, *, identity: Identity, region: str, needs: Needs) -> None:
        self.session = session
        self.shipped = shipped
        self.target = target
        self.identity = identity
        self.region = region
        self.needs = needs
        self.project = target.external_id
        self._answers: dict[str, dict[str, Any]] = {}
        self._seen: list[str] = []  # rules as Google words them

    def findings(self, only: Sequence[str] = ()) -> list[Finding]:
        checks: dict[str, Callable[[str], Finding]] = {
            "identity": self._identity,
            "permissions": self._permissions,
            "region_enabled": self._region,
            "services_enabled": self._services,
            "quota_vcpus": self._vcpus,
            "quota_networks": self._networks,
            "quota_addresses": self._addresses,
            "organisation_policy": self._organisation,
            "address_range": self._overlap,
            "names_free": self._names,
            "own_project": self._others,
        }
        return [self._ask(name, check) for name, check in checks.items() if not only or name in only]

    def _ask(self, name: str, check: Callable[[str], Finding]) -> Finding:
        """A check whose call is refused is a finding too: neither good nor bad news."""
        try:
            return check(name)
        except CloudError as error:
            return Finding(name, Verdict.UNKNOWN, error.raw, {"code": error.code})

    def _compute(self, path: str, call: str) -> dict[str, Any]:
        """Its limits and no more: the project's metadata is nobody's business. Two checks may read the same page: asked once."""
        if path not in self._answers:
            self._answers[path] = self.session.get("compute", f"/compute/v1/projects/{self.project}{path}", call, fields="quotas")
        return self._answers[path]

    # --- who ---

    def _identity(self, name: str) -> Finding:
        return Finding(name, Verdict.PASS, self.identity.principal, {"project": self.project, "number": self.shipped.number})

    def _permissions(self, name: str) -> Finding:
        """Of the cell's, not of support. A right with a limit by name is read from its role, as Google hides it from the question."""
        standing = Bound(self.session, self.shipped)
        operators = {bound.role for bound in self.shipped.bindings if bound.account == "operator" and bound.switch != ALLOW_SUPPORT}
        wanted = sorted({permission for role in operators for permission in self.shipped.roles[role]})
        held = self.session.libraries.held(self.project, wanted) | standing.limited("operator")
        missing = [permission for permission in wanted if permission not in held]
        builders = {
            permission for bound in self.shipped.bindings if bound.account == "builder" for permission in self.shipped.roles[bound.role]
        }
        lent = standing.permissions("builder", f"projects/{self.project}")
        missing += [f"builder/{permission}" for permission in sorted(builders - lent)]
        if missing:
            return Finding(name, Verdict.BLOCK, "\n".join(missing), {"count": str(len(missing))})
        return Finding(name, Verdict.PASS, "", {"count": str(len(wanted) + len(builders))})

    # --- where ---

    def _region(self, name: str) -> Finding:
        params = {"region": self.region}
        command = f"gcloud compute regions list --project={self.project}"
        pages = self.session.pages("compute", f"/compute/v1/projects/{self.project}/regions", name)
        found = {region["name"]: region.get("status", "") for page in pages for region in page.get("items", [])}
        if found.get(self.region) != "UP":
            return Finding(name, Verdict.BLOCK, ", ".join(sorted(found)), params, command)
        return Finding(name, Verdict.PASS, f"{self.region}: {found[self.region]}", params)

    def _services(self, name: str) -> Finding:
        on = self.session.libraries.services(self.shipped.number)
        off = [service for service in self.shipped.services if service not in on]
        if off:
            command = f"gcloud services enable {' '.join(off)} --project={self.project}"
            return Finding(name, Verdict.BLOCK, "\n".join(off), {"services": ", ".join(off)}, command)
        return Finding(name, Verdict.PASS, "", {"count": str(len(self.shipped.services))})

    # --- how much ---

    def _vcpus(self, name: str) -> Finding:
        return self._quota(name, self._compute(f"/regions/{self.region}", name), "CPUS", self.needs.vcpus)

    def _networks(self, name: str) -> Finding:
        return self._quota(name, self._compute("", name), "NETWORKS", self.needs.networks)

    def _addresses(self, name: str) -> Finding:
        return self._quota(name, self._compute(f"/regions/{self.region}", name), "IN_USE_ADDRESSES", self.needs.addresses)

    def _quota(self, name: str, answer: Mapping[str, Any], metric: str, needed: int) -> Finding:
        """Room for one cell is enough; a warning when a second one would find none."""
        quota = next((quota for quota in answer.get("quotas", []) if quota.get("metric") == metric), None)
        if quota is None:
            return Finding(name, Verdict.UNKNOWN, f"no figure for {metric}")
        limit, usage = int(quota.get("limit", 0)), int(quota.get("usage", 0))
        free = limit - usage
        params = {"free": str(free), "limit": str(limit), "needed": str(needed), "region": self.region}
        evidence = f"{metric}: limit {limit}, usage {usage}"
        if free >= 2 * needed:
            return Finding(name, Verdict.PASS, evidence, params)
        verdict = Verdict.WARN if free >= needed else Verdict.BLOCK
        return Finding(name, verdict, evidence, params, link=f"{CONSOLE}/iam-admin/quotas?project={self.project}")

    # --- what is forbidden ---

    def _organisation(self, name: str) -> Finding:
        found = {constraint: verdict for constraint, verdict in self._rules() if verdict != Verdict.PASS}
        worst = Verdict.BLOCK if Verdict.BLOCK in found.values() else Verdict.WARN
        constraints = [constraint for constraint, verdict in found.items() if verdict == worst]
        if not constraints:
            return Finding(name, Verdict.PASS)
        command = "\n".join(f"gcloud org-policies describe {one} --project={self.project} --effective" for one in constraints)
        return Finding(name, worst, "\n".join(self._seen), {"constraints": ", ".join(constraints)}, command)

    def _rules(self) -> Iterator[tuple[str, Verdict]]:
        yield LOCATIONS, self._location(self._effective(LOCATIONS))
        # The kit stands already: these would stop the next one.
        yield ISSUERS, _allows(self._effective(ISSUERS), lambda value: value.rstrip("/") == self.target.issuer.rstrip("/"))
        # Our members, the pool and the accounts, belong to the project's own organisation, which such a list holds as a rule.
        yield MEMBERS, _allows(self._effective(MEMBERS), lambda _value: True)
        for constraint in ENFORCED:
            yield constraint, Verdict.WARN if any(rule.enforce for rule in self._effective(constraint)) else Verdict.PASS
        for constraint in LISTED:
            yield constraint, _allows(self._effective(constraint), lambda _value: False)

    def _effective(self, constraint: str) -> "Sequence[Rule]":
        rules = self.session.libraries.rules(self.shipped.number, constraint)
        if rules:
            told = (type(rule).to_json(rule, indent=None, always_print_fields_with_no_presence=False) for rule in rules)
            self._seen.append(f"{constraint}: {', '.join(told)}")
        return rules

    def _location(self, rules: "Sequence[Rule]") -> Verdict:
        """Single places are told for certain; Google's groups of them (`in:eu-locations`) only by their first word."""
        verdict = Verdict.PASS
        for rule in rules:
            allowed, denied = rule.values.allowed_values, rule.values.denied_values
            if rule.deny_all or any(_is_place(value, self.region) for value in denied):
                return Verdict.BLOCK
            if allowed and not any(_is_place(value, self.region) for value in allowed):
                verdict = (
                    Verdict.WARN
                    if any(value.startswith("in:eu-") and self.region.startswith("europe-") for value in allowed)
                    else Verdict.BLOCK
                )
        return verdict

    # --- what is taken ---

    def _overlap(self, name: str) -> Finding:
        params = {"cidr": self.needs.cidr}
        wanted = ip_network(self.needs.cidr)
        peered = {network["selfLink"] for network in self._all("/global/networks", name) if network.get("peerings")}
        hits = [
            (label, network in peered or not network)
            for label, cidr, network in self._ranges(name)
            if wanted.overlaps(ip_network(cidr, strict=False)) and not self.needs.is_of_a_cell(network.rpartition("/")[2])
        ]
        if not hits:
            return Finding(name, Verdict.PASS, "", params)
        params |= {"overlaps": ", ".join(label for label, _ in hits)}
        verdict = Verdict.BLOCK if any(is_peered for _, is_peered in hits) else Verdict.WARN
        command = f"gcloud compute networks subnets list --project={self.project}"
        return Finding(name, verdict, "\n".join(label for label, _ in hits), params, command)

    def _ranges(self, name: str) -> Iterator[tuple[str, str, str]]:
        """Label, range and network; no network for a range that is reserved for peering."""
        for subnet in self._aggregated("subnetworks", name):
            second = [extra["ipCidrRange"] for extra in subnet.get("secondaryIpRanges", [])]
            for cidr in (subnet.get("ipCidrRange", ""), *second):
                if cidr:
                    yield f"{subnet['name']} ({cidr})", cidr, subnet.get("network", "")
        for address in self._all("/global/addresses", name):
            if address.get("purpose") == "VPC_PEERING" and address.get("prefixLength"):
                cidr = f"{address['address']}/{address['prefixLength']}"
                yield f"{address['name']} ({cidr})", cidr, ""

    def _names(self, name: str) -> Finding:
        prefix = self.needs.name_prefix
        lists = ("/global/networks", "/global/firewalls", f"/regions/{self.region}/routers")
        taken = [
            f"{path.rpartition('/')[2]}/{found['name']}"
            for path in lists
            for found in self._all(path, name)
            if found["name"].startswith(prefix) and not self.needs.is_of_a_cell(found["name"])
        ]
        if not taken:
            return Finding(name, Verdict.PASS, "", {"prefix": prefix})
        command = f"gcloud compute networks list --project={self.project} --filter='name~^{prefix}'"
        return Finding(name, Verdict.BLOCK, "\n".join(taken), {"prefix": prefix, "names": ", ".join(taken)}, command)

    def _others(self, name: str) -> Finding:
        """What builds cells cannot be held to their networks, nor to their deployments: best is a project without any other."""
        clusters = self.session.get("container", f"/v1/projects/{self.project}/locations/-/clusters", name).get("clusters", [])
        deployments = f"/v1/projects/{self.project}/locations/{self.target.region}/deployments"
        names = [
            *(f"networks/{network['name']}" for network in self._all("/global/networks", name)),
            *(f"clusters/{cluster['name']}" for cluster in clusters),
            *(
                f"deployments/{found['name'].rpartition('/')[2]}"
                for page in self.session.pages("config", deployments, name)
                for found in page.get("deployments", [])
            ),
        ]
        others = [other for other in names if other != EVERY_PROJECTS and not other.partition("/")[2].startswith(self.shipped.prefix)]
        if not others:
            return Finding(name, Verdict.PASS)
        params = {"count": str(len(others)), "names": ", ".join(others[:MOST_NAMED])}
        command = f"gcloud compute networks list --project={self.project}"
        return Finding(name, Verdict.WARN, "\n".join(others), params, command)

    def _all(self, path: str, call: str) -> list[dict[str, Any]]:
        if path not in self._answers:
            pages = self.session.pages("compute", f"/compute/v1/projects/{self.project}{path}", call)
            self._answers[path] = {"items": [item for page in pages for item in page.get("items", [])]}
        items: list[dict[str, Any]] = self._answers[path]["items"]
        return items

    def _aggregated(self, kind: str, call: str) -> Iterator[dict[str, Any]]:
        """Of every region: a cell may be peered with a network that reaches all of them."""
        for page in self.session.pages("compute", f"/compute/v1/projects/{self.project}/aggregated/{kind}", call):
            for scope in (page.get("items") or {}).values():
                yield from scope.get(kind, [])


def _allows(rules: "Sequence[Rule]", is_ours: Callable[[str], bool]) -> Verdict:
    """Whether a rule that lists values lets ours pass."""
    for rule in rules:
        allowed = rule.values.allowed_values
        if rule.deny_all or (allowed and not any(is_ours(value) for value in allowed)):
            return Verdict.WARN
    return Verdict.PASS


def _is_place(value: str, region: str) -> bool:
    """`europe-west3`, `is:europe-west3`, `in:europe-west3-locations`, `in:europe-locations`."""
    place = value.removeprefix("is:").removeprefix("in:").removesuffix("-locations")
    return region == place or (value.startswith("in:") and region.startswith(f"{place}-"))
