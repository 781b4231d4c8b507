"""The network of a cell."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.aws.manifest.scopes import OUR_TAG, REQUEST_TAG, TAGGED_OURS
from accounts.kits.manifest import ALL, Grant, Phase, Role

_TAGGED_NEW = _("Only if the new resource carries this account's byoc:account tag.")

NETWORK: tuple[Grant, ...] = (
    Grant(
        "CreateNetwork",
        Role.OPERATOR,
        Phase.RUN,
        _TAGGED_NEW,
        {
            "ec2:AllocateAddress": _("Give the cell's NAT gateway a public address."),
            "ec2:CreateInternetGateway": _("Let the cell reach the internet."),
            "ec2:CreateLaunchTemplate": _("Say how the machines of a cell are started: encrypted disks, our tags, no open door."),
            "ec2:CreateNatGateway": _("Let machines without a public address reach the internet."),
            "ec2:CreateRouteTable": _("Give the cell's subnets their routes."),
            "ec2:CreateSecurityGroup": _("Give the cell its own firewall groups."),
            "ec2:CreateSubnet": _("Divide the cell's network over availability zones."),
            "ec2:CreateVpc": _("Give the cell a network of its own, apart from yours."),
        },
        context=REQUEST_TAG,
    ),
    Grant(
        "TagWhileCreating",
        Role.OPERATOR,
        Phase.RUN,
        _("Only while one of the network resources above, a machine or its disk is being created."),
        {"ec2:CreateTags": _("Mark new network resources and machines as belonging to this account's cells.")},
        context={**REQUEST_TAG, "ec2:CreateAction": "CreateVpc"},
    ),
    Grant(
        "ChangeOwnTags",
        Role.OPERATOR,
        Phase.RUN,
        _("Only on resources that carry this account's byoc:account tag, and never that tag itself."),
        {
            "ec2:CreateTags": _("Put your own tags on a cell's network when you ask for them."),
            "ec2:DeleteTags": _("Take a tag off a cell's network when you ask for it."),
        },
        context={**OUR_TAG, "aws:TagKeys": "Name"},
    ),
    Grant(
        "ChangeOwnNetwork",
        Role.OPERATOR,
        Phase.RUN,
        _(
            "Only on resources that carry this account's byoc:account tag. What is new goes only into such networks, and comes only from "
            "such launch templates."
        ),
        {
            "ec2:AssociateRouteTable": _("Connect subnets with their routes."),
            "ec2:AttachInternetGateway": _("Connect the internet gateway with the cell's network."),
            "ec2:AuthorizeSecurityGroupEgress": _("Allow the outgoing traffic that a cell needs."),
            "ec2:AuthorizeSecurityGroupIngress": _("Allow the incoming traffic that a cell needs."),
            "ec2:CreateLaunchTemplateVersion": _("Change how the machines of a cell are started."),
            "ec2:CreateNatGateway": _("Place the NAT gateway in the cell's own subnet."),
            "ec2:CreateRoute": _("Lead the cell's traffic to its gateways."),
            "ec2:CreateRouteTable": _("Place routes in the cell's own network."),
            "ec2:CreateSecurityGroup": _("Place firewall groups in the cell's own network."),
            "ec2:CreateSubnet": _("Place subnets in the cell's own network."),
            "ec2:DescribeInstanceAttribute": _(
                "Let CloudFormation compare the agent's machine with what was installed, what it was told when it started included."
            ),
            "ec2:ModifyVpcAttribute": _("Switch on name resolution in the cell's network."),
            "ec2:ReplaceRoute": _("Change a route without interrupting traffic."),
            "ec2:RunInstances": _("Place machines in the cell's own network, from the cell's own launch templates."),
        },
        context=OUR_TAG,
    ),
    Grant(
        "AddRulesToOwnGroups",
        Role.OPERATOR,
        Phase.RUN,
        _("Only the new rule itself; the group it goes into must carry this account's byoc:account tag."),
        {
            "ec2:AuthorizeSecurityGroupEgress": _("Add an outgoing rule to a cell's firewall group."),
            "ec2:AuthorizeSecurityGroupIngress": _("Add an incoming rule to a cell's firewall group."),
        },
        resource="arn:aws:ec2:{region}:{account_id}:security-group-rule/*",
    ),
    Grant(
        "DeleteOwnNetwork",
        Role.OPERATOR,
        Phase.DELETE,
        TAGGED_OURS,
        {
            "ec2:DeleteInternetGateway": _("Remove the internet gateway with its cell."),
            "ec2:DeleteLaunchTemplate": _("Remove the launch templates with their cell."),
            "ec2:DeleteNatGateway": _("Remove the NAT gateway with its cell, so that it stops costing."),
            "ec2:DeleteNetworkInterface": _("Remove left-over network interfaces, which would keep the network alive."),
            "ec2:DeleteRoute": _("Remove a route that is no longer needed."),
            "ec2:DeleteRouteTable": _("Remove the routes with their cell."),
            "ec2:DeleteSecurityGroup": _("Remove the firewall groups with their cell."),
            "ec2:DeleteSubnet": _("Remove the subnets with their cell."),
            "ec2:DeleteVolume": _("Remove left-over disks, so that they stop costing."),
            "ec2:DeleteVpc": _("Remove the network with its cell."),
            "ec2:DetachInternetGateway": _("Take the internet gateway off before it is removed."),
            "ec2:DisassociateAddress": _("Take the public address off before it is given back."),
            "ec2:DisassociateRouteTable": _("Take routes off subnets before they are removed."),
            "ec2:ReleaseAddress": _("Give the public address back, so that it stops costing."),
            "ec2:RevokeSecurityGroupEgress": _("Take back an outgoing rule that is no longer needed."),
            "ec2:RevokeSecurityGroupIngress": _("Take back an incoming rule that is no longer needed."),
            "ec2:TerminateInstances": _("Remove the agent's machine with its cell."),
            "elasticloadbalancing:DeleteLoadBalancer": _("Remove left-over load balancers, so that they stop costing."),
        },
        context=OUR_TAG,
        recovers=ALL,
    ),
)
