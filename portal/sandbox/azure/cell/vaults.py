"""Vaults and the keys in them."""

import re
import secrets

from portal.sandbox.azure.arm.kind import Kind, Write
from portal.sandbox.azure.errors import ArmError

VAULT = "Microsoft.KeyVault/vaults"
KEY = f"{VAULT}/keys"
VERSIONS = ("2022-07-01", "2023-02-01", "2023-07-01", "2024-11-01")
NAME = re.compile(r"(?=.{3,24}$)[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
SHORTEST_KEPT, LONGEST_KEPT = 7, 90


def _complete_vault(write: Write) -> None:
    if not NAME.fullmatch(write.name):
        message = f"The vault name '{write.name}' is invalid. A vault's name must be between 3-24 alphanumeric characters."
        raise ArmError(400, "VaultNameNotValid", message)
    if any(found.name.lower() == write.name.lower() and found.id.lower() != write.id.lower() for found in write.world.of_type(VAULT)):
        raise ArmError(409, "VaultAlreadyExists", f"The vault name '{write.name}' is already in use.")
    kept = write.world.deleted_vaults.get(write.name.lower())
    if write.old is None and kept is not None and kept["until"] > write.world.now():
        raise ArmError(
            409,
            "ConflictError",
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. "
            "Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
        )
    props = write.properties
    if not props.get("tenantId") or not (props.get("sku") or {}).get("name"):
        raise ArmError(400, "BadRequest", "The parameters tenantId and sku are required.")
    if not props.get("enableRbacAuthorization") and "accessPolicies" not in props:
        raise ArmError(400, "BadRequest", "The parameter accessPolicies is not specified.")
    if not SHORTEST_KEPT <= props.get("softDeleteRetentionInDays", LONGEST_KEPT) <= LONGEST_KEPT:
        raise ArmError(400, "BadRequest", "The property softDeleteRetentionInDays must be between 7 and 90.")
    props.setdefault("accessPolicies", [])
    props |= {"vaultUri": f"https://{write.name.lower()}.vault.azure.net/", "provisioningState": "Succeeded"}


def _complete_key(write: Write) -> None:
    """A key that is there stays as it is: Resource Manager makes the first version of one, and nothing else."""
    if write.old is not None:
        write.body.clear()
        write.body |= write.old.body
        return
    vault = write.id.split("/")[-3]
    address = f"https://{vault.lower()}.vault.azure.net/keys/{write.name}"
    write.properties.update({"keyUri": address, "keyUriWithVersion": f"{address}/{secrets.token_hex(16)}"})


KINDS = (
    Kind(
        VAULT, VERSIONS,
        {"id": str, "name": str, "type": str, "location": str, "tags": {"*": str}, "properties": {
            "tenantId": str, "sku": {"family": str, "name": str}, "accessPolicies": [dict], "enableRbacAuthorization": bool,
            "enableSoftDelete": bool, "softDeleteRetentionInDays": int, "enablePurgeProtection": bool, "publicNetworkAccess": str,
            "vaultUri": str, "provisioningState": str}},
        complete=_complete_vault,
    ),
    Kind(
        KEY, VERSIONS,
        {"id": str, "name": str, "type": str, "tags": {"*": str}, "properties": {
            "kty": str, "keySize": int, "keyOps": [str], "curveName": str, "attributes": {"enabled": bool, "exportable": bool}}},
        complete=_complete_key, listed=False, is_deletable=False,
    ),
)  # fmt: skip
