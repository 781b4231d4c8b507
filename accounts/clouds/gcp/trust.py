"""Does what stands in a Google Cloud project equal what the kit shipped? Each function reads one part and raises CloudError for an edit."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accounts.clouds.base import ALLOW_SUPPORT, CloudError
from accounts.clouds.gcp.clients import POLICY_VERSION, Session
from accounts.clouds.gcp.leases import is_ours
from accounts.clouds.gcp.shipped import ShippedAccount, ShippedKit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.iam.v1.policy_pb2 import Binding


def check_pool(session: Session, shipped: ShippedKit) -> None:
    """The pool trusts one issuer alone: a second provider in it could speak for our subjects."""
    pool = session.get("iam", f"/v1/{shipped.pool}", "pool")
    if pool.get("state") != "ACTIVE":
        raise CloudError("provider_deleted", raw=f"{shipped.pool} is {pool.get('state')}")
    if pool.get("disabled"):
        raise CloudError("trust_policy_edited", raw=f"{shipped.pool} is disabled")
    pages = session.pages("iam", f"/v1/{shipped.pool}/providers", "providers")
    providers = {found["name"]: found for page in pages for found in page.get("workloadIdentityPoolProviders", [])}
    if shipped.provider not in providers:
        raise CloudError("provider_deleted", raw=f"{shipped.provider} is not there")
    others = sorted(set(providers) - {shipped.provider})
    if others:
        raise CloudError("trust_policy_edited", raw=f"{shipped.pool} has other providers: {', '.join(others)}")
    check_provider(providers[shipped.provider], shipped)


def check_provider(found: Mapping[str, Any], shipped: ShippedKit) -> None:
    """One provider as Google shows it."""
    oidc = found.get("oidc") or {}
    pairs = {
        "issuerUri": (oidc.get("issuerUri"), shipped.issuer),
        # Empty: only tokens made for this very provider. Keys of the provider's own would replace those of the issuer.
        "allowedAudiences": (oidc.get("allowedAudiences") or [], []),
        "jwksJson": (oidc.get("jwksJson") or "", ""),
        "discoveryUri": (oidc.get("discoveryUri") or "", ""),
        "attributeMapping": (found.get("attributeMapping"), dict(shipped.mapping)),
        "attributeCondition": (found.get("attributeCondition") or "", shipped.condition),
        "disabled": (bool(found.get("disabled")), False),
    }
    for name, (is_so, should_be) in pairs.items():
        if is_so != should_be:
            raise CloudError("trust_policy_edited", raw=f"{shipped.provider}: {name} {is_so}")


def check_accounts(session: Session, shipped: ShippedKit) -> None:
    """Each service account is used by exactly whom the kit named, and has no key."""
    for account in shipped.accounts.values():
        path = f"/v1/projects/{shipped.project}/serviceAccounts/{account.email}"
        _check_members(session.post("iam", f"{path}:getIamPolicy?options.requestedPolicyVersion={POLICY_VERSION}", "account", {}), account)
        keys = session.get("iam", f"{path}/keys", "account", keyTypes="USER_MANAGED").get("keys", [])
        if keys:
            names = ", ".join(key["name"].rpartition("/")[2] for key in keys)
            raise CloudError("key_found", raw=f"{account.email}: keys {names}", params={"account": account.email})


def _check_members(policy: Mapping[str, Any], account: ShippedAccount) -> None:
    found: dict[str, list[str]] = {}
    for binding in policy.get("bindings", []):
        if binding.get("condition"):
            raise CloudError("trust_policy_edited", raw=f"{account.email}: {binding['role']} under a condition")
        for member in filter(_is_there, binding.get("members", [])):
            found.setdefault(member, []).append(binding["role"])
    shipped = {member: sorted(roles) for member, roles in account.members.items()}
    for member in sorted({*found, *shipped}):
        if sorted(found.get(member, [])) != shipped.get(member, []):
            raise CloudError("trust_policy_edited", raw=f"{account.email}: {member} has {', '.join(found.get(member, [])) or 'nothing'}")


def _is_there(member: str) -> bool:
    """What Google goes on naming once it was deleted opens nothing. Brought back, it is named as before."""
    return not member.startswith("deleted:")


def check_roles(session: Session, shipped: ShippedKit) -> None:
    """Each custom role holds exactly the shipped permissions."""
    for name, permissions in shipped.roles.items():
        role = session.get("iam", f"/v1/{name}", "role")
        if role.get("deleted"):
            raise CloudError("role_deleted", raw=f"{name} is deleted")
        found = set(role.get("includedPermissions", []))
        if found != set(permissions) or role.get("stage") == "DISABLED":
            added, missing = sorted(found - set(permissions)), sorted(set(permissions) - found)
            raise CloudError("policy_edited", raw=f"{name}: added {added}, missing {missing}, stage {role.get('stage')}")


def check_bindings(session: Session, shipped: ShippedKit) -> None:
    """The kit's accounts have exactly the shipped roles in the project, and the pool itself has none.

    A role that the customer's own switch takes away may be absent; one that is there must be bound as shipped.
    Roles of support stand with an account of support alone, and only until an end that is near.
    """
    emails = {f"serviceAccount:{account.email}": name for name, account in shipped.accounts.items()}
    allowed = {(bound.account, bound.role, _words(bound.condition)): bound.switch for bound in shipped.bindings}
    found = set()
    for binding in session.libraries.bindings(shipped.project):
        condition = _words(binding.condition.expression)
        if binding.role in shipped.lent:
            _check_lent(binding, shipped)
            continue
        for member in binding.members:
            if f"/{shipped.pool}/" in member:
                raise CloudError("policy_edited", raw=f"{member} has {binding.role}")
            if member in emails:
                found.add((emails[member], binding.role, condition))
    for account, role, condition in sorted(found - set(allowed)):
        raise CloudError("policy_edited", raw=f"{shipped.accounts[account].email} has {role}{f' where {condition}' if condition else ''}")
    for account, role, _ in sorted(bound for bound, switch in allowed.items() if not switch and bound not in found):
        raise CloudError("policy_edited", raw=f"{shipped.accounts[account].email} lacks {role}")


def _check_lent(binding: "Binding", shipped: ShippedKit) -> None:
    """Google holds the operator to these roles, but not to whom it gives them: that is seen here."""
    emails = {f"serviceAccount:{shipped.accounts[name].email}" for name in shipped.supporters}
    if strangers := [member for member in binding.members if member not in emails and _is_there(member)]:
        raise CloudError("policy_edited", raw=f"{strangers[0]} has {binding.role}")
    if not is_ours(binding, shipped, datetime.now(UTC)):
        raise CloudError("policy_edited", raw=f"{binding.role} is given where {binding.condition.expression or 'nothing limits it'}")


def check_views(session: Session, shipped: ShippedKit) -> None:
    """A view with another filter would show support, or the operator, more of the log."""
    for name, text in shipped.views.items():
        found = session.get("logging", f"/v2/{name}", "view")
        if found.get("filter") != text:
            raise CloudError("policy_edited", raw=f"{name} shows {found.get('filter') or 'everything'}")


def _words(expression: str) -> str:
    """Spaces mean nothing in a condition."""
    return " ".join(expression.split())


class Bound:
    """What the accounts but the operator may do, read from their roles in the project. Conditions are check_bindings' business."""

    def __init__(self, session: Session, shipped: ShippedKit) -> None:
        self._session = session
        self._shipped = shipped
        self._contents: dict[str, frozenset[str]] = {}

    def permissions(self, account: str, resource: str) -> frozenset[str]:
        """In `projects/<id>`, or of `serviceAccounts/<email>`, for which the project's bindings count too."""
        member = f"serviceAccount:{self._shipped.accounts[account].email}"
        roles = {binding.role for binding in self._project if member in binding.members}
        if not resource.startswith("projects/"):
            roles |= self._roles_on(resource, member)
        return frozenset(permission for role in roles for permission in self._held_by(role))

    @cached_property
    def _project(self) -> "Sequence[Binding]":
        return self._session.libraries.bindings(self._shipped.project)

    def limited(self, account: str) -> frozenset[str]:
        """What an account holds under a condition, as shipped, by roles that are bound to it."""
        shipped, member = self._shipped, f"serviceAccount:{self._shipped.accounts[account].email}"
        limited = {bound.role for bound in shipped.bindings if bound.account == account and bound.condition}
        standing = {binding.role for binding in self._project if member in binding.members}
        return frozenset(permission for role in limited & standing for permission in shipped.roles[role])

    def lent(self) -> frozenset[str]:
        """What the roles of support hold, which nobody has but for the time of a grant; nothing while nobody may give them."""
        givers = {bound.role for bound in self._shipped.bindings if bound.switch == ALLOW_SUPPORT}
        if givers - {binding.role for binding in self._project}:
            return frozenset()
        return frozenset(permission for role in self._shipped.lent for permission in self._held_by(role))

    def _roles_on(self, resource: str, member: str) -> set[str]:
        path = f"/v1/projects/{self._shipped.project}/{resource}:getIamPolicy?options.requestedPolicyVersion={POLICY_VERSION}"
        policy = self._session.post("iam", path, "account", {})
        return {binding["role"] for binding in policy.get("bindings", []) if member in binding.get("members", [])}

    def _held_by(self, role: str) -> frozenset[str]:
        """A role that was deleted or disabled gives nothing."""
        if role not in self._contents:
            found = self._session.get("iam", f"/v1/{role}", "role")
            is_off = found.get("deleted") or found.get("stage") == "DISABLED"
            self._contents[role] = frozenset() if is_off else frozenset(found.get("includedPermissions", []))
        return self._contents[role]
