"""What the Google Cloud kit never allows, each promise with examples that tests try. How firm they are says `promise_note` in words.py."""

from django.utils.translation import gettext_lazy as _

from accounts.clouds.gcp.shipped import ShippedKit
from accounts.kits.gcp.manifest import AGENT_ACCOUNT, BUILDER, NODE, PROJECT
from accounts.kits.manifest import Denial, Role

_OPERATOR = "serviceAccounts/byoc-{suffix}-operator@{account_id}.iam.gserviceaccount.com"
_SUPPORT = "serviceAccounts/byoc-{suffix}-support@{account_id}.iam.gserviceaccount.com"
_OPENING = (
    "iam.serviceAccounts.getAccessToken",
    "iam.serviceAccounts.getOpenIdToken",
    "iam.serviceAccounts.signBlob",
    "iam.serviceAccounts.signJwt",
    "iam.serviceAccounts.implicitDelegation",
)
_READING = (
    "bigquery.tables.getData",
    "cloudsql.instances.connect",
    "compute.snapshots.create",
    "logging.logEntries.list",
    "logging.privateLogEntries.list",
    "pubsub.subscriptions.consume",
    "secretmanager.versions.access",
    "storage.buckets.list",
)
_DATA = (*_READING, "compute.disks.create")
_SIGNING_IN = ("compute.instances.osLogin", "compute.instances.osAdminLogin", "compute.projects.setCommonInstanceMetadata")

_NO_POLICY = ("iam.roles.create", "iam.roles.update", "iam.roles.delete", "compute.subnetworks.setIamPolicy")

# Until 1.3.0, which lets the operator open and close support access.
UNTIL_SUPPORT: tuple[Denial, ...] = (
    Denial(
        _("Never change who may do what in your project: it sets no policy, not even of what it made."),
        ("resourcemanager.projects.setIamPolicy", *_NO_POLICY),
        Role.OPERATOR,
        PROJECT,
    ),
)

# What every version promised.
FIRST: tuple[Denial, ...] = (
    Denial(
        _("Never make a service account, or a key for one."),
        ("iam.serviceAccounts.create", "iam.serviceAccountKeys.create", "iam.serviceAccounts.delete", "iam.serviceAccounts.update"),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never become one of your service accounts, and never sign anything as one. Only the builder may be named, for what is built."),
        (*_OPENING, "iam.serviceAccounts.actAs"),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never become support, and never change the support account."),
        (
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.actAs",
            "iam.serviceAccounts.setIamPolicy",
            "iam.serviceAccounts.delete",
        ),
        Role.OPERATOR,
        _SUPPORT,
    ),
    Denial(
        _("Never change its own trust."),
        ("iam.serviceAccounts.setIamPolicy", "iam.serviceAccountKeys.create"),
        Role.OPERATOR,
        _OPERATOR,
    ),
    Denial(
        _("Never change whom this project trusts."),
        (
            "iam.workloadIdentityPools.create",
            "iam.workloadIdentityPools.update",
            "iam.workloadIdentityPools.delete",
            "iam.workloadIdentityPoolProviders.create",
            "iam.workloadIdentityPoolProviders.update",
            "iam.workloadIdentityPoolProviders.delete",
        ),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never touch your project itself, its billing, its APIs or the rules of your organisation."),
        (
            "resourcemanager.projects.delete",
            "resourcemanager.projects.update",
            "resourcemanager.projects.move",
            "resourcemanager.projects.createBillingAssignment",
            "resourcemanager.projects.deleteBillingAssignment",
            "serviceusage.services.enable",
            "serviceusage.services.disable",
            "orgpolicy.policies.create",
            "orgpolicy.policies.delete",
        ),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _(
            "Never read your data: no database, secret, message, disk, bucket or log. Settings it may read; the metadata of the project "
            "and of its machines, where some keep secrets, is among them."
        ),
        _DATA,
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never sign in to a machine of yours, and never start, change or remove one itself: only the builder does, as a plan says."),
        ("compute.instances.create", "compute.instances.osLogin", "compute.instances.setMetadata", "compute.instances.delete"),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Support never changes anything."),
        (
            "compute.networks.create",
            "compute.networks.delete",
            "config.deployments.update",
            "config.deployments.delete",
            "container.clusters.update",
            "container.clusters.delete",
        ),
        Role.SUPPORT,
        PROJECT,
    ),
    Denial(
        _("Support never becomes somebody else and never reads data, secrets or logs of what runs in your cells."),
        (
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.actAs",
            "iam.serviceAccountKeys.create",
            "logging.logEntries.list",
            "secretmanager.versions.access",
            "storage.objects.get",
        ),
        Role.SUPPORT,
        PROJECT,
    ),
)

# Since 1.1.0, which brought the builder. An account under an earlier kit is not asked for these.
ADDED: tuple[Denial, ...] = (
    Denial(
        _("Never hand itself on: nothing in your project runs as the operator."),
        ("iam.serviceAccounts.actAs", "iam.serviceAccounts.getAccessToken"),
        Role.OPERATOR,
        _OPERATOR,
    ),
    Denial(
        _("Never open the builder account, and never change who may use it: no sign-in from outside of your project ends there."),
        (*_OPENING, "iam.serviceAccounts.setIamPolicy", "iam.serviceAccountKeys.create", "iam.serviceAccounts.delete"),
        Role.OPERATOR,
        BUILDER,
    ),
    Denial(
        _("Never use or open the account of your cells' machines."),
        (*_OPENING, "iam.serviceAccounts.actAs", "iam.serviceAccounts.setIamPolicy", "iam.serviceAccountKeys.create"),
        Role.OPERATOR,
        NODE,
    ),
    Denial(
        _(
            "Never open the account of the agent, and never enter a cluster itself. The plans that it orders start the agent's machine, "
            "though: whoever decides what that machine is told, decides what runs in the cluster."
        ),
        (*_OPENING, "iam.serviceAccounts.actAs", "iam.serviceAccounts.setIamPolicy", "iam.serviceAccountKeys.create"),
        Role.OPERATOR,
        AGENT_ACCOUNT,
    ),
    Denial(
        _("Nothing of ours enters a cluster but the agent's machine: the operator itself reads and changes nothing in it."),
        ("container.pods.list", "container.pods.exec", "container.secrets.get", "container.deployments.create", "container.clusters.get"),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _(
            "The agent itself gives nobody a role in a cluster, runs no command in your pods, and changes no machine. It installs what "
            "was ordered, though, and what is installed may do more than the agent. What holds that are the limits of each instance's "
            "namespace, which the agent sets: no privileged pods, traffic within the namespace, the size ordered."
        ),
        (
            "container.clusterRoleBindings.create",
            "container.clusterRoles.bind",
            "container.roleBindings.create",
            "container.roles.escalate",
            "container.pods.exec",
            "container.pods.attach",
            "container.pods.portForward",
            "container.nodes.update",
            "container.serviceAccounts.createToken",
            "container.clusters.update",
            "container.clusters.delete",
        ),
        Role.AGENT,
        PROJECT,
    ),
    Denial(
        _("The agent does nothing outside of clusters: no network, no machine, no data, no account of yours."),
        (
            *_DATA,
            "compute.instances.create",
            "compute.networks.list",
            "config.deployments.get",
            "iam.serviceAccounts.actAs",
            "iam.serviceAccounts.getAccessToken",
            "resourcemanager.projects.setIamPolicy",
            "storage.objects.get",
        ),
        Role.AGENT,
        PROJECT,
    ),
    Denial(
        _("Never read the state of a deployment, and never build anything itself: it orders, and the builder's rights are the bounds."),
        (
            "config.deployments.getState",
            "config.deployments.updateState",
            "config.revisions.getState",
            "compute.networks.create",
            "compute.networks.updatePolicy",
            "compute.firewalls.create",
            "container.clusters.create",
            "storage.buckets.create",
            "storage.objects.get",
        ),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _(
            "The builder reads no database, secret, message, disk or log either. What Infrastructure Manager keeps about deployments it "
            "may read, that of others in this project too."
        ),
        _READING,
        Role.BUILDER,
        PROJECT,
    ),
    Denial(
        _(
            "The builder signs in to no machine, reads no disk and no console, and never changes what all machines of your project are "
            "told. It starts machines under names of cells alone: our plans start one in each cell, that of the agent, and Google Cloud "
            "checks the name, not how many there are."
        ),
        (*_SIGNING_IN, "compute.instances.attachDisk", "compute.disks.useReadOnly", "compute.instances.getSerialPortOutput"),
        Role.BUILDER,
        PROJECT,
    ),
    Denial(
        _("The builder changes no policy, makes no role, account or key, and becomes none of your service accounts."),
        (
            *_OPENING,
            "resourcemanager.projects.setIamPolicy",
            "iam.roles.create",
            "iam.roles.update",
            "iam.serviceAccounts.create",
            "iam.serviceAccounts.setIamPolicy",
            "iam.serviceAccounts.actAs",
            "iam.serviceAccountKeys.create",
            "iam.workloadIdentityPoolProviders.create",
            "iam.workloadIdentityPoolProviders.update",
            "serviceusage.services.enable",
            "config.deployments.create",
        ),
        Role.BUILDER,
        PROJECT,
    ),
    Denial(
        _("The builder never becomes the operator or support, and never opens either to anybody."),
        ("iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.actAs", "iam.serviceAccounts.setIamPolicy"),
        Role.BUILDER,
        _OPERATOR,
    ),
)

# Until 1.2.0, which brought the agent and its machine.
UNTIL_AGENT: tuple[Denial, ...] = (
    Denial(
        _("The builder starts no machine."),
        ("compute.disks.create", "compute.instances.create", "compute.instances.setMetadata"),
        Role.BUILDER,
        PROJECT,
    ),
)

# Until 1.4.0, under which the agent reads log lines for an access or a bundle that the customer has allowed.
UNTIL_LOGS: tuple[Denial, ...] = (Denial(_("The agent reads no logs of your pods."), ("container.pods.getLogs",), Role.AGENT, PROJECT),)

# Since 1.3.0, instead.
SINCE_SUPPORT: tuple[Denial, ...] = (
    Denial(
        _(
            "Never change who may do what in your project, but for the kit's own three roles of support, which let read alone: no other "
            "role is given or taken, and no role is changed."
        ),
        _NO_POLICY,
        Role.OPERATOR,
        PROJECT,
    ),
)

DENIALS: tuple[Denial, ...] = SINCE_SUPPORT + FIRST + ADDED
EARLIEST: tuple[Denial, ...] = UNTIL_SUPPORT + FIRST
_LOGS = "container.pods.getLogs"


def promised(shipped: ShippedKit) -> tuple[Denial, ...]:
    """By the version that this was shipped with: told by what it has, as its number says nothing of that."""
    logs = () if any(_LOGS in permissions for permissions in shipped.roles.values()) else UNTIL_LOGS
    if shipped.lent:
        return (*DENIALS, *logs)
    if "agent" in shipped.accounts:
        return (*EARLIEST, *ADDED, *logs)
    return (*EARLIEST, *ADDED, *UNTIL_AGENT) if "builder" in shipped.accounts else EARLIEST
