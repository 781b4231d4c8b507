"""The customer removes the kit by hand, in each cloud as the page's command would."""

from portal.embedded.process import wait_until
from tests.standing import Standing


def remove_kit(standing: Standing) -> None:
    {"aws": _aws, "azure": _azure, "gcp": _gcp}[standing.account.cloud](standing)


def _aws(standing: Standing) -> None:
    hand = standing.hand
    hand._cloudformation.delete_stack(StackName=hand._stack)
    hand.wait_until_kit_is_gone()


def _gcp(standing: Standing) -> None:
    google, shipped = standing.hand.google, standing.hand.shipped
    google.done("DELETE", f"/iam/v1/{shipped.pool}")
    for name in shipped.accounts:
        standing.hand.delete_identity(name)


def _azure(standing: Standing) -> None:
    hand = standing.hand
    hand.remove(hand.kit_group)
    assert wait_until(lambda: hand.account.owner("GET", hand.kit_group).status == 404, 30)
