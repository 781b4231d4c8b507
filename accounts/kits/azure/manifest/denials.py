"""What the Azure kit never allows, each promise with examples that tests try."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.azure.manifest.scopes import CELL_GROUP, KIT_GROUP, SUBSCRIPTION
from accounts.kits.manifest import Denial, Role

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
