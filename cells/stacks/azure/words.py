"""What a cell on Azure is made of, in words: each resource of the template, why it is there, and who pays for it."""

from django.utils.translation import gettext_lazy as _

from cells.stacks.base import Called, Kept, PlannedPart
from portal.operations.catalogue import Text

_FREE = _("Nobody: Azure does not charge for it.")


def _part(kind: str, name: str, why: Text, cost: Text) -> PlannedPart:
    return PlannedPart(kind, name, why, cost)


PARTS = (
    _part(
        "Microsoft.Network/networkSecurityGroups",
        "cell-rules",
        _("Lets the machines of the cell reach each other, and nobody else."),
        _FREE,
    ),
    _part("Microsoft.Network/networkSecurityGroups", "cell-agent-rules", _("Lets nobody reach the agent's machine."), _FREE),
    _part(
        "Microsoft.Network/publicIPAddresses",
        "cell-address",
        _("The one address that the cell's traffic to the internet comes from."),
        _("You: by the hour."),
    ),
    _part(
        "Microsoft.Network/natGateways",
        "cell-egress",
        _("Leads traffic out to the internet, and none in."),
        _("You: by the hour, and for the traffic through it."),
    ),
    _part(
        "Microsoft.Network/virtualNetworks",
        "cell-net",
        _("A network of the cell's own, apart from yours, with one subnet for the cluster and one for the agent."),
        _FREE,
    ),
    _part(
        "Microsoft.KeyVault/vaults/keys",
        "cell-key",
        _("Encrypts the secrets of the cluster. It stays in the kit's vault when the cell is deleted: Azure deletes no key this way."),
        _("You: some cents a month."),
    ),
    _part(
        "Microsoft.ContainerService/managedClusters",
        "cell-cluster",
        _("The Kubernetes cluster that instances run in, with one machine for its own programs. Only the cell's network reaches it."),
        _("You: for the cluster by the hour, and for its machine, disk and load balancer."),
    ),
    _part(
        "Microsoft.ContainerService/managedClusters/agentPools",
        "work",
        _("The machines that instances run on."),
        _("You: for each machine and its disk, by the hour."),
    ),
    _part("Microsoft.Network/networkInterfaces", "cell-agent-card", _("Connects the agent's machine to the cell's network."), _FREE),
    _part(
        "Microsoft.Compute/virtualMachines",
        "cell-agent",
        _("Runs the agent, which fetches from the portal what shall run and reports how it is. It has no public address and no login."),
        _("You: for a small machine and its disk, by the hour."),
    ),
)

HOSTS = (
    Called("packages.microsoft.com", _("Azure's command line, from packages that Microsoft signs.")),
    Called("github.com", _("kubelogin, compared with the SHA-256 in the machine's own start.")),
    Called("release-assets.githubusercontent.com", _("Where github.com leads for that file.")),
    Called("management.azure.com", _("The address of the cell's own cluster.")),
    Called("login.microsoftonline.com", _("Signs the machine's own identity in.")),
    Called("azure.archive.ubuntu.com", _("Packages of Ubuntu, by plain HTTP, as Ubuntu signs them."), 80),
)

RECORDS = (
    Kept(
        _("What was changed in the cell's group, and by whom"),
        _("The activity log of your subscription: Azure keeps it always, for 90 days."),
        _("You, and support during access that you approved."),
    ),
    Kept(
        _("Who asked the cluster for what, the agent included"),
        _("Not written down: the kit asks for no right over diagnostic settings. You can add one to the cell's cluster (kube-audit)."),
        _("You, where you switch it on."),
    ),
    Kept(
        _("Each connection of a cell's network (flow logs)"),
        _("Not written down: the kit asks for no right to switch that on. You can, for the cell's network as for any other of yours."),
        _("You, where you switch it on."),
    ),
)

MOVING = _("Azure gives the running cluster the identity of the new kit, and the agent gets a new machine. Instances go on running.")
