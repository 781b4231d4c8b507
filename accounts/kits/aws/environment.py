"""What is looked at before a cell is built in an AWS account, in words."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.base import EnvironmentCheck

ENVIRONMENT_CHECKS: tuple[EnvironmentCheck, ...] = (
    EnvironmentCheck(
        "identity",
        title=_("Identity"),
        why=_("Everything is built by the kit's operator role, in the account that you named."),
        passed=_("The operator role signs in to account %(account_id)s."),
    ),
    EnvironmentCheck(
        "permissions",
        title=_("Permissions"),
        why=_("A cell that lacks one permission fails half-way."),
        passed=_("AWS confirms all %(count)s permissions of the operator role."),
        blocked=_("Permissions that the operator role lacks: %(count)s, among them %(permissions)s."),
        remedy=_("Update the kit's stack with the switch for changes on, or run the kit again: it puts back what is missing. To look:"),
    ),
    EnvironmentCheck(
        "region_enabled",
        title=_("Region"),
        why=_("Newer regions of AWS are off until the account turns them on."),
        passed=_("%(region)s is on in this account."),
        blocked=_("%(region)s is off in this account."),
        remedy=_("Turn the region on; AWS takes some minutes to some hours. Or choose another region."),
    ),
    EnvironmentCheck(
        "organisation_policy",
        title=_("Rules of your organisation"),
        why=_("A service control policy of AWS Organizations outranks every permission of the account."),
        passed=_("No service control policy stands in the way, and AWS would let the operator role create a network in %(region)s."),
        blocked=_("A rule of your organisation forbids what a cell needs in %(region)s: %(permissions)s."),
        remedy=_("Show this to whoever manages your AWS organisation. In its management account, this lists the policies in force:"),
    ),
    EnvironmentCheck(
        "zones",
        title=_("Availability zones"),
        why=_("A cell spreads over three zones, so that it outlives the loss of one. A cluster needs two at least."),
        passed=_("%(count)s zones are up in %(region)s: %(names)s."),
        warned=_("Only %(count)s zones are up in %(region)s. A cell can be built, with less room to outlive a failure."),
        blocked=_("Only %(count)s zones are up in %(region)s; a cluster needs %(needed)s."),
        remedy=_("Choose a region with %(wanted)s zones. This lists those of %(region)s:"),
    ),
    EnvironmentCheck(
        "quota_vcpus",
        title=_("Limit: vCPUs"),
        why=_("The machines of a cell count against the vCPUs of running standard instances in the region."),
        passed=_("%(free)s of %(limit)s vCPUs are free in %(region)s; a cell takes %(needed)s."),
        warned=_("%(free)s of %(limit)s vCPUs are free in %(region)s; a cell takes %(needed)s, which leaves little room to grow."),
        blocked=_("Only %(free)s of %(limit)s vCPUs are free in %(region)s; a cell takes %(needed)s."),
        remedy=_("Ask AWS for a higher limit. Small requests are often granted within minutes:"),
    ),
    EnvironmentCheck(
        "quota_networks",
        title=_("Limit: VPCs"),
        why=_("A cell has a VPC of its own, apart from yours."),
        passed=_("%(free)s of %(limit)s VPCs are free in %(region)s; a cell takes %(needed)s."),
        warned=_("%(free)s of %(limit)s VPCs are free in %(region)s; a cell takes %(needed)s, which leaves none for another one."),
        blocked=_("Only %(free)s of %(limit)s VPCs are free in %(region)s; a cell takes %(needed)s."),
        remedy=_("Delete a VPC that nothing uses, or ask AWS for a higher limit:"),
    ),
    EnvironmentCheck(
        "quota_addresses",
        title=_("Limit: Elastic IP addresses"),
        why=_("A cell reaches the internet from a fixed public address, which you can allow elsewhere."),
        passed=_("%(free)s of %(limit)s Elastic IP addresses are free in %(region)s; a cell takes %(needed)s."),
        warned=_(
            "%(free)s of %(limit)s Elastic IP addresses are free in %(region)s; a cell takes %(needed)s, which leaves none for another one."
        ),
        blocked=_("Only %(free)s of %(limit)s Elastic IP addresses are free in %(region)s; a cell takes %(needed)s."),
        remedy=_("Release an address that nothing uses, or ask AWS for a higher limit:"),
    ),
    EnvironmentCheck(
        "quota_gateways",
        title=_("Limit: NAT gateways in a zone"),
        why=_("Machines without a public address reach the internet through a NAT gateway."),
        passed=_("%(free)s of %(limit)s NAT gateways are free in a zone of %(region)s; a cell takes %(needed)s."),
        warned=_(
            "%(free)s of %(limit)s NAT gateways are free in any zone of %(region)s; a cell takes %(needed)s, which leaves none for another "
            "one."
        ),
        blocked=_("Only %(free)s of %(limit)s NAT gateways are free in any zone of %(region)s; a cell takes %(needed)s."),
        remedy=_("Delete a NAT gateway that nothing uses, or ask AWS for a higher limit:"),
    ),
    EnvironmentCheck(
        "address_range",
        title=_("Address range"),
        why=_("Networks whose ranges overlap can never be connected with each other."),
        passed=_("None of your networks in %(region)s overlaps with %(cidr)s."),
        warned=_("%(cidr)s overlaps with %(names)s. A cell can be built, and never be connected with it."),
        blocked=_("%(cidr)s overlaps with %(names)s, which is peered or attached to a transit gateway: routes would clash."),
        remedy=_("Choose another range for the cell. These are the ranges in use:"),
    ),
    EnvironmentCheck(
        "names_free",
        title=_("Names"),
        why=_("Everything a cell is made of has a name with this account's prefix; a name that is taken makes it fail."),
        passed=_("No cluster and no network is called %(prefix)s…, but those of this account's cells."),
        warned=_("These are left over from a cell of this account, and a new one in their place may fail: %(names)s."),
        blocked=_("These names are taken by something that is not ours: %(names)s."),
        remedy=_("Rename or delete what is in the way. Contact %(provider)s if it is left over from a cell. This lists clusters:"),
    ),
    EnvironmentCheck(
        "disk_encryption",
        title=_("Disk encryption"),
        why=_("Where AWS encrypts new disks with a key of yours, the machines of a cell must be allowed to use that key."),
        passed=_("New disks are encrypted with AWS's own key or with the cell's, which needs nothing from you."),
        warned=_("New disks are encrypted with your key %(key)s. Machines start only if its policy lets the kit's cell roles use it."),
        remedy=_("Let the kit's cell node and cell storage roles use the key. This shows its policy:"),
    ),
)
