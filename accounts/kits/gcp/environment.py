"""What is looked at before a cell is built in a Google Cloud project, in words."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.base import EnvironmentCheck

ENVIRONMENT_CHECKS: tuple[EnvironmentCheck, ...] = (
    EnvironmentCheck(
        "identity",
        title=_("Identity"),
        why=_("Everything is ordered by the kit's operator account, in the project that you named."),
        passed=_("The operator account is in project %(project)s, number %(number)s."),
        blocked=_("The operator account cannot be used: %(code)s."),
        remedy=_("Open the account in this portal: its trust has changed. Run the kit again."),
    ),
    EnvironmentCheck(
        "permissions",
        title=_("Permissions"),
        why=_("A cell that lacks one permission fails half-way."),
        passed=_("All %(count)s permissions of the operator and the builder account are held."),
        blocked=_("Permissions that the operator or the builder account lacks: %(count)s."),
        remedy=_("Run the kit again with the switch for changes on: it puts back what is missing."),
    ),
    EnvironmentCheck(
        "region_enabled",
        title=_("Region"),
        why=_("A cell stands in one region."),
        passed=_("Region %(region)s is open to this project."),
        blocked=_("Region %(region)s is not open to this project."),
        remedy=_("Choose another region, or ask Google Cloud to open this one. These are the regions that are open:"),
    ),
    EnvironmentCheck(
        "services_enabled",
        title=_("APIs"),
        why=_("Networks, clusters and Infrastructure Manager each have an API that must be on."),
        passed=_("All %(count)s APIs that a cell needs are on."),
        blocked=_("These APIs are off: %(services)s."),
        remedy=_("Switch them on:"),
    ),
    EnvironmentCheck(
        "quota_vcpus",
        title=_("Quota: vCPUs"),
        why=_("The machines of a cell count against the region's vCPUs."),
        passed=_("%(free)s of %(limit)s vCPUs are free in %(region)s; a cell takes %(needed)s."),
        warned=_("%(free)s of %(limit)s vCPUs are free in %(region)s; a cell takes %(needed)s, which leaves little room to grow."),
        blocked=_("Only %(free)s of %(limit)s vCPUs are free in %(region)s; a cell takes %(needed)s."),
        remedy=_("Ask Google Cloud for more; a higher limit is often given within minutes."),
    ),
    EnvironmentCheck(
        "quota_networks",
        title=_("Quota: networks"),
        why=_("A cell has a network of its own."),
        passed=_("%(free)s of %(limit)s networks are free; a cell takes %(needed)s."),
        warned=_("%(free)s of %(limit)s networks are free; a cell takes %(needed)s, which leaves none for another one."),
        blocked=_("Only %(free)s of %(limit)s networks are free; a cell takes %(needed)s."),
        remedy=_("Ask Google Cloud for more, or delete a network that nothing uses."),
    ),
    EnvironmentCheck(
        "quota_addresses",
        title=_("Quota: public addresses"),
        why=_("A cell reaches the internet through public addresses of its own."),
        passed=_("%(free)s of %(limit)s public addresses are free in %(region)s; a cell takes %(needed)s."),
        warned=_(
            "%(free)s of %(limit)s public addresses are free in %(region)s; a cell takes %(needed)s, which leaves none for another one."
        ),
        blocked=_("Only %(free)s of %(limit)s public addresses are free in %(region)s; a cell takes %(needed)s."),
        remedy=_("Ask Google Cloud for more, or give back an address that nothing uses."),
    ),
    EnvironmentCheck(
        "organisation_policy",
        title=_("Rules of your organisation"),
        why=_("An organisation policy can forbid what a cell is made of, or take the trust away later."),
        passed=_("No rule of your organisation stands in the way."),
        warned=_("These rules of your organisation may stand in the way: %(constraints)s."),
        blocked=_("These rules of your organisation forbid a cell here: %(constraints)s."),
        remedy=_("Show this to whoever manages your Google Cloud organisation. This prints the rule as it stands:"),
    ),
    EnvironmentCheck(
        "address_range",
        title=_("Address range"),
        why=_("The network of a cell must not overlap a network that it may be peered with."),
        passed=_("%(cidr)s is free in every network of this project."),
        warned=_("%(cidr)s overlaps %(overlaps)s. This matters only if the two networks are to be peered."),
        blocked=_("%(cidr)s overlaps %(overlaps)s."),
        remedy=_("Choose another range for the cell. These are the ranges in use:"),
    ),
    EnvironmentCheck(
        "names_free",
        title=_("Names"),
        why=_("Everything a cell is made of carries a name with the account's prefix; a name that is taken makes it fail."),
        passed=_("No name that starts with %(prefix)s is taken, but those of this account's cells."),
        blocked=_("These names are taken: %(names)s."),
        remedy=_("They are left over from an earlier cell. Delete them, or let the portal find its own leftovers. This lists them:"),
    ),
    EnvironmentCheck(
        "own_project",
        title=_("A project of its own"),
        why=_(
            "Google Cloud cannot hold the rights that build a cell to single networks and deployments, and lets all clusters of a project "
            "share one identity pool. In a project of its own, a plan that is wrong reaches nothing else of yours."
        ),
        passed=_("Beside the default network, there is no network, cluster or deployment in this project but those of cells."),
        warned=_("%(count)s networks, clusters or deployments in this project are not those of cells: %(names)s."),
        remedy=_("Better connect a project in which nothing else runs. Here are its networks:"),
    ),
)
