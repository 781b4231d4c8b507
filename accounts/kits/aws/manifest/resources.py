"""What the kit creates, and the switches that its owner may turn."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.kits.manifest import KitResource, Switch

_NOW = pgettext_lazy("when a resource is created", "With the kit")
_FREE = _("Nobody: AWS does not charge for it.")
_TAGS = "byoc:account"

RESOURCES: tuple[KitResource, ...] = (
    KitResource(
        "IdentityProvider",
        "AWS::IAM::OIDCProvider",
        "{issuer_path}",
        _("Makes this account check the portal's short-lived tokens. It is what replaces a stored key."),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "OperatorBoundary",
        "AWS::IAM::ManagedPolicy",
        "byoc-{suffix}-operator-boundary",
        _("The most that the operator role can ever do, whatever is attached to it."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "OperatorRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-operator",
        _("Creates, updates and deletes deployment cells, and checks this kit."),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "SupportBoundary",
        "AWS::IAM::ManagedPolicy",
        "byoc-{suffix}-support-boundary",
        _("The most that the support role can ever do: read."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "SupportRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-support",
        _("Is opened only during support access that you approved, and ends with it."),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellBoundary",
        "AWS::IAM::ManagedPolicy",
        "byoc-{suffix}-cell-boundary",
        _("The most that the clusters and machines of your cells can ever do: change what carries our tag, and read none of your images."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "CellClusterRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-cell-cluster",
        _(
            "Is taken by EKS, and nobody else, to run the clusters of your cells. Carries AWS's AmazonEKSClusterPolicy within the cell "
            "boundary."
        ),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellNodeRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-cell-node",
        _(
            "Is taken by EC2, and nobody else, for the machines of your cells. Carries AWS's AmazonEKSWorkerNodePolicy, "
            "AmazonEKS_CNI_Policy and AmazonEC2ContainerRegistryPullOnly within the cell boundary."
        ),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellStorageRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-cell-storage",
        _(
            "Is taken by EKS, and nobody else, for the disk add-on of your cells. Carries AWS's AmazonEBSCSIDriverPolicy within the cell "
            "boundary."
        ),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellAgentRole",
        "AWS::IAM::Role",
        "byoc-{suffix}-cell-agent",
        _(
            "Is taken by EC2, and nobody else, for the machine of the agent in each cell. It can look its cluster up, and is the only "
            "identity of this account that your cells let into their clusters, where it may change everything."
        ),
        _NOW,
        _FREE,
        _TAGS,
    ),
    KitResource(
        "CellAgentProfile",
        "AWS::IAM::InstanceProfile",
        "byoc-{suffix}-cell-agent",
        _("Hands the agent's role to its machine, as EC2 wants it."),
        _NOW,
        _FREE,
        "",
    ),
)

SWITCHES: tuple[Switch, ...] = (
    Switch(
        "AllowChanges",
        _("Changes by the operator role"),
        _(
            "Update the kit's stack with “no” and every change by the operator role stops at once, also in open sessions. Cells cannot be "
            "created, updated or deleted until you set it to “yes”, and clusters cannot create or delete disks, snapshots, firewall groups "
            "or load balancers. What runs keeps running: machines still join, pull images and attach the disks and addresses they have. "
            "Reading goes on. What runs inside a cluster is not stopped by this switch."
        ),
    ),
    Switch(
        "AllowSupport",
        _("Support access"),
        _(
            "Update the kit's stack with “no” and support access is refused at once, also in open sessions and whatever was approved here. "
            "Your instances are not affected."
        ),
    ),
)
