"""The Azure kit in words: a reason for every action of every list in kit.json. A test keeps the two equal.

Azure has nothing like a permissions boundary or a deny in a role: `notActions` only take away from the same role, so the kit does not
use them. What holds the operator is where its roles are given: read-only over the subscription, and every right to change in one
resource group alone. It may give three roles, those of support, to the identities of support, in that group: Azure holds it to these by a
condition on its assignment. It may give no other role, and none to itself. What somebody else gives to it on top, the portal finds and
refuses.

Azure's roles know no end. So that access ends while the portal is down, the kit brings a janitor: a workflow in the customer's own
subscription that takes support's roles away at the end that is written on them. The operator can read it and not touch it.
"""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.kits.manifest import Denial, Grant, KitResource, Phase, Role, Switch
from portal.operations.catalogue import Text

SUBSCRIPTION = "/subscriptions/{account_id}"
KIT_GROUP = SUBSCRIPTION + "/resourceGroups/byoc-{suffix}-kit"
CELL_GROUP = SUBSCRIPTION + "/resourceGroups/byoc-{short}-cell-{region}"

_ANYWHERE = _("Names and settings in the whole subscription, no content. Azure cannot narrow a right to part of a subscription by name.")
_OWN_GROUP = _("Only in the resource group of this kit.")
_CELL_GROUP = _(
    "Only in the resource group that the kit makes for the deployment cell. What is asked of the cell's cluster takes effect in the group "
    "of its machines too, which AKS makes and keeps. Azure refuses it everywhere else."
)
_ONLY_SUPPORT = _(
    "Only in the resource group that the kit makes for the deployment cell, only the three roles of support, and only to support's own "
    "identities. A condition of Azure's on the operator's assignment refuses every other role and every other identity."
)
BOTH_GROUPS = _("Only in the resource group of this kit, and in the one that it makes for the deployment cell.")

OPERATOR: tuple[Grant, ...] = (
    Grant(
        "ReadPlace",
        Role.OPERATOR,
        Phase.SETUP,
        _ANYWHERE,
        {
            "Microsoft.Resources/subscriptions/read": _("Check that the subscription is the one you named, and that it is enabled."),
            "Microsoft.Resources/subscriptions/locations/read": _("Check that the location is offered to this subscription."),
            "Microsoft.Resources/subscriptions/providers/read": _("Check that what a cell is made of is switched on in this subscription."),
            "Microsoft.Resources/subscriptions/resourceGroups/read": _(
                "Check that the names of a cell are free, and read the kit's own tags."
            ),
            "Microsoft.Compute/locations/usages/read": _("Tell you about a quota of cores that is too low before a cell fails on it."),
            "Microsoft.Network/locations/usages/read": _("Tell you about a network quota that is too low before a cell fails on it."),
            "Microsoft.Network/virtualNetworks/read": _("Choose an address range that none of your networks uses."),
        },
        SUBSCRIPTION,
    ),
    Grant(
        "ReadObstacles",
        Role.OPERATOR,
        Phase.SETUP,
        _ANYWHERE,
        {
            "Microsoft.Authorization/locks/read": _("Tell you about a lock that would stop a cell from being built or deleted."),
            "Microsoft.Authorization/policyAssignments/read": _("See which policies apply to this subscription."),
            "Microsoft.Authorization/policyDefinitions/read": _("See whether a policy would deny what a cell needs."),
            "Microsoft.Authorization/policySetDefinitions/read": _("See which policies an initiative holds."),
        },
        SUBSCRIPTION,
    ),
    Grant(
        "ReadOwnTrust",
        Role.OPERATOR,
        Phase.SETUP,
        _("The whole subscription: Azure hides no role from somebody who must see that nothing was added to one."),
        {
            "Microsoft.Authorization/permissions/read": _("Ask Azure whether each permission on this page is really held."),
            "Microsoft.Authorization/roleAssignments/read": _(
                "Check that the identities of this kit hold the roles of this kit and no other."
            ),
            "Microsoft.Authorization/roleDefinitions/read": _("Check that the roles of this kit are still as shipped."),
        },
        SUBSCRIPTION,
    ),
    Grant(
        "ReadOwnIdentities",
        Role.OPERATOR,
        Phase.SETUP,
        _OWN_GROUP,
        {
            "Microsoft.ManagedIdentity/userAssignedIdentities/read": _("Check that the identities of the kit are there."),
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read": _(
                "Check that the identities of the kit trust this portal, and nobody else."
            ),
        },
        KIT_GROUP,
    ),
    Grant(
        "ReadOwnKit",
        Role.OPERATOR,
        Phase.SETUP,
        _OWN_GROUP,
        {
            "Microsoft.Resources/deployments/read": _("See that the deployment of the kit, and later of a cell, has finished."),
            "Microsoft.Resources/deployments/operations/read": _("Show why the deployment of the kit or of a cell failed, if it does."),
        },
        KIT_GROUP,
    ),
    Grant(
        "ReadJanitor",
        Role.OPERATOR,
        Phase.SUPPORT,
        _OWN_GROUP,
        {
            "Microsoft.Logic/workflows/read": _("Check, before support access is opened, that the janitor which ends it is as shipped."),
            "Microsoft.Logic/workflows/runs/read": _("Check, before support access is opened, that the janitor really runs."),
        },
        KIT_GROUP,
    ),
    Grant(
        "GiveSupport",
        Role.OPERATOR,
        Phase.SUPPORT,
        _ONLY_SUPPORT,
        {
            "Microsoft.Authorization/roleAssignments/write": _("Open support access that you approved, with its end written on it."),
            "Microsoft.Authorization/roleAssignments/delete": _("End support access, at once when you say so."),
            "Microsoft.Insights/eventtypes/values/read": _("Show you what Azure itself has recorded of support access."),
        },
        CELL_GROUP,
    ),
    Grant(
        "SeeCellParts",
        Role.OPERATOR,
        Phase.RUN,
        _CELL_GROUP,
        {
            "Microsoft.ContainerService/managedClusters/read": _("Watch the state of the cluster."),
            "Microsoft.ContainerService/managedClusters/agentPools/read": _("Watch the state of the machines."),
            "Microsoft.ContainerService/managedClusters/upgradeProfiles/read": _("Know which newer versions of Kubernetes there are."),
            "Microsoft.Compute/disks/read": _("Know when the disk of the agent's machine is gone."),
            "Microsoft.Compute/virtualMachines/read": _("Watch the agent's machine. What it was told when it started cannot be read."),
            "Microsoft.KeyVault/vaults/read": _("Watch the vault that keeps the cell's key."),
            "Microsoft.KeyVault/vaults/keys/read": _("Check that the cell's key is usable. It never leaves the vault."),
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read": _(
                "Check that the identities of the cluster and of the agent trust nobody outside Azure."
            ),
            "Microsoft.ManagedIdentity/userAssignedIdentities/read": _("Find the identities that the kit made for the cell."),
            "Microsoft.Network/natGateways/read": _("Watch the NAT gateway of a cell, and know when it is gone."),
            "Microsoft.Network/networkInterfaces/read": _("Watch the network card of the agent's machine."),
            "Microsoft.Network/networkSecurityGroups/read": _("Compare firewall rules with what was installed."),
            "Microsoft.Network/publicIPAddresses/read": _("Watch the public address of a cell."),
            "Microsoft.Network/virtualNetworks/subnets/read": _("Watch the subnets of a cell."),
            "Microsoft.Resources/deploymentStacks/read": _("See what a cell consists of."),
            "Microsoft.Resources/deployments/operations/read": _("Show why the deployment of a cell failed, if it does."),
            "Microsoft.Resources/deployments/operationstatuses/read": _("Follow the progress of a cell."),
            "Microsoft.Resources/deployments/read": _("See that the deployment of a cell has finished."),
            "Microsoft.Resources/subscriptions/resourceGroups/resources/read": _("Find what is left over when a cell is deleted."),
        },
        CELL_GROUP,
    ),
    Grant(
        "DeployCells",
        Role.OPERATOR,
        Phase.RUN,
        _CELL_GROUP,
        {
            "Microsoft.Resources/deployments/cancel/action": _("Stop an update that goes wrong."),
            "Microsoft.Resources/deployments/validate/action": _("Have Azure check a template before it changes anything."),
            "Microsoft.Resources/deployments/whatIf/action": _("Show you what an update would change."),
            "Microsoft.Resources/deployments/write": _("Create a cell as one deployment, which you can watch in your own portal."),
            "Microsoft.Resources/deploymentStacks/write": _("Keep everything of a cell together, so that it can be deleted as one."),
        },
        CELL_GROUP,
    ),
    Grant(
        "BuildNetworks",
        Role.OPERATOR,
        Phase.RUN,
        _CELL_GROUP,
        {
            "Microsoft.Network/natGateways/join/action": _("Lead the cell's traffic to its NAT gateway."),
            "Microsoft.Network/natGateways/write": _("Let machines without a public address reach the internet."),
            "Microsoft.Network/networkSecurityGroups/join/action": _("Put the cell's subnets behind its firewall rules."),
            "Microsoft.Network/networkSecurityGroups/write": _("Give the cell its own firewall rules."),
            "Microsoft.Network/publicIPAddresses/join/action": _("Connect the public address with the NAT gateway."),
            "Microsoft.Network/publicIPAddresses/write": _("Give the cell's NAT gateway a public address."),
            "Microsoft.Network/virtualNetworks/subnets/join/action": _("Place the cluster's machines in the cell's own subnets."),
            "Microsoft.Network/virtualNetworks/subnets/write": _("Divide the cell's network."),
            "Microsoft.Network/virtualNetworks/write": _("Give the cell a network of its own, apart from yours."),
        },
        CELL_GROUP,
    ),
    Grant(
        "BuildClusters",
        Role.OPERATOR,
        Phase.RUN,
        _CELL_GROUP,
        {
            "Microsoft.ContainerService/managedClusters/agentPools/write": _(
                "Give a cell more or fewer machines, and keep them up to date."
            ),
            "Microsoft.ContainerService/managedClusters/write": _("Create the cell's Kubernetes cluster, and keep it up to date."),
            "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action": _(
                "Hand the cluster and the agent's machine the identities that the kit made for them. The identities of the portal lie in "
                "another group."
            ),
        },
        CELL_GROUP,
    ),
    Grant(
        "BuildAgents",
        Role.OPERATOR,
        Phase.RUN,
        _CELL_GROUP,
        {
            "Microsoft.Compute/disks/write": _("Give the agent's machine its disk."),
            "Microsoft.Compute/virtualMachines/write": _(
                "Create the machine of the agent, which dials out to the portal. What it is told when it starts decides what it runs, "
                "and it may use the cell's cluster; nobody can log in to it, and nothing can be run on it from outside."
            ),
            "Microsoft.Network/networkInterfaces/join/action": _("Connect the agent's machine with its network card."),
            "Microsoft.Network/networkInterfaces/write": _("Give the agent's machine a private address in the cell's network."),
        },
        CELL_GROUP,
    ),
    Grant(
        "CreateKeys",
        Role.OPERATOR,
        Phase.RUN,
        _CELL_GROUP,
        {
            "Microsoft.KeyVault/vaults/keys/write": _("Give the cell an encryption key of its own. It never leaves the vault."),
        },
        CELL_GROUP,
    ),
    Grant(
        "DeleteCells",
        Role.OPERATOR,
        Phase.DELETE,
        _CELL_GROUP,
        {
            "Microsoft.Compute/disks/delete": _("Remove the disk of the agent's machine with it."),
            "Microsoft.Compute/virtualMachines/delete": _("Remove the agent's machine with its cell, or for a newer one."),
            "Microsoft.ContainerService/managedClusters/agentPools/delete": _("Remove machines that are no longer needed."),
            "Microsoft.ContainerService/managedClusters/delete": _("Remove the cluster with its cell."),
            "Microsoft.Network/natGateways/delete": _("Remove the NAT gateway with its cell, so that it stops costing."),
            "Microsoft.Network/networkInterfaces/delete": _("Remove the network card of the agent's machine with it."),
            "Microsoft.Network/networkSecurityGroups/delete": _("Remove the firewall rules with their cell."),
            "Microsoft.Network/publicIPAddresses/delete": _("Give the public address back, so that it stops costing."),
            "Microsoft.Network/virtualNetworks/delete": _("Remove the network with its cell."),
            "Microsoft.Network/virtualNetworks/subnets/delete": _("Remove subnets with their cell."),
            "Microsoft.Resources/deployments/delete": _("Remove the record of a deployment with its cell."),
            "Microsoft.Resources/deploymentStacks/delete": _("Delete everything of a cell at once, and nothing else."),
            "Microsoft.Resources/subscriptions/resourceGroups/delete": _("Remove the cell's resource group when you leave."),
        },
        CELL_GROUP,
    ),
)

SUPPORT: tuple[Grant, ...] = (
    Grant(
        "SupportSelf",
        Role.SUPPORT,
        Phase.SUPPORT,
        _("Tells nothing but the caller's own rights."),
        {"Microsoft.Authorization/permissions/read": _("Prove what support can see, and that it can change nothing.")},
        CELL_GROUP,
    ),
    Grant(
        "SupportSeesCells",
        Role.SUPPORT,
        Phase.SUPPORT,
        _CELL_GROUP,
        {
            "Microsoft.ContainerService/managedClusters/read": _("See the state of the cluster."),
            "Microsoft.ContainerService/managedClusters/agentPools/read": _("See the state of the machines."),
            "Microsoft.ContainerService/managedClusters/upgradeProfiles/read": _("See whether the cluster is behind."),
            "Microsoft.Resources/deployments/read": _("See the state of a cell."),
            "Microsoft.Resources/deployments/operations/read": _("See when and why a cell failed."),
            "Microsoft.Resources/subscriptions/resourceGroups/read": _("See which cell the group belongs to."),
        },
        CELL_GROUP,
    ),
    Grant(
        "SupportSeesNetworks",
        Role.SUPPORT,
        Phase.SUPPORT,
        _CELL_GROUP,
        {
            "Microsoft.Network/natGateways/read": _("See whether a cell can reach the internet."),
            "Microsoft.Network/networkSecurityGroups/read": _("See whether a firewall rule is in the way."),
            "Microsoft.Network/publicIPAddresses/read": _("See the public address of a cell."),
            "Microsoft.Network/virtualNetworks/read": _("See the network of a cell."),
            "Microsoft.Network/virtualNetworks/subnets/read": _("See whether a subnet has run out of addresses."),
        },
        CELL_GROUP,
    ),
    Grant(
        "SupportSeesHealth",
        Role.SUPPORT,
        Phase.SUPPORT,
        _CELL_GROUP,
        {
            "Microsoft.Insights/metrics/read": _("See whether the machines are under pressure. Holds no data of your instances."),
            "Microsoft.ResourceHealth/availabilityStatuses/read": _("See whether Azure itself has a fault."),
        },
        CELL_GROUP,
    ),
    Grant(
        "SupportReadsLogs",
        Role.SUPPORT,
        Phase.SUPPORT,
        _CELL_GROUP,
        {"Microsoft.Insights/eventtypes/values/read": _("Read Azure's own record of what was changed in the cell, and by whom.")},
        CELL_GROUP,
    ),
)

GRANTS: tuple[Grant, ...] = OPERATOR + SUPPORT

DENIALS: tuple[Denial, ...] = (
    Denial(
        _("Never give anybody a right outside the cell's resource group, and never take one away there."),
        ("Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"),
        Role.OPERATOR,
        KIT_GROUP,
    ),
    Denial(
        _("Never stop, change or delete the janitor that ends support access."),
        (
            "Microsoft.Logic/workflows/write",
            "Microsoft.Logic/workflows/delete",
            "Microsoft.Logic/workflows/disable/action",
            "Microsoft.Logic/workflows/suspend/action",
        ),
        Role.OPERATOR,
        KIT_GROUP,
    ),
    Denial(
        _("Never change what a role may do, and never take all rights of the tenant."),
        (
            "Microsoft.Authorization/roleDefinitions/write",
            "Microsoft.Authorization/roleDefinitions/delete",
            "Microsoft.Authorization/elevateAccess/action",
        ),
        Role.OPERATOR,
        CELL_GROUP,
    ),
    Denial(
        _("Never change whom this subscription trusts."),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
        ),
        Role.OPERATOR,
        KIT_GROUP,
    ),
    Denial(
        _("Never use the identities of support or of the janitor, or hand one to a machine."),
        ("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",),
        Role.OPERATOR,
        KIT_GROUP,
    ),
    Denial(
        _("Never change whom the identities of the cluster and of the agent trust."),
        (
            "Microsoft.ManagedIdentity/userAssignedIdentities/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
        ),
        Role.OPERATOR,
        CELL_GROUP,
    ),
    Denial(
        _("Never create, change or delete anything outside the cell's resource group, and the group of its machines that AKS keeps."),
        (
            "Microsoft.Resources/subscriptions/resourceGroups/write",
            "Microsoft.Resources/subscriptions/resourceGroups/delete",
            "Microsoft.Resources/deployments/write",
            "Microsoft.Network/virtualNetworks/write",
            "Microsoft.Network/virtualNetworks/delete",
            "Microsoft.ContainerService/managedClusters/delete",
            "Microsoft.KeyVault/vaults/delete",
            "Microsoft.Resources/tags/write",
        ),
        Role.OPERATOR,
        SUBSCRIPTION,
    ),
    Denial(
        _("Never touch your policies, your locks, or what is switched on in your subscription."),
        (
            "Microsoft.Authorization/policyAssignments/write",
            "Microsoft.Authorization/policyAssignments/delete",
            "Microsoft.Authorization/locks/write",
            "Microsoft.Authorization/locks/delete",
            "Microsoft.Network/register/action",
            "Microsoft.Subscription/cancel/action",
        ),
        Role.OPERATOR,
        SUBSCRIPTION,
    ),
    Denial(
        _("Never read what else was deployed in your subscription: such records often hold secrets."),
        (
            "Microsoft.Resources/deployments/read",
            "Microsoft.Resources/deployments/operations/read",
            "Microsoft.Resources/deployments/exportTemplate/action",
        ),
        Role.OPERATOR,
        SUBSCRIPTION,
    ),
    Denial(
        _("Never read your data outside the cell: no storage, database, disk or secret."),
        (
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Storage/storageAccounts/read",
            "Microsoft.Sql/servers/databases/read",
            "Microsoft.DocumentDB/databaseAccounts/listKeys/action",
            "Microsoft.Compute/disks/beginGetAccess/action",
            "Microsoft.Compute/virtualMachines/runCommand/action",
            "Microsoft.KeyVault/vaults/secrets/read",
        ),
        Role.OPERATOR,
        SUBSCRIPTION,
    ),
    Denial(
        _("Never run a command in a cluster, and never fetch a key to one, not even to the cell's own."),
        (
            "Microsoft.ContainerService/managedClusters/runCommand/action",
            "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action",
            "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
            "Microsoft.ContainerService/managedClusters/accessProfiles/listCredential/action",
            "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/write",
            "Microsoft.KubernetesConfiguration/extensions/write",
            "Microsoft.KubernetesConfiguration/fluxConfigurations/write",
        ),
        Role.OPERATOR,
        CELL_GROUP,
    ),
    Denial(
        _("Never run a command on the agent's machine, never put a program into it as it runs, never log in to it, never copy its disk."),
        (
            "Microsoft.Compute/virtualMachines/runCommand/action",
            "Microsoft.Compute/virtualMachines/runCommands/write",
            "Microsoft.Compute/virtualMachines/extensions/write",
            "Microsoft.Compute/virtualMachines/login/action",
            "Microsoft.Compute/virtualMachines/loginAsAdmin/action",
            "Microsoft.Compute/virtualMachines/retrieveBootDiagnosticsData/action",
            "Microsoft.Compute/disks/beginGetAccess/action",
            "Microsoft.Compute/snapshots/write",
        ),
        Role.OPERATOR,
        CELL_GROUP,
    ),
    Denial(
        _("Never open a vault to anybody, itself included, not even the cell's own, and never delete it."),
        (
            "Microsoft.KeyVault/vaults/write",
            "Microsoft.KeyVault/vaults/delete",
            "Microsoft.KeyVault/vaults/accessPolicies/write",
        ),
        Role.OPERATOR,
        CELL_GROUP,
    ),
    Denial(
        _("Support never changes anything."),
        (
            "Microsoft.Resources/deployments/write",
            "Microsoft.Resources/subscriptions/resourceGroups/delete",
            "Microsoft.ContainerService/managedClusters/write",
            "Microsoft.ContainerService/managedClusters/delete",
            "Microsoft.ContainerService/managedClusters/runCommand/action",
            "Microsoft.Network/virtualNetworks/write",
            "Microsoft.Authorization/roleAssignments/write",
        ),
        Role.SUPPORT,
        CELL_GROUP,
    ),
    Denial(
        _("Support never reads data, secrets or a key to a cluster."),
        (
            "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action",
            "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
            "Microsoft.Storage/storageAccounts/listKeys/action",
            "Microsoft.Compute/disks/beginGetAccess/action",
            "Microsoft.KeyVault/vaults/secrets/read",
        ),
        Role.SUPPORT,
        CELL_GROUP,
    ),
)

_NOW = pgettext_lazy("when a resource is created", "With the kit")
_FREE = _("Nobody: Azure does not charge for it.")
_TAG = "byoc-account"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_CREDENTIAL = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
_ROLE = "Microsoft.Authorization/roleDefinitions"
_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
_GROUP = "Microsoft.Resources/resourceGroups"
# Support access takes turns with these: an identity rests until the last token of its last access has run out.
POOL = ("support", "support-2", "support-3", "support-4", "support-5", "support-6")
_PROVEN = _("Only tokens of this portal, made out to this account and this kit, open the identity. It is what replaces a stored key.")


_TURNS = _(
    "Holds no role. Takes support's roles for one support access that you approved, until its end, and then rests until its last token has "
    "run out: no token of an earlier access opens a later one."
)


def _logical(word: str, name: str) -> str:
    return word + name.removeprefix("support").removeprefix("-")


def _made(logical_id: str, kind: str, name: str, purpose: Text, tag: str = "") -> KitResource:
    return KitResource(logical_id, kind, name, purpose, _NOW, _FREE, tag)


RESOURCES: tuple[KitResource, ...] = (
    _made("KitGroup", _GROUP, "byoc-{suffix}-kit", _("Holds the identities of this kit, and its janitor."), _TAG),
    _made(
        "CellGroup",
        _GROUP,
        "byoc-{short}-cell-{region}",
        _(
            "The one place where the operator may build: the deployment cell of this location goes here. Empty at first. Once there is a "
            "cluster in it, AKS makes a second group for its machines; the operator holds no right there."
        ),
        _TAG,
    ),
    _made(
        "Operator", _IDENTITY, "byoc-{suffix}-operator", _("Builds, changes and deletes the deployment cell, and checks this kit."), _TAG
    ),
    _made("OperatorTrust", _CREDENTIAL, "byoc-{suffix}-operator/portal", _PROVEN),
    *(_made(_logical("Support", name), _IDENTITY, f"byoc-{{suffix}}-{name}", _TURNS, _TAG) for name in POOL),
    *(_made(_logical("SupportTrust", name), _CREDENTIAL, f"byoc-{{suffix}}-{name}/portal", _PROVEN) for name in POOL),
    _made(
        "Janitor",
        _IDENTITY,
        "byoc-{suffix}-janitor",
        _("Is taken by the janitor to take support's roles away. Trusts nobody outside Azure."),
        _TAG,
    ),
    KitResource(
        "JanitorWorkflow",
        "Microsoft.Logic/workflows",
        "byoc-{suffix}-janitor",
        _(
            "Once a minute takes away every role of support whose end is over, or that names none. It runs in your subscription, whether "
            "the portal is up or not, and the operator cannot stop it. Without it no support access is opened."
        ),
        _NOW,
        _("You: Azure charges for each of its steps, three a minute when there is nothing to end, about 3 US dollars a month."),
        _TAG,
    ),
    _made(
        "CellCluster",
        _IDENTITY,
        "byoc-{suffix}-cell-cluster",
        _("Is taken by the cluster of your cell to use the cell's network and key. Trusts nobody outside Azure."),
        _TAG,
    ),
    _made(
        "CellAgent",
        _IDENTITY,
        "byoc-{suffix}-cell-agent",
        _("Is taken by the machine of the agent to run instances in the cell's cluster. Trusts nobody outside Azure."),
        _TAG,
    ),
    KitResource(
        "CellVault",
        "Microsoft.KeyVault/vaults",
        "byoc{short}{mark}",
        _("Keeps the key that the secrets of the cell's cluster are encrypted with. It opens to roles alone; the operator can give none."),
        _NOW,
        _("You: Azure charges for each use of a key, some cents a month."),
        _TAG,
    ),
    _made("OperatorRole", _ROLE, "byoc-{suffix}-operator", _("Read only, in the whole subscription.")),
    _made("OperatorKitRole", _ROLE, "byoc-{suffix}-operator-kit", _("Read only, in the group of this kit.")),
    _made("OperatorCellsRole", _ROLE, "byoc-{suffix}-operator-cells", _("Builds and deletes, in the group of the cell and nowhere else.")),
    _made(
        "OperatorSupportRole",
        _ROLE,
        "byoc-{suffix}-operator-support",
        _("Gives and takes away support's roles in the group of the cell. The condition on its assignment refuses everything else."),
    ),
    _made("SupportRole", _ROLE, "byoc-{suffix}-support", _("Read only, in the group of the cell, for as long as approved access lasts.")),
    _made(
        "SupportLogsRole",
        _ROLE,
        "byoc-{suffix}-support-logs",
        _("Reads Azure's record of the group of the cell, for as long as access lasts that was approved with logs."),
    ),
    _made(
        "SupportLeaseRole",
        _ROLE,
        "byoc-{suffix}-support-lease",
        _("Marks an identity of support as taken or resting. Shows nothing but that identity's own rights."),
    ),
    _made("JanitorRole", _ROLE, "byoc-{suffix}-janitor", _("Takes support's roles away in the group of the cell, and nothing else.")),
    _made(
        "CellClusterRole",
        _ROLE,
        "byoc-{suffix}-cell-cluster",
        _("What the cluster of the cell may do. A role of its own: Azure's are wider."),
    ),
    _made(
        "CellAgentRole",
        _ROLE,
        "byoc-{suffix}-cell-agent",
        _(
            "What the agent may do inside the cell's cluster: run instances. It sees no other cluster and nothing else of Azure, gives "
            "nobody a role and runs no command in a pod. What it installs may do more than the agent itself: the limits of each "
            "instance's namespace hold that, and the agent sets them."
        ),
    ),
    _made("OperatorAssignment", _ASSIGNMENT, "byoc-{suffix}-operator", _("Gives the operator identity its role in the subscription.")),
    _made(
        "OperatorKitAssignment",
        _ASSIGNMENT,
        "byoc-{suffix}-operator-kit",
        _("Gives the operator identity its role in the group of this kit."),
    ),
    _made(
        "OperatorCellsAssignment",
        _ASSIGNMENT,
        "byoc-{suffix}-operator-cells",
        _("Gives the operator identity its role in the group of the cell."),
    ),
    _made(
        "OperatorSupportAssignment",
        _ASSIGNMENT,
        "byoc-{suffix}-operator-support",
        _("Lets the operator identity give support's roles to support's identities. Its condition names both, and refuses all others."),
    ),
    _made(
        "JanitorAssignment",
        _ASSIGNMENT,
        "byoc-{suffix}-janitor",
        _("Lets the janitor take support's roles away. Its condition names them, and refuses all others."),
    ),
    _made(
        "CellClusterAssignment",
        _ASSIGNMENT,
        "byoc-{suffix}-cell-cluster",
        _("Gives the cluster's identity its role in the group of the cell."),
    ),
    _made(
        "CellAgentAssignment",
        _ASSIGNMENT,
        "byoc-{suffix}-cell-agent",
        _("Gives the agent's identity its role in the group of the cell."),
    ),
)

SWITCHES: tuple[Switch, ...] = (
    Switch(
        "allowChanges",
        _("Changes by the operator identity"),
        _(
            "Run the kit again with “no” and the role for the cell's group keeps nothing but reading. Azure takes up to ten minutes until "
            "every part of it knows. Cells cannot be created, updated or deleted until you set it to “yes”. What runs keeps running. What "
            "runs inside a cluster is not stopped by this switch. It stays as you set it when the kit is run again."
        ),
    ),
    Switch(
        "allowSupport",
        _("Support access"),
        _(
            "Run the kit again with “no” and support can see nothing of your cell any more, whatever was approved here. The first two "
            "commands take every access away that stands now; they need no portal and no kit. Azure takes up to ten minutes until every "
            "part of it knows. Your instances are not affected. It stays as you set it when the kit is run again."
        ),
    ),
)
