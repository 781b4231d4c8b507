"""For whoever runs the kit: the exact rights that it takes, and the lines that take it away again."""

from collections.abc import Mapping, Sequence

from accounts.clouds.base import Target

RIGHTS = (
    "iam.roles.create",
    "iam.roles.delete",
    "iam.roles.get",
    "iam.roles.update",
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "iam.serviceAccounts.setIamPolicy",
    "iam.serviceAccounts.update",
    "iam.workloadIdentityPoolProviders.create",
    "iam.workloadIdentityPoolProviders.get",
    "iam.workloadIdentityPoolProviders.update",
    "iam.workloadIdentityPools.create",
    "iam.workloadIdentityPools.delete",
    "iam.workloadIdentityPools.get",
    "logging.views.create",
    "logging.views.delete",
    "logging.views.get",
    "logging.views.update",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "resourcemanager.projects.setIamPolicy",
    "serviceusage.operations.get",
    "serviceusage.services.enable",
    "serviceusage.services.get",
    "serviceusage.services.list",
)


def rights(version: str) -> str:
    """A custom role as `gcloud iam roles create byoc_installer --project=<project> --file=<this>` takes it."""
    lines = [f"title: Runs the BYOC kit {version}", "stage: GA", "includedPermissions:"]
    return "\n".join([*lines, *(f"- {permission}" for permission in RIGHTS)]) + "\n"


def removal(
    target: Target, *, accounts: Mapping[str, str], roles: Sequence[tuple[str, str]], lent: Sequence[str], views: Sequence[str]
) -> str:
    """gcloud lines that need no file. The portal is shut out by the first; bindings go before the accounts they name.

    `lent` are the roles of support, whose bindings end by themselves.
    """
    project = target.external_id
    lines = [
        "# Google Cloud keeps the names of the pool, the accounts and the roles for 30 days. That costs nothing.",
        f"gcloud iam workload-identity-pools delete byoc-{target.suffix} --project={project} --location=global --quiet",
    ]
    lines += [
        f"gcloud projects remove-iam-policy-binding {project} --member=serviceAccount:{accounts[account]} \\\n"
        f"  --role={role} --all --format=none --quiet"
        for account, role in roles
    ]
    lines += [f"gcloud iam service-accounts delete {email} --project={project} --quiet" for email in accounts.values()]
    lines += [f"gcloud iam roles delete {role} --project={project} --quiet" for role in _made(roles, lent)]
    place = f"--project={project} --bucket=_Default --location=global"
    lines += [f"gcloud logging views delete byoc-{target.suffix}-{view} {place} --quiet" for view in views]
    return "\n".join(lines)


def revival(target: Target, *, roles: Sequence[tuple[str, str]]) -> str:
    """Brings back what keeps its name for 30 days, so that the kit can be run again. Accounts are made anew by the kit itself."""
    project = target.external_id
    return "\n".join(
        [
            "# A line that says that something is not deleted, or not found, does no harm.",
            f"gcloud iam workload-identity-pools undelete byoc-{target.suffix} --project={project} --location=global --quiet",
            *(f"gcloud iam roles undelete {role} --project={project} --quiet" for role in _made(roles, ())),
        ]
    )


def _made(roles: Sequence[tuple[str, str]], lent: Sequence[str]) -> list[str]:
    """Those that the kit has made, by their short names."""
    return [role.rpartition("/")[2] for role in (*(role for _, role in roles), *lent) if role.startswith("projects/")]
