"""Names and words that several parts of the kit's manifest use."""

from django.utils.translation import gettext_lazy as _

REQUEST_TAG = {"aws:RequestTag/byoc:account": "{account}"}
OUR_TAG = {"aws:ResourceTag/byoc:account": "{account}"}
IN_A_STACK = {"aws:CalledViaFirst": "cloudformation.amazonaws.com"}
STACK = "arn:aws:cloudformation:{region}:{account_id}:stack/byoc-{short}-cell-check/1"
CLUSTER = "arn:aws:eks:{region}:{account_id}:cluster/byoc-{short}-cell-check"
ENTRY = "arn:aws:eks:{region}:{account_id}:access-entry/byoc-{short}-cell-check/role/{account_id}/"
CLUSTER_ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
CELL_ROLE = "arn:aws:iam::{account_id}:role/byoc-{suffix}-cell-node"
OPERATOR_ROLE = "arn:aws:iam::{account_id}:role/byoc-{suffix}-operator"
SUPPORT_ROLE = "arn:aws:iam::{account_id}:role/byoc-{suffix}-support"
ANY_READ = _("Lists only. AWS cannot narrow this action to single resources; it shows names and settings, no content.")
TAGGED_OURS = _("Only on resources that carry this account's byoc:account tag.")
CELL_STACKS = _("Only stacks whose name starts with byoc-, this account's short code and -cell-.")
CELL_CLUSTERS = _("Only clusters whose name starts with byoc-, this account's short code and -cell-.")
