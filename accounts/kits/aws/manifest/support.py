"""What the support role may read, and when."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.aws.manifest.scopes import ANY_READ, CELL_CLUSTERS, CELL_STACKS, CLUSTER, STACK
from accounts.kits.manifest import Grant, Phase, Role

SUPPORT: tuple[Grant, ...] = (
    Grant(
        "SeeCells",
        Role.SUPPORT,
        Phase.SUPPORT,
        CELL_STACKS,
        {
            "cloudformation:DescribeStackEvents": _("See when and why a cell failed."),
            "cloudformation:DescribeStackResources": _("See what a cell consists of."),
            "cloudformation:DescribeStacks": _("See the state of a cell."),
        },
        resource=STACK,
    ),
    Grant(
        "SeeClusters",
        Role.SUPPORT,
        Phase.SUPPORT,
        CELL_CLUSTERS,
        {
            "eks:DescribeAddon": _("See the version and health of add-ons."),
            "eks:DescribeCluster": _("See the state of the cluster."),
            "eks:DescribeNodegroup": _("See the state of the machines."),
            "eks:DescribeUpdate": _("See what an update of the cluster did."),
            "eks:ListNodegroups": _("See which groups of machines there are."),
            "eks:ListUpdates": _("See which updates there were."),
        },
        resource=CLUSTER,
    ),
    Grant(
        "SeeNetwork",
        Role.SUPPORT,
        Phase.SUPPORT,
        ANY_READ,
        {
            "ec2:DescribeNatGateways": _("See whether a cell can reach the internet."),
            "ec2:DescribeSecurityGroups": _("See whether a firewall rule is in the way."),
            "ec2:DescribeSubnets": _("See whether a subnet has run out of addresses."),
            "ec2:DescribeVpcs": _("See the network of a cell."),
        },
    ),
    Grant(
        "ReadClusterLogs",
        Role.SUPPORT,
        Phase.SUPPORT,
        _("Only logs of clusters whose name starts with byoc-, this account's short code and -cell-."),
        {
            "logs:DescribeLogStreams": _("Find the log of the time in question."),
            "logs:FilterLogEvents": _(
                "Search the cluster's own log: who asked the cluster for what, the agent included. What your instances write is not in it."
            ),
            "logs:GetLogEvents": _(
                "Read the cluster's own log: who asked the cluster for what, the agent included. What your instances write is not in it."
            ),
        },
        resource="arn:aws:logs:{region}:{account_id}:log-group:/aws/eks/byoc-{short}-cell-check/cluster",
    ),
    Grant(
        "SupportSwitchedOn",
        Role.SUPPORT,
        Phase.SUPPORT,
        _("Tells nothing but the caller's own name."),
        {"sts:GetCallerIdentity": _("Prove which role a session has. Stands where your switch for support is.")},
    ),
)
