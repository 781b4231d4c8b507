"""What support may do while an access lasts."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.azure.manifest.scopes import CELL_GROUP, ONLY_CELL_GROUP
from accounts.kits.manifest import Grant, Phase, Role

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
        ONLY_CELL_GROUP,
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
        ONLY_CELL_GROUP,
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
        ONLY_CELL_GROUP,
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
        ONLY_CELL_GROUP,
        {"Microsoft.Insights/eventtypes/values/read": _("Read Azure's own record of what was changed in the cell, and by whom.")},
        CELL_GROUP,
    ),
)
