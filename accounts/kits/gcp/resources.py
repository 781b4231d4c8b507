"""What the Google Cloud kit makes, and the switches that stay the customer's own."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.kits.manifest import KitResource, Switch

_NOW = pgettext_lazy("when a resource is created", "With the kit")
_FREE = _("Nobody: Google Cloud does not charge for it.")
_ACCOUNT = "iam.googleapis.com/ServiceAccount"
_ROLE = "iam.googleapis.com/Role"

RESOURCES: tuple[KitResource, ...] = (
    KitResource(
        "pool",
        "iam.googleapis.com/WorkloadIdentityPool",
        "byoc-{suffix}",
        _("Keeps the portal's sign-ins apart from your own people and services."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "provider",
        "iam.googleapis.com/WorkloadIdentityPoolProvider",
        "portal",
        _("Makes this project check the portal's short-lived tokens. It is what replaces a stored key."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "operator",
        _ACCOUNT,
        "byoc-{suffix}-operator",
        _("Orders, updates and deletes deployment cells, and checks this kit. Has no key."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "builder",
        _ACCOUNT,
        "byoc-{suffix}-builder",
        _("Is what Infrastructure Manager builds your cells as. Trusts no sign-in from outside of your project. Has no key."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "supporter",
        _ACCOUNT,
        "byoc-{suffix}-support",
        _("Is opened only during support access that you approved, and ends with it. Has no key."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "node",
        _ACCOUNT,
        "byoc-{suffix}-node",
        _(
            "Is what the machines of your cells run as. Carries Google's own role container.defaultNodeServiceAccount, which writes logs "
            "and figures. Has no key."
        ),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "agent_account",
        _ACCOUNT,
        "byoc-{suffix}-agent",
        _(
            "Is what the agent's machine in each cell runs as, so that the agent can install and watch your instances from inside. "
            "Trusts no sign-in from outside of your project; what a plan tells that machine to run, runs as this account. Has no key."
        ),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "verify",
        _ROLE,
        "BYOC {suffix}: read, to check the kit and to look before building",
        _("What the operator may always do."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource("cells", _ROLE, "BYOC {suffix}: order cells", _("What the operator may order while you allow changes."), _NOW, _FREE, ""),
    KitResource("build", _ROLE, "BYOC {suffix}: build cells", _("What the builder may do while you allow changes."), _NOW, _FREE, ""),
    KitResource(
        "clusters",
        _ROLE,
        "BYOC {suffix}: change what is held to names of cells",
        _(
            "What the builder may do to clusters, firewall rules and the agent's machine of a cell, held to their names, while you "
            "allow changes."
        ),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "store",
        _ROLE,
        "BYOC {suffix}: Infrastructure Manager's own store",
        _("What Infrastructure Manager needs to keep what it built, held to its own bucket, while you allow changes."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource("support", _ROLE, "BYOC {suffix}: look at cells", _("What support may see while you allow support."), _NOW, _FREE, ""),
    KitResource(
        "support_clusters",
        _ROLE,
        "BYOC {suffix}: look at clusters of cells",
        _("What support may see of clusters and firewall rules of cells, held to their names, while you allow support."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "agent",
        _ROLE,
        "BYOC {suffix}: look into clusters of cells",
        _("What the agent may always read in the clusters of cells, and in no other cluster."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "agent_change",
        _ROLE,
        "BYOC {suffix}: run instances in clusters of cells",
        _("What the agent may install, change and remove in the clusters of cells, while you allow changes."),
        _NOW,
        _FREE,
        "",
    ),
)

SWITCHES: tuple[Switch, ...] = (
    Switch(
        "AllowChanges",
        _("Changes by the operator, the builder and the agent account"),
        _(
            "Run the kit's command again with --allow-changes no, and every change by these accounts stops within minutes, also in open "
            "sessions. Neither cells nor instances can be created, updated or deleted until you run it with yes; without a word on it, it "
            "stays no. What runs keeps running. Reading goes on. In Terraform, it is what your configuration says."
        ),
    ),
    Switch(
        "AllowSupport",
        _("Support access"),
        _(
            "Run the kit's command again with --allow-support no, and the support account may see nothing within a few minutes, also in "
            "open sessions and whatever was approved here, until you run it with yes. Your instances are not affected."
        ),
    ),
)
