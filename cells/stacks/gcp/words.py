"""The Google Cloud cell in words: why every resource of the plan is there, and what it costs. A test keeps the two equal.

A resource goes by its whole address: its name alone may be that of another kind too.
"""

from django.utils.translation import gettext_lazy as _

from cells.stacks.base import Called, Kept, PlannedPart

_FREE = _("Nobody: Google Cloud does not charge for it.")
_MACHINE = _("You, by the hour of each machine and by the size of its disk.")

PARTS: tuple[PlannedPart, ...] = (
    PlannedPart("google_compute_network", "google_compute_network.cell", _("A network of the cell's own, apart from yours."), _FREE),
    PlannedPart(
        "google_compute_subnetwork",
        "google_compute_subnetwork.machines",
        _("Holds the cluster's machines, pods and services, without public addresses."),
        _FREE,
    ),
    PlannedPart(
        "google_compute_subnetwork",
        "google_compute_subnetwork.agent",
        _("Holds the agent's machine. Only this range may call the cluster's API from outside."),
        _FREE,
    ),
    PlannedPart("google_compute_router", "google_compute_router.out", _("Carries the way out."), _FREE),
    PlannedPart(
        "google_compute_router_nat",
        "google_compute_router_nat.out",
        _("Lets machines without public addresses reach the internet. Nothing comes in through it."),
        _("You, by the hour, by the gigabyte that goes through it, and for its public addresses."),
    ),
    PlannedPart(
        "google_compute_firewall",
        "google_compute_firewall.closed",
        _("Denies everything that comes into the network, but what the cluster itself needs."),
        _FREE,
    ),
    PlannedPart(
        "google_container_cluster",
        "google_container_cluster.cell",
        _(
            "The Kubernetes cluster that runs your instances. Its API has a private address only. Google Cloud encrypts all that it keeps "
            "with a key of its own; a key of yours would take rights over keys, which the kit does not ask for."
        ),
        _("You, by the hour. Google Cloud gives each billing account a free amount every month."),
    ),
    PlannedPart(
        "google_container_node_pool",
        "google_container_node_pool.machines",
        _("The machines of the cluster, in two zones or more."),
        _MACHINE,
    ),
    PlannedPart(
        "google_compute_instance",
        "google_compute_instance.agent",
        _("A small machine for the agent, which calls the portal from inside. Nobody can sign in to it, and nothing dials in."),
        _MACHINE,
    ),
)

HOSTS = (
    Called("packages.cloud.google.com", _("Google's command line, from packages that Google signs.")),
    Called("container.googleapis.com", _("The address of the cell's own cluster.")),
    Called("<region>.gce.archive.ubuntu.com", _("Packages of Ubuntu, by plain HTTP, as Ubuntu signs them."), 80),
    Called("archive.ubuntu.com", _("Packages of Ubuntu, by plain HTTP, as Ubuntu signs them."), 80),
    Called("security.ubuntu.com", _("Security updates of Ubuntu, by plain HTTP, as Ubuntu signs them."), 80),
)

RECORDS = (
    Kept(
        _("Who changed what in the cluster, the agent included"),
        _("Cloud Logging in your project, the admin activity log: Google Cloud keeps it always, for 400 days."),
        _("You. No account of the kit reads logs."),
    ),
    Kept(
        _("Who read what in the cluster"),
        _("Not written down, unless you switch on data access logs of the Kubernetes Engine API."),
        _("You, where you switch it on."),
    ),
    Kept(
        _("Each connection of a cell's network (flow logs)"),
        _("Not written down: the kit asks for no right to switch that on. You can, for the cell's network as for any other of yours."),
        _("You, where you switch it on."),
    ),
)

MOVING = _(
    "A machine on Google Cloud keeps the account that it was made with. So the cluster's machines are removed and made anew, as is the "
    "agent's. Instances stop until the new machines are there, usually for about ten minutes."
)
