"""What the Google Cloud kit makes, and the switches that stay the customer's own."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.kits.manifest import KitResource, Switch

_NOW = pgettext_lazy("when a resource is created", "With the kit")
_FREE = _("Nobody: Google Cloud does not charge for it.")
_ACCOUNT = "iam.googleapis.com/ServiceAccount"
_ROLE = "iam.googleapis.com/Role"
_VIEW = "logging.googleapis.com/LogView"

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
    *(
        KitResource(
            f"supporter{number}",
            _ACCOUNT,
            f"byoc-{{suffix}}-support{number}",
            _(
                "May do nothing until you approve support access. For its time it is given the roles of support, with the end in the "
                "condition; no two accesses share one. Has no key."
            ),
            _NOW,
            _FREE,
            "",
        )
        for number in ("", "2", "3")
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
    KitResource("support", _ROLE, "BYOC {suffix}: look at cells", _("What support may see of a cell during an access."), _NOW, _FREE, ""),
    KitResource(
        "support_clusters",
        _ROLE,
        "BYOC {suffix}: look at clusters of cells",
        _("What support may see of the cluster of a cell during an access, held to its name."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "support_logs",
        _ROLE,
        "BYOC {suffix}: read what clusters of cells write about themselves",
        _("Lets support read three views of your log during an access."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "grant",
        _ROLE,
        "BYOC {suffix}: open and close support access",
        _("Lets the operator give and take the three roles of support, and no others, while you allow support."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "trail",
        _ROLE,
        "BYOC {suffix}: read what was written down of support access",
        _("Lets the operator read one view of your log."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "clusters_view",
        _VIEW,
        "byoc-{suffix}-clusters",
        _("Shows what clusters write about themselves, and nothing of your instances."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "nodes_view",
        _VIEW,
        "byoc-{suffix}-clusters-nodes",
        _("Shows what the machines of clusters write about themselves, and nothing of your instances."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "plane_view",
        _VIEW,
        "byoc-{suffix}-clusters-plane",
        _("Shows what the control planes of clusters write about themselves, and nothing of your instances."),
        _NOW,
        _FREE,
        "",
    ),
    KitResource(
        "trail_view",
        _VIEW,
        "byoc-{suffix}-trail",
        _("Shows who read what in this project, as Google Cloud wrote it down."),
        _NOW,
        _("You: Google Cloud charges for logs beyond what is free each month. Only reading of deployments and of logs is written down."),
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
            "Run the kit's command again with --allow-support no, and the support accounts may see nothing within a few minutes, also in "
            "open sessions and whatever was approved here, and the operator can open no access, until you run it with yes. Your instances "
            "are not affected."
        ),
    ),
)
