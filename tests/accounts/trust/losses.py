"""Every cloud's own ways to lose the trust, and what brings it back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.clouds.azure.account import GLOBEX_TENANT

AWS, AZURE, GCP = "aws", "azure", "gcp"
Act = Callable[[Any], object]


def hand(name: str, *given: Any, **more: Any) -> Act:
    return lambda hand: getattr(hand, name)(*given, **more)


@dataclass(frozen=True)
class Loss:
    """One way in one cloud: what is done, what it is called, what the page says of it, what undoes it where that can be undone."""

    name: str
    cloud: str
    code: str
    act: Act
    says: str
    undo: Act | None = None

    def __str__(self) -> str:
        return f"{self.name.replace(' ', '-')}-{self.cloud}"


def project(method: str, path: str) -> Act:
    return lambda hand: hand.google.control(
        method, path.format(id=hand.external_id), {"id": hand.external_id} if method == "POST" else None
    )


def account_of(name: str, method: str, ending: str) -> Act:
    """Of a service account of the kit."""
    return lambda hand: hand.google.done(method, f"/iam/v1/projects/{hand.external_id}/serviceAccounts/{hand.email(name)}{ending}", {})


def remove_assignments(hand: Any) -> None:
    for entry in hand.assignments("operator-cells"):
        hand.remove(entry["id"])


def remove_role(hand: Any) -> None:
    remove_assignments(hand)
    hand.remove(hand.role("operator-cells")["id"])


def remove_groups(hand: Any) -> None:
    hand.remove(hand.kit_group)
    hand.remove(hand.cell_group)


def change_issuer(hand: Any) -> None:
    hand.patch_provider("oidc.issuerUri", oidc={"issuerUri": "https://id.other.example"})


def give_issuer_back(hand: Any) -> None:
    hand.patch_provider("oidc.issuerUri", oidc={"issuerUri": hand.shipped.issuer})


LOST = [
    Loss("provider deleted", AWS, "provider_deleted", hand("delete_provider"), "The identity provider of the kit was deleted in AWS."),
    Loss(
        "provider deleted", AZURE, "provider_deleted", hand("delete_provider"), "its federated credential was deleted", hand("run_kit"),
    ),
    Loss("provider deleted", GCP, "provider_deleted", hand("delete_provider"), "deleted or disabled in Google Cloud, alone or with"),
    Loss(
        "pool disabled", GCP, "provider_deleted", hand("disable_pool"), "deleted or disabled in Google Cloud, alone or with",
        hand("enable_pool"),
    ),
    Loss(
        "pool deleted", GCP, "provider_deleted", lambda hand: hand.google.done("DELETE", f"/iam/v1/{hand.shipped.pool}"),
        "If the pool is gone, press Restore the trust",
    ),
    Loss("project deleted", GCP, "provider_deleted", project("DELETE", "projects?id={id}"), "or the project deleted, undo that"),
    Loss("project made anew", GCP, "provider_deleted", project("POST", "projects/recreate"), "then Reconnect with its new number."),
    Loss("trust widened", AWS, "trust_policy_edited", hand("widen_trust"), "is not the one that the kit ships", hand("restore_trust")),
    Loss(
        "trust widened", AZURE, "trust_policy_edited", hand("widen_trust"), "The federated credential of an identity of the kit",
        hand("restore_trust"),
    ),
    Loss(
        "trust widened", GCP, "trust_policy_edited", hand("widen_trust"), "the pool, its provider or who may use an account was edited",
        hand("restore_trust"),
    ),
    Loss("support opened", AZURE, "trust_policy_edited", hand("let_ops_open_support"), "edited, or one was added."),
    Loss("support opened", GCP, "trust_policy_edited", hand("let_ops_open_support"), "who may use an account was edited."),
    Loss(
        "audience added", AWS, "trust_policy_edited", hand("add_audience"), "its policy or its audience was edited",
        hand("take_audience_back"),
    ),
    Loss("audience changed", AZURE, "trust_policy_edited", hand("add_audience"), "edited, or one was added."),
    Loss(
        "audience added", GCP, "trust_policy_edited", hand("add_audience"), "is not the one that the kit ships",
        hand("take_audience_back"),
    ),
    Loss(
        "issuer changed", GCP, "token_refused", change_issuer, "Google Cloud no longer accepts the tokens of this portal",
        give_issuer_back,
    ),
    Loss("subject changed", AZURE, "trust_refused", hand("refuse_operator"), "the subject or the audience", hand("run_kit")),
    Loss(
        "right to open taken", GCP, "trust_refused", hand("refuse_operator"), "no longer opens the operator account", hand("restore_trust"),
    ),
    Loss("operator deleted", AWS, "trust_refused", hand("delete_identity", "operator"), "refuses to let the operator identity in."),
    Loss("operator deleted", AZURE, "role_deleted", hand("delete_identity", "operator"), "An identity cannot be put back"),
    Loss("operator deleted", GCP, "trust_refused", hand("delete_identity", "operator"), "it was deleted, or who may use it was edited."),
    Loss(
        "operator disabled", GCP, "identity_disabled", account_of("operator", "POST", ":disable"),
        "The operator account of the kit was disabled in Google Cloud.", account_of("operator", "POST", ":enable"),
    ),
    Loss("builder deleted", GCP, "role_deleted", hand("delete_identity", "builder"), "A service account or a role of the kit was deleted"),
    Loss("support deleted", AWS, "role_deleted", hand("delete_support_identity"), "A role of the kit was deleted in AWS."),
    Loss("support deleted", AZURE, "role_deleted", hand("delete_support_identity"), "An identity of the kit, a role or an assignment"),
    Loss("support deleted", GCP, "role_deleted", hand("delete_support_identity"), "A service account or a role of the kit was deleted"),
    Loss(
        "permission removed", AWS, "permission_missing", hand("take_permission"), "permissions of the kit are gone, among them ec2:",
        hand("restore_permission"),
    ),
    Loss(
        "permission removed", AZURE, "permission_missing", hand("take_permission"), "2 permissions of the kit are gone, among them Micro",
        hand("run_kit"),
    ),
    Loss(
        "permission removed", GCP, "permission_missing", hand("take_permission"), "4 permissions of the kit are gone, among them config.",
        hand("restore_permission"),
    ),
    Loss("role unbound", GCP, "permission_missing", lambda hand: hand.unbind(hand.role("cells")), "A role was edited, deleted or taken"),
    Loss("role deleted", GCP, "permission_missing", lambda hand: hand.google.done("DELETE", f"/iam/v1/{hand.role('cells')}"), "deleted or"),
    Loss("assignment removed", AZURE, "permission_missing", remove_assignments, "or its assignment was removed.", hand("run_kit")),
    Loss("role deleted", AZURE, "permission_missing", remove_role, "A role was edited, or its assignment was removed."),
    Loss("permission added", AWS, "policy_edited", hand("add_permission"), "were edited in AWS.", hand("take_permission_back")),
    Loss("role given", AZURE, "policy_edited", hand("add_permission"), "another one was given", hand("take_permission_back")),
    Loss("role given", GCP, "policy_edited", hand("add_permission"), "was given or lost a role.", hand("take_permission_back")),
    Loss("limit removed", AWS, "boundary_removed", hand("remove_limit"), "The limit (permissions boundary)", hand("restore_limit")),
    Loss("limit removed", AZURE, "policy_edited", hand("remove_limit"), "The roles of the kit's identities", hand("restore_limit")),
    Loss("limit removed", GCP, "policy_edited", hand("remove_limit"), "A role of the kit was edited", hand("restore_limit")),
    Loss("key made", GCP, "key_found", account_of("support", "POST", "/keys"), "Somebody made a key for a service account"),
    Loss("organisation denies", AWS, "denied_by_organisation", hand("forbid"), "A service control policy of your AWS", hand("allow")),
    Loss(
        "API switched off", GCP, "api_disabled", hand("disable_api"), "Run gcloud services enable cloudresourcemanager.googleapis.com",
        hand("enable_api"),
    ),
    Loss("kit's groups deleted", AZURE, "role_deleted", remove_groups, "alone or with its resource group."),
    Loss("cell's group deleted", AZURE, "role_deleted", lambda hand: hand.remove(hand.cell_group), "alone or with its resource group."),
    Loss(
        "subscription disabled", AZURE, "account_disabled", hand("subscription", state="Disabled"),
        "Azure has disabled the subscription: its state is Disabled.", hand("subscription", state="Enabled"),
    ),
    Loss(
        "subscription deleted", AZURE, "account_deleted", hand("subscription", state="Deleted"), "Azure no longer knows subscription 2222",
        hand("subscription", state="Enabled"),
    ),
    Loss(
        "subscription moved", AZURE, "wrong_tenant", hand("subscription", tenant=GLOBEX_TENANT),
        f"it now belongs to tenant {GLOBEX_TENANT}. Tenant 11111111-aaaa",
    ),
]  # fmt: skip
