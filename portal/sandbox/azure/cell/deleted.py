"""Vaults that were deleted: Azure keeps them, and with them their names, until their time is over or somebody purges them."""

from portal.sandbox import wire
from portal.sandbox.azure.arm.call import Call, answer, listed, nothing
from portal.sandbox.azure.cell.vaults import VAULT, VERSIONS
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import Body, World, stamp

DELETED = "Microsoft.KeyVault/deletedVaults"
__all__ = ["DELETED", "VERSIONS", "collection", "purge"]


def _shown(name: str, kept: Body) -> Body:
    sub = kept["id"].split("/")[2]
    properties = {"vaultId": kept["id"], "location": kept["location"], "scheduledPurgeDate": stamp(kept["until"])}
    number = f"/subscriptions/{sub}/providers/Microsoft.KeyVault/locations/{kept['location']}/deletedVaults/{name}"
    return {"id": number, "name": name, "type": DELETED, "properties": properties}


def _of(world: World, sub: str) -> dict[str, Body]:
    """Of one subscription, still kept."""
    return {
        name: kept
        for name, kept in world.deleted_vaults.items()
        if kept["id"].split("/")[2].lower() == sub.lower() and kept["until"] > world.now()
    }


def collection(call: Call) -> wire.Reply:
    return listed(call, [_shown(name, kept) for name, kept in _of(call.world, call["sub"]).items()])


def purge(call: Call) -> wire.Reply:
    name, location = call["name"].lower(), call["location"].lower()
    kept = _of(call.world, call["sub"]).get(name)
    if kept is None or kept["location"] != location:
        message = f"The specified deleted vault '{call['name']}' in location '{call['location']}' could not be found."
        raise ArmError(404, "DeletedVaultNotFound", message)
    if any(found.name.lower() == name for found in call.world.of_type(VAULT)):
        return answer(409, {"error": {"code": "ConflictError", "message": f"The vault '{call['name']}' is in use."}})
    del call.world.deleted_vaults[name]
    return nothing(200)
