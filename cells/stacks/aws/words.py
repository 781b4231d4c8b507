"""The AWS cell in words: why every resource of template.yaml is there, and what it costs. A test keeps the two equal."""

from django.utils.translation import gettext_lazy as _

from cells.stacks.base import Called, Kept, PlannedPart
from portal.operations.catalogue import Text

_FREE = _("Nobody: AWS does not charge for it.")
_HOURS = _("You, by the hour and by the gigabyte that goes through it.")
_MACHINE = _("You, by the hour of each machine and by the size of its disk.")
_CLUSTER = _("You, by the hour. Its log by size: it stays when the cell is deleted, until you delete it.")
_KEY = _("You, a fixed price each month, until seven days after the cell is deleted.")
_ADDRESS = _("You, by the hour, as for every public IPv4 address.")
_IN_CLUSTER = _("Nobody: AWS does not charge for it. It runs on the cell's machines.")


def _each_zone(kind: str, name: str, whys: tuple[Text, Text, Text]) -> tuple[PlannedPart, ...]:
    return tuple(PlannedPart(kind, f"{name}{zone}", why, _FREE) for zone, why in zip("ABC", whys, strict=True))


PARTS: tuple[PlannedPart, ...] = (
    PlannedPart("AWS::KMS::Key", "Key", _("Encrypts the secrets that the cluster keeps. AWS renews it every year."), _KEY),
    PlannedPart("AWS::KMS::Alias", "KeyName", _("Gives the key a readable name."), _FREE),
    PlannedPart("AWS::EC2::VPC", "Network", _("A network of the cell's own, apart from yours."), _FREE),
    PlannedPart("AWS::EC2::InternetGateway", "InternetGateway", _("Connects the network's public side with the internet."), _FREE),
    PlannedPart("AWS::EC2::VPCGatewayAttachment", "InternetAttachment", _("Puts the internet gateway on the network."), _FREE),
    *_each_zone(
        "AWS::EC2::Subnet",
        "PrivateSubnet",
        (
            _("Holds machines without public addresses in the first zone."),
            _("Holds machines without public addresses in the second zone."),
            _("Holds machines without public addresses in the third zone, where the region has one."),
        ),
    ),
    *_each_zone(
        "AWS::EC2::Subnet",
        "PublicSubnet",
        (
            _("Holds the NAT gateway, and load balancers in the first zone."),
            _("Holds load balancers in the second zone."),
            _("Holds load balancers in the third zone, where the region has one."),
        ),
    ),
    PlannedPart("AWS::EC2::RouteTable", "PublicRoutes", _("The routes of the public subnets."), _FREE),
    PlannedPart("AWS::EC2::Route", "RouteToInternet", _("Leads the public subnets to the internet."), _FREE),
    *_each_zone(
        "AWS::EC2::SubnetRouteTableAssociation",
        "PublicRoutes",
        (
            _("Gives the first public subnet its routes."),
            _("Gives the second public subnet its routes."),
            _("Gives the third public subnet its routes, where there is one."),
        ),
    ),
    PlannedPart(
        "AWS::EC2::EIP",
        "PublicAddress",
        _("The one address that everything from the cell comes from. You can allow it elsewhere."),
        _ADDRESS,
    ),
    PlannedPart(
        "AWS::EC2::NatGateway",
        "NatGateway",
        _("Lets machines without public addresses reach the internet. Nothing comes in through it."),
        _HOURS,
    ),
    PlannedPart("AWS::EC2::RouteTable", "PrivateRoutes", _("The routes of the private subnets."), _FREE),
    PlannedPart("AWS::EC2::Route", "RouteToNat", _("Leads the private subnets to the NAT gateway."), _FREE),
    *_each_zone(
        "AWS::EC2::SubnetRouteTableAssociation",
        "PrivateRoutes",
        (
            _("Gives the first private subnet its routes."),
            _("Gives the second private subnet its routes."),
            _("Gives the third private subnet its routes, where there is one."),
        ),
    ),
    PlannedPart("AWS::EC2::SecurityGroup", "AgentGroup", _("Lets nothing in to the agent's machine, and only HTTPS out."), _FREE),
    PlannedPart(
        "AWS::EC2::SecurityGroup",
        "EndpointGroup",
        _("Lets the agent's machine reach the cluster's endpoint, and nobody else outside of the cluster."),
        _FREE,
    ),
    PlannedPart(
        "AWS::EKS::Cluster",
        "Cluster",
        _(
            "Runs your instances. Its endpoint is private: nobody reaches it from the internet. It writes down in your CloudWatch who "
            "asked it for what, the agent included."
        ),
        _CLUSTER,
    ),
    PlannedPart(
        "AWS::EKS::Addon", "NetworkAddon", _("Gives everything in the cluster its addresses, and keeps instances apart."), _IN_CLUSTER
    ),
    PlannedPart("AWS::EKS::Addon", "ProxyAddon", _("Leads traffic inside of the cluster to the right place."), _IN_CLUSTER),
    PlannedPart("AWS::EKS::Addon", "IdentityAddon", _("Hands the storage role to the disk add-on, and to nothing else."), _IN_CLUSTER),
    PlannedPart(
        "AWS::EC2::LaunchTemplate",
        "MachineTemplate",
        _("Says how the cluster's machines start: encrypted disks, our tags, no identity for what runs on them."),
        _FREE,
    ),
    PlannedPart("AWS::EKS::Nodegroup", "Machines", _("The cluster's machines, spread over the zones."), _MACHINE),
    PlannedPart("AWS::EKS::Addon", "NamesAddon", _("Finds things in the cluster by name."), _IN_CLUSTER),
    PlannedPart(
        "AWS::EKS::Addon",
        "DiskAddon",
        _("Makes and attaches the disks that your instances ask for. The disks are charged by size."),
        _IN_CLUSTER,
    ),
    PlannedPart(
        "AWS::EKS::AccessEntry", "AgentEntry", _("Lets the agent's role into the cluster, and no other identity of this account."), _FREE
    ),
    PlannedPart(
        "AWS::EC2::LaunchTemplate",
        "AgentTemplate",
        _("Says how the agent's machine starts. It has no public address and no SSH key."),
        _FREE,
    ),
    PlannedPart(
        "AWS::EC2::Instance", "AgentMachine", _("Runs the agent, which dials out to the portal and installs what you order."), _MACHINE
    ),
)

HOSTS = (
    Called("eks.<region>.amazonaws.com", _("The address of the cell's own cluster.")),
    Called("al2023-repos-<region>-de612dc2.s3.dualstack.<region>.amazonaws.com", _("Packages of Amazon Linux.")),
    Called("cdn.amazonlinux.com", _("Packages of Amazon Linux, for an image that names this mirror.")),
)

RECORDS = (
    Kept(
        _("Who asked the cluster for what, the agent included (Kubernetes' api, audit and authenticator logs)"),
        _("CloudWatch in your account, /aws/eks/ and the cluster's name. It stays when the cell is deleted, until you delete it."),
        _("You, and support during access that you approved. The operator can neither read nor delete it."),
    ),
    Kept(
        _("Each connection of a cell's network (flow logs)"),
        _("Not written down: the kit asks for no right to switch that on. You can, for the cell's network as for any other of yours."),
        _("You, where you switch it on."),
    ),
)

KEEPS_IDENTITIES = _(
    "AWS gives a cluster its role once and for all, so this cell stays with the roles of the earlier kit and is updated no more. To have "
    "it under the kit in use, delete its instances and the cell, and create the instances again: the new cell takes the new roles."
)
