"""What the Azure kit makes, and the customer's own switches."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.kits.manifest import KitResource, Switch
from portal.operations.catalogue import Text

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
            "cluster in it, AKS makes a second group for its machines; the operator holds no right there. For each further location that "
            "you run the kit for it makes such a group too, with the vault, the cell's two identities and a janitor for it."
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
