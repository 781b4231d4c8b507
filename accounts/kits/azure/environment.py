"""Words of the checks of the environment: what each looks at, why a cell needs it, what to do about it."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.base import EnvironmentCheck

ENVIRONMENT_CHECKS: tuple[EnvironmentCheck, ...] = (
    EnvironmentCheck(
        "identity",
        _("The right subscription"),
        _("A cell is built in the subscription that you named, and only while it is enabled."),
        passed=_("Subscription %(subscription)s in tenant %(tenant)s is enabled."),
        warned=_("Azure says that the subscription is %(state)s. It may be disabled soon."),
        blocked=_("Azure does not let the operator identity work in this subscription: %(state)s."),
        remedy=_("Look at the subscription in the Azure portal: its Overview says what is missing, in most cases a payment."),
    ),
    EnvironmentCheck(
        "permissions",
        _("Rights in the subscription"),
        _("Without every right of the kit, building a cell would stop half-way."),
        passed=_("Azure confirms all of them."),
        blocked=_("%(count)s rights are missing, among them %(permissions)s."),
        remedy=_(
            "Run the kit again: it puts its roles back to what was shipped. For a location that it was not run for yet, open the account "
            "and choose “Use another location”."
        ),
    ),
    EnvironmentCheck(
        "region_enabled",
        _("Location"),
        _("Some locations of Azure are not offered to every subscription."),
        passed=_("%(region)s is offered to this subscription."),
        blocked=_("%(region)s is not offered to this subscription."),
        remedy=_("Choose another location, or ask Microsoft for access to this one."),
    ),
    EnvironmentCheck(
        "services_enabled",
        _("Resource providers"),
        _("A subscription has to register each service of Azure once before anything of it can be created. It costs nothing."),
        passed=_("Everything that a cell is made of is registered."),
        warned=_("Azure is still registering %(names)s."),
        blocked=_("Not registered yet: %(names)s."),
        remedy=_("Register them. Azure takes a few minutes."),
    ),
    EnvironmentCheck(
        "quota_vcpus",
        _("vCPUs"),
        _("The machines of a cell count against the number of vCPUs that Azure allows this subscription in a location."),
        passed=_("%(free)s of %(limit)s vCPUs are free in %(region)s; a cell needs %(needed)s."),
        blocked=_("%(free)s of %(limit)s vCPUs are free in %(region)s. A cell needs %(needed)s."),
        remedy=_("Ask Azure for a higher quota of Total Regional vCPUs. Small requests are granted within minutes."),
    ),
    EnvironmentCheck(
        "quota_networks",
        _("Virtual networks"),
        _("Each cell has a network of its own."),
        passed=_("%(free)s of %(limit)s virtual networks are free in %(region)s; a cell needs %(needed)s."),
        blocked=_("%(free)s of %(limit)s virtual networks are free in %(region)s. A cell needs %(needed)s."),
        remedy=_("Delete a virtual network that is no longer used, or ask Azure for a higher quota."),
    ),
    EnvironmentCheck(
        "quota_addresses",
        _("Public addresses"),
        _("A cell reaches the internet from a fixed public address, which you can allow elsewhere."),
        passed=_("%(free)s of %(limit)s public addresses are free in %(region)s; a cell needs %(needed)s."),
        blocked=_("%(free)s of %(limit)s public addresses are free in %(region)s. A cell needs %(needed)s."),
        remedy=_("Release a public address that is no longer used, or ask Azure for a higher quota."),
    ),
    EnvironmentCheck(
        "organisation_policy",
        _("Policies"),
        _("Azure Policy can refuse a location or a kind of resource. A cell would then fail while it is built."),
        passed=_("No policy that the portal can read denies what a cell needs."),
        warned=_("These policies deny something, and the portal cannot tell whether a cell is meant: %(names)s."),
        blocked=_("These policies deny what a cell needs: %(names)s."),
        remedy=_("Ask whoever manages your policies for an exemption for the cell's resource group."),
    ),
    EnvironmentCheck(
        "address_range",
        _("Address range"),
        _("Networks whose ranges overlap can never be connected with each other."),
        passed=_("None of your virtual networks overlaps with %(cidr)s."),
        warned=_("%(cidr)s overlaps with %(names)s. A cell can be built, but never be connected with them."),
        remedy=_("Choose another address range for the cell if you want to connect the networks."),
    ),
    EnvironmentCheck(
        "names_free",
        _("Names"),
        _("A cell takes the place of nothing that is not its own."),
        passed=_("Nothing is called %(prefix)s…, and nothing is in the cell's resource group, but what the kit and the portal have made."),
        warned=_("These are left over from a cell of this account, and a new one takes their place: %(names)s."),
        blocked=_("These exist already: %(names)s."),
        remedy=_("Delete them if they are left over from an earlier cell, or contact %(provider)s."),
    ),
    EnvironmentCheck(
        "locks",
        _("Locks"),
        _("A lock on the subscription or on the cell's resource group keeps a cell from being built, or from being deleted."),
        passed=_("There is no lock in the way."),
        warned=_("These locks would keep a cell from being deleted: %(names)s."),
        blocked=_("These locks keep a cell from being built: %(names)s."),
        remedy=_("Remove the lock, or leave the cell's resource group out of it."),
    ),
)
