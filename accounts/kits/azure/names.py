"""How the Azure kit calls what it makes, and who holds which role where."""

from collections.abc import Mapping

from accounts.clouds.base import Target
from accounts.kits.azure.manifest import CELL_GROUP, KIT_GROUP, SUBSCRIPTION
from accounts.kits.base import mark_of_place

# Who holds a role of the template, and where.
HOLDERS = {
    "operator": ("operator", SUBSCRIPTION),
    "operator-kit": ("operator", KIT_GROUP),
    "operator-cells": ("operator", CELL_GROUP),
    "operator-support": ("operator", CELL_GROUP),
    # Nobody holds these but an identity of support, while access lasts that was approved.
    "support": ("", CELL_GROUP),
    "support-logs": ("", CELL_GROUP),
    "support-lease": ("", CELL_GROUP),
    "janitor": ("janitor", CELL_GROUP),
    "cell-cluster": ("cell-cluster", CELL_GROUP),
    "cell-agent": ("cell-agent", CELL_GROUP),
}


def vault_name(account: str, subscription: str, location: str) -> str:
    """One vault for each account and place, whatever the generation: the cell's key outlives a kit.

    Its name is unique in all of Azure and has 24 characters at most. A kit that was run in the wrong subscription or location leaves a
    vault there, which must not take the name of the right one: hence the mark of the place.
    """
    return f"byoc{account:.8}{mark_of_place(subscription, location)}"


def names(target: Target) -> dict[str, str]:
    return {
        "account": target.account,
        "account_id": target.external_id,
        "region": target.region,
        "suffix": target.suffix,
        "short": target.suffix.partition("-")[0],
    }


def group_name(scope: str, names: Mapping[str, str]) -> str:
    return scope.format(**names).rpartition("/")[2]
