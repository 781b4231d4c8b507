"""What the operator of the Azure kit may do."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.azure.manifest.scopes import ANYWHERE, CELL_GROUP, KIT_GROUP, ONLY_CELL_GROUP, ONLY_SUPPORT, OWN_GROUP, SUBSCRIPTION
from accounts.kits.manifest import ALL, Grant, Phase, Role

OPERATOR: tuple[Grant, ...] = (
    Grant(
        "ReadPlace",
        Role.OPERATOR,
        Phase.SETUP,
        ANYWHERE,
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
        recovers=(
            "Microsoft.Resources/subscriptions/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Network/virtualNetworks/read",
        ),
    ),
    Grant(
        "ReadObstacles",
        Role.OPERATOR,
        Phase.SETUP,
        ANYWHERE,
        {
            "Microsoft.Authorization/locks/read": _("Tell you about a lock that would stop a cell from being built or deleted."),
            "Microsoft.Authorization/policyAssignments/read": _("See which policies apply to this subscription."),
            "Microsoft.Authorization/policyDefinitions/read": _("See whether a policy would deny what a cell needs."),
            "Microsoft.Authorization/policySetDefinitions/read": _("See which policies an initiative holds."),
        },
        SUBSCRIPTION,
        recovers=("Microsoft.Authorization/locks/read",),
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
        recovers=ALL,
    ),
    Grant(
        "ReadOwnIdentities",
        Role.OPERATOR,
        Phase.SETUP,
        OWN_GROUP,
        {
            "Microsoft.ManagedIdentity/userAssignedIdentities/read": _("Check that the identities of the kit are there."),
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read": _(
                "Check that the identities of the kit trust this portal, and nobody else."
            ),
        },
        KIT_GROUP,
        recovers=ALL,
    ),
    Grant(
        "ReadOwnKit",
        Role.OPERATOR,
        Phase.SETUP,
        OWN_GROUP,
        {
            "Microsoft.Resources/deployments/read": _("See that the deployment of the kit, and later of a cell, has finished."),
            "Microsoft.Resources/deployments/operations/read": _("Show why the deployment of the kit or of a cell failed, if it does."),
        },
        KIT_GROUP,
        recovers=ALL,
    ),
    Grant(
        "ReadJanitor",
        Role.OPERATOR,
        Phase.SUPPORT,
        OWN_GROUP,
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
        ONLY_SUPPORT,
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
        ONLY_CELL_GROUP,
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
        recovers=ALL,
    ),
    Grant(
        "DeployCells",
        Role.OPERATOR,
        Phase.RUN,
        ONLY_CELL_GROUP,
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
        ONLY_CELL_GROUP,
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
        ONLY_CELL_GROUP,
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
        ONLY_CELL_GROUP,
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
        ONLY_CELL_GROUP,
        {
            "Microsoft.KeyVault/vaults/keys/write": _("Give the cell an encryption key of its own. It never leaves the vault."),
        },
        CELL_GROUP,
    ),
    Grant(
        "DeleteCells",
        Role.OPERATOR,
        Phase.DELETE,
        ONLY_CELL_GROUP,
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
        recovers=ALL,
    ),
)
