"""The Google Cloud kit in words: a reason for every permission of every custom role in kit.sh. A test keeps the two equal.

The `sid` of a grant starts with the custom role that holds its permissions; `machines` is a role of Google's own on single accounts.
"""

from django.utils.translation import gettext_lazy as _

from accounts.kits.gcp.manifest_agent import AGENT
from accounts.kits.manifest import ALL, Grant, Phase, Role

PROJECT = "projects/{account_id}"
BUILDER = "serviceAccounts/byoc-{suffix}-builder@{account_id}.iam.gserviceaccount.com"
AGENT_ACCOUNT = "serviceAccounts/byoc-{suffix}-agent@{account_id}.iam.gserviceaccount.com"
NODE = "serviceAccounts/byoc-{suffix}-node@{account_id}.iam.gserviceaccount.com"

_READ = _("Reads names and settings in this project, no content. Google Cloud cannot narrow this to single resources.")
_READ_KIT = _("Reads names and settings of identities and roles in this project. Google Cloud cannot narrow this to the kit's own.")
_NO_NAMES = _(
    "This project only. Google Cloud cannot narrow this to single networks, so a plan that is wrong could change any network of the "
    "project: give the portal a project of its own."
)
_OWN_NAMES = _("Only names that start with byoc-, this account's short code and a dash. Google Cloud refuses any other.")
_DEPLOYMENTS = _(
    "Deployments of Infrastructure Manager in this project, without their state. Google Cloud cannot narrow this to single ones."
)
_STATES = _(
    "Deployments of Infrastructure Manager in this project, their state included. Google Cloud cannot narrow this to single ones, so a "
    "plan that is wrong could read what others of yours hold: give the portal a project of its own."
)
_LENT_DEPLOYMENTS = _(
    "Only during an access that you approved. Deployments of Infrastructure Manager in this project, without their state. Google Cloud "
    "cannot narrow this to one cell: the portal asks for the one of the access."
)
_LENT_CLUSTER = _("Only during an access that you approved, and only the cluster of the cell it is for.")
_LENT_LOGS = _(
    "Only during an access that you approved, and only the three views of your log that hold what clusters write about themselves. Google "
    "Cloud cannot narrow it to one cluster: the portal asks for the one of the access."
)
_MACHINES = _("Only the kit's own two accounts for machines: that of the cluster's, and that of the agent's.")
_HAND_ON = _("Hand the machines of a cell, and the machine of the agent, their own accounts.")
_STORE = _("Only the one bucket that Infrastructure Manager makes for this project's number and the kit's region.")

VERIFY: tuple[Grant, ...] = (
    Grant(
        "verify.kit",
        Role.OPERATOR,
        Phase.SETUP,
        _READ_KIT,
        {
            "iam.roles.get": _("Check that the kit's roles hold what was shipped, and no more."),
            "iam.serviceAccountKeys.list": _(
                "Check that nobody made a key for the kit's service accounts. Shows that keys exist, not the keys."
            ),
            "iam.serviceAccounts.get": _("Read the kit's version and your switches, which stand in the operator account's description."),
            "iam.serviceAccounts.getIamPolicy": _("Check that only the portal's own subjects open the kit's service accounts."),
            "iam.workloadIdentityPoolProviders.list": _(
                "Check that the identity provider is still as shipped, and that no other was added."
            ),
            "iam.workloadIdentityPools.get": _("Check that the identity pool is still as shipped."),
            "logging.views.get": _("Check that the kit's four views of your log show what was shipped, and no more."),
            "resourcemanager.projects.get": _("Check that the project is the one you named, by id and by number."),
            "resourcemanager.projects.getIamPolicy": _("Check that the kit's service accounts have the shipped roles, and no others."),
        },
        PROJECT,
        recovers=(
            "iam.roles.get",
            "iam.serviceAccountKeys.list",
            "iam.serviceAccounts.get",
            "iam.serviceAccounts.getIamPolicy",
            "iam.workloadIdentityPoolProviders.list",
            "iam.workloadIdentityPools.get",
            "resourcemanager.projects.get",
            "resourcemanager.projects.getIamPolicy",
        ),
    ),
    Grant(
        "verify.place",
        Role.OPERATOR,
        Phase.SETUP,
        _READ,
        {
            "compute.projects.get": _(
                "Tell you about a limit of the project that is too low before a cell fails on it. It would show the project's metadata as "
                "well: the portal asks for the limits alone."
            ),
            "compute.regions.get": _("Tell you about a limit of the region that is too low before a cell fails on it."),
            "compute.regions.list": _("Check that the region of a cell exists for this project."),
            "compute.zones.list": _("Choose zones that are open for this project."),
            "orgpolicy.policy.get": _("Tell you about a rule of your organisation that a cell would break."),
            "serviceusage.services.list": _("Check that the APIs which a cell needs are on."),
        },
        PROJECT,
    ),
    Grant(
        "verify.network",
        Role.OPERATOR,
        Phase.RUN,
        _READ,
        {
            "compute.disks.list": _("Find disks that are left when a cell is gone."),
            "compute.firewalls.list": _("Watch the firewall rules of a cell, and find names that are taken."),
            "compute.forwardingRules.list": _("Find a load balancer that keeps the network of a cell from being deleted."),
            "compute.globalAddresses.list": _("Avoid address ranges that are reserved for peered services."),
            "compute.instances.list": _(
                "Find machines that are left when a cell is gone. It would show the metadata of machines as well: the portal asks for "
                "names and labels alone."
            ),
            "compute.networks.list": _("Watch the network of a cell, avoid ranges of peered networks, and find names that are taken."),
            "compute.routers.list": _("Watch how a cell reaches the internet, and find a router left over when a cell is deleted."),
            "compute.routes.list": _("Find routes that keep a network from being deleted."),
            "compute.subnetworks.list": _("Watch the subnets of a cell, and avoid address ranges in use."),
            "config.deployments.list": _("Find the deployments of cells, and tell you about others that a cell should not live beside."),
            "container.clusters.list": _("Watch the cluster of a cell, and find names that are taken."),
        },
        PROJECT,
        recovers=(
            "compute.disks.list",
            "compute.firewalls.list",
            "compute.forwardingRules.list",
            "compute.instances.list",
            "compute.networks.list",
            "compute.routers.list",
            "compute.routes.list",
            "compute.subnetworks.list",
            "config.deployments.list",
            "container.clusters.list",
        ),
    ),
)

CELLS: tuple[Grant, ...] = (
    Grant(
        "cells.order",
        Role.OPERATOR,
        Phase.RUN,
        _DEPLOYMENTS,
        {
            "config.deployments.create": _("Have a cell built as one deployment, so that it can be taken away whole."),
            "config.deployments.get": _("Watch a cell being built."),
            "config.deployments.update": _("Update a cell to a new plan."),
            "config.operations.get": _("Wait until a build has finished."),
            "config.previews.create": _("Have Infrastructure Manager compare a cell with its plan. It changes nothing."),
            "config.previews.delete": _("Take such a comparison away once it was read."),
            "config.previews.get": _("Wait until such a comparison has finished."),
            "config.resourcedrifts.list": _("Read what differs from the plan."),
            "config.resources.list": _("See what a cell consists of."),
            "config.revisions.get": _("See why a build failed."),
            "config.revisions.list": _("See the earlier builds of a cell."),
        },
        PROJECT,
        recovers=(
            "config.deployments.get",
            "config.operations.get",
            "config.resources.list",
            "config.revisions.get",
            "config.revisions.list",
        ),
    ),
    Grant(
        "cells.order_end",
        Role.OPERATOR,
        Phase.DELETE,
        _DEPLOYMENTS,
        {"config.deployments.delete": _("Take a cell away whole.")},
        PROJECT,
        recovers=ALL,
    ),
    Grant(
        "machines.build",
        Role.OPERATOR,
        Phase.RUN,
        _(
            "Only the kit's own builder account. A plan that the operator orders is built with the builder's rights, and with no others: "
            "they include starting a machine as the agent, which may use the cell's cluster."
        ),
        {"iam.serviceAccounts.actAs": _("Let Infrastructure Manager build a cell as the builder.")},
        BUILDER,
        recovers=ALL,
    ),
)

BUILD: tuple[Grant, ...] = (
    Grant(
        "build.network",
        Role.BUILDER,
        Phase.RUN,
        _NO_NAMES,
        {
            "compute.globalOperations.get": _("Wait until a change of a network has finished."),
            "compute.networks.create": _("Give the cell a network of its own, apart from yours."),
            "compute.networks.get": _("Compare the network of a cell with what was installed."),
            "compute.networks.updatePolicy": _("Add subnets, routers and firewall rules to the cell's network."),
            "compute.networks.use": _("Place a cluster in the cell's network."),
            "compute.regionOperations.get": _("Wait until a change of a subnet or a router has finished."),
            "compute.routers.create": _("Let machines without a public address reach the internet."),
            "compute.routers.get": _("Compare the router of a cell with what was installed."),
            "compute.routers.update": _("Set up the cell's way out to the internet, which Google Cloud keeps as a part of the router."),
            "compute.subnetworks.create": _("Divide the cell's network."),
            "compute.subnetworks.get": _("Compare the subnets of a cell with what was installed."),
            "compute.subnetworks.use": _("Place a cluster, and the machine of the agent, in the cell's subnets."),
            "compute.zoneOperations.get": _("Wait until the machine of the agent was made or removed."),
            "compute.zones.get": _("Find the zone that the machine of the agent shall stand in."),
        },
        PROJECT,
        recovers=(
            "compute.globalOperations.get",
            "compute.networks.get",
            "compute.networks.updatePolicy",
            "compute.regionOperations.get",
            "compute.routers.get",
            "compute.routers.update",
            "compute.subnetworks.get",
            "compute.zoneOperations.get",
        ),
    ),
    Grant(
        "build.network_end",
        Role.BUILDER,
        Phase.DELETE,
        _NO_NAMES,
        {
            "compute.networks.delete": _("Remove the network with its cell. Google Cloud refuses this for a network in use."),
            "compute.routers.delete": _("Remove the router with its cell."),
            "compute.subnetworks.delete": _("Remove the subnets with their cell. Google Cloud refuses this for a subnet in use."),
        },
        PROJECT,
        recovers=ALL,
    ),
    Grant(
        "build.state",
        Role.BUILDER,
        Phase.RUN,
        _STATES,
        {
            "config.artifacts.import": _("Let Infrastructure Manager read the plan of a cell."),
            "config.deployments.getLock": _("Let Infrastructure Manager see that nobody else changes the cell."),
            "config.deployments.getState": _("Let Infrastructure Manager read what it built before."),
            "config.deployments.updateState": _("Let Infrastructure Manager write down what it built."),
            "config.previews.upload": _("Let Infrastructure Manager write down what differs from the plan."),
            "config.revisions.getState": _("Let Infrastructure Manager go back to an earlier state."),
            "logging.logEntries.create": _("Let Infrastructure Manager write its log into your project. Reading logs is not asked for."),
        },
        PROJECT,
        recovers=(
            "config.artifacts.import",
            "config.deployments.getLock",
            "config.deployments.getState",
            "config.deployments.updateState",
            "config.revisions.getState",
            "logging.logEntries.create",
        ),
    ),
    Grant(
        "build.state_end",
        Role.BUILDER,
        Phase.DELETE,
        _STATES,
        {"config.deployments.deleteState": _("Let Infrastructure Manager forget a cell that is gone.")},
        PROJECT,
        recovers=ALL,
    ),
    Grant(
        "build.clusters",
        Role.BUILDER,
        Phase.RUN,
        _("This project only. Changing a cluster is limited by its name, creating one is not."),
        {
            "container.clusters.create": _("Create the cluster of a cell."),
            "container.operations.get": _("Wait until a change of a cluster has finished."),
            "container.operations.list": _("Find out what Google Cloud itself is doing to a cluster."),
        },
        PROJECT,
        recovers=("container.operations.get", "container.operations.list"),
    ),
    Grant(
        "clusters.change",
        Role.BUILDER,
        Phase.RUN,
        _OWN_NAMES,
        {
            "compute.disks.create": _("Give the machine of the agent its disk."),
            "compute.disks.get": _("Compare that disk with what was installed."),
            "compute.disks.setLabels": _("Mark that disk as the cell's."),
            "compute.firewalls.create": _(
                "Give the cell's network its firewall rules. The limit holds the rule's name, not the network's."
            ),
            "compute.firewalls.get": _("Compare a firewall rule of a cell with what was installed."),
            "compute.firewalls.update": _("Adjust a firewall rule of a cell."),
            "compute.instances.create": _(
                "Start the machine of the agent, which has no public address and which nobody can sign in to. What it is told when it "
                "starts decides what it runs, and it may use the cell's cluster."
            ),
            "compute.instances.get": _("Compare the machine of the agent with what was installed."),
            "compute.instances.setLabels": _("Mark the machine of the agent as the cell's."),
            "compute.instances.setMetadata": _(
                "Tell the machine of the agent, when it is made, what to start, and that no key of your project opens it. Google Cloud "
                "asks for the same right to tell a machine something else as it runs: our plans never do, and a plan that is wrong could."
            ),
            "compute.instances.setServiceAccount": _("Have the machine of the agent run as the kit's agent account."),
            "container.clusters.get": _("Compare the cluster of a cell with what was installed."),
            "container.clusters.update": _("Keep Kubernetes up to date, and give a cell more or fewer machines."),
        },
        PROJECT,
        recovers=(
            "compute.disks.get",
            "compute.firewalls.get",
            "compute.instances.get",
            "container.clusters.get",
            "container.clusters.update",
        ),
    ),
    Grant(
        "clusters.end",
        Role.BUILDER,
        Phase.DELETE,
        _OWN_NAMES,
        {
            "compute.firewalls.delete": _("Remove the firewall rules with their cell."),
            "compute.instances.delete": _("Remove the machine of the agent with its cell. Its disk goes with it."),
            "container.clusters.delete": _("Remove the cluster with its cell."),
        },
        PROJECT,
        recovers=ALL,
    ),
    Grant(
        "store.keep",
        Role.BUILDER,
        Phase.RUN,
        _STORE,
        {
            "storage.buckets.create": _("Let Infrastructure Manager make its store the first time it is used."),
            "storage.buckets.get": _("Let Infrastructure Manager find its store."),
            "storage.buckets.update": _("Let Infrastructure Manager keep earlier versions in its store."),
            "storage.objects.create": _("Let Infrastructure Manager write down what it built."),
            "storage.objects.get": _("Let Infrastructure Manager read what it built."),
            "storage.objects.list": _("Let Infrastructure Manager look through its own store."),
            "storage.objects.update": _("Let Infrastructure Manager renew what it wrote down."),
        },
        PROJECT,
        recovers=(
            "storage.buckets.create",
            "storage.buckets.get",
            "storage.objects.create",
            "storage.objects.get",
            "storage.objects.list",
            "storage.objects.update",
        ),
    ),
    Grant(
        "store.end",
        Role.BUILDER,
        Phase.DELETE,
        _STORE,
        {
            "storage.buckets.delete": _("Let Infrastructure Manager remove its store with the last cell."),
            "storage.objects.delete": _("Let Infrastructure Manager remove what it wrote down about a cell that is gone."),
        },
        PROJECT,
        recovers=ALL,
    ),
    Grant(
        "machines.run",
        Role.BUILDER,
        Phase.RUN,
        _MACHINES,
        {"iam.serviceAccounts.actAs": _HAND_ON},
        NODE,
    ),
    Grant(
        "machines.agent",
        Role.BUILDER,
        Phase.RUN,
        _MACHINES,
        {"iam.serviceAccounts.actAs": _HAND_ON},
        AGENT_ACCOUNT,
    ),
)

SUPPORT: tuple[Grant, ...] = (
    Grant(
        "support.cells",
        Role.SUPPORT,
        Phase.SUPPORT,
        _LENT_DEPLOYMENTS,
        {
            "config.deployments.get": _("See the state of a cell."),
            "config.resources.list": _("See what a cell consists of."),
            "config.revisions.list": _("See the earlier builds of a cell, and when and why one failed."),
        },
        PROJECT,
    ),
    Grant(
        "support_clusters.see",
        Role.SUPPORT,
        Phase.SUPPORT,
        _LENT_CLUSTER,
        {"container.clusters.get": _("See the state of a cell's cluster.")},
        PROJECT,
    ),
    Grant(
        "support_logs.read",
        Role.SUPPORT,
        Phase.SUPPORT,
        _LENT_LOGS,
        {"logging.views.access": _("Read what clusters of cells write about themselves. Not the logs of your instances.")},
        PROJECT,
    ),
    Grant(
        "grant.open",
        Role.OPERATOR,
        Phase.SUPPORT,
        _(
            "Only giving and taking the kit's three roles of support. Google Cloud refuses any change to another role. It cannot hold to "
            "whom they are given: each check looks for anybody but the kit's support accounts, and for an access without an end."
        ),
        {
            "resourcemanager.projects.setIamPolicy": _(
                "Open support access that you approved, with its end in the condition, and close it again. The most that it could open is "
                "what these roles let read."
            )
        },
        PROJECT,
    ),
    Grant(
        "trail.read",
        Role.OPERATOR,
        Phase.SUPPORT,
        _("Only the one view of your log that holds who read what. Google Cloud cannot narrow it to support."),
        {"logging.views.access": _("Compare what Google Cloud wrote down of support access with what the portal did.")},
        PROJECT,
    ),
)

GRANTS: tuple[Grant, ...] = VERIFY + CELLS + BUILD + SUPPORT + AGENT
