"""Where the Azure kit's rights hold, and that in words."""

from django.utils.translation import gettext_lazy as _

SUBSCRIPTION = "/subscriptions/{account_id}"
KIT_GROUP = SUBSCRIPTION + "/resourceGroups/byoc-{suffix}-kit"
CELL_GROUP = SUBSCRIPTION + "/resourceGroups/byoc-{short}-cell-{region}"

ANYWHERE = _("Names and settings in the whole subscription, no content. Azure cannot narrow a right to part of a subscription by name.")
OWN_GROUP = _("Only in the resource group of this kit.")
ONLY_CELL_GROUP = _(
    "Only in the resource group that the kit makes for a deployment cell, one in each location that you run it for. What is asked of a "
    "cell's cluster takes effect in the group of its machines too, which AKS makes and keeps. Azure refuses it everywhere else."
)
ONLY_SUPPORT = _(
    "Only in the resource group that the kit makes for a deployment cell, one in each location that you run it for, only the three roles "
    "of support, and only to support's own identities. A condition of Azure's on the operator's assignment refuses every other role and "
    "every other identity."
)
BOTH_GROUPS = _(
    "Only in the resource group of this kit, and in those that it makes for deployment cells, one in each location that you run it for."
)
