"""Clusters of Kubernetes, the machines they keep in a group of their own, and the key they encrypt with."""

import re
import secrets

from portal.sandbox.azure import rbac
from portal.sandbox.azure.arm.call import ANY
from portal.sandbox.azure.arm.kind import Kind, Write
from portal.sandbox.azure.cell.vaults import KEY
from portal.sandbox.azure.entra import IDENTITY
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import Body, Resource, World

CLUSTER = "Microsoft.ContainerService/managedClusters"
POOL = f"{CLUSTER}/agentPools"
GROUP = "Microsoft.Resources/resourceGroups"
VERSIONS = ("2024-02-01", "2024-05-01", "2024-09-01", "2025-01-01", "2025-03-01")
POOL_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
KUBERNETES = "1.31.3"
KEY_ACTIONS = ("Microsoft.KeyVault/vaults/keys/encrypt/action", "Microsoft.KeyVault/vaults/keys/decrypt/action")


def _complete_cluster(write: Write) -> None:
    props = write.properties
    if not write.body.get("location") or not props.get("dnsPrefix"):
        raise ArmError(400, "InvalidParameter", "Required parameter dnsPrefix is missing (null).", target="dnsPrefix")
    pools = props.get("agentPoolProfiles") or []
    if not any(pool.get("mode") == "System" for pool in pools):
        message = "There has to be at least one system agent pool."
        raise ArmError(400, "InvalidParameter", message, target="agentPoolProfiles")
    for pool in pools:
        _check_pool(pool["name"], pool)
    if write.old is None:
        _demand_cores(write, sum(cores(pool) for pool in pools))
    if props.get("disableLocalAccounts") and not (props.get("aadProfile") or {}).get("managed"):
        message = "Disabling local accounts is only allowed for clusters with Azure AD integration."
        raise ArmError(400, "BadRequest", message)
    kms = (props.get("securityProfile") or {}).get("azureKeyVaultKms") or {}
    if kms.get("enabled"):
        _demand_key(write, str(kms.get("keyId") or ""))
    old = write.old.properties if write.old is not None else {}
    address = old.get("privateFQDN") or f"{props['dnsPrefix']}-{secrets.token_hex(4)}.{secrets.token_hex(8)}.privatelink.azmk8s.io"
    props |= {
        "provisioningState": "Succeeded", "powerState": {"code": "Running"}, "currentKubernetesVersion": KUBERNETES,
        "kubernetesVersion": props.get("kubernetesVersion", "1.31"), "privateFQDN": address,
    }  # fmt: skip
    _make_group(write, str(props.get("nodeResourceGroup") or f"MC_{write.id.split('/')[4]}_{write.name}_{write.body['location']}"))


def _check_pool(name: str, pool: Body) -> None:
    if not POOL_NAME.fullmatch(name):
        message = f"The agent pool name '{name}' is invalid: lower-case letters and digits, at most 12."
        raise ArmError(400, "InvalidParameter", message, target="agentPoolProfile.name")
    if not pool.get("vmSize") or not pool.get("count"):
        raise ArmError(400, "InvalidParameter", "The agent pool needs vmSize and count.", target="agentPoolProfile")


def cores(pool: Body) -> int:
    """Standard_D4s_v5 has four."""
    found = re.match(r"Standard_[A-Z]+(\d+)", str(pool.get("vmSize")))
    return int(pool.get("count") or 1) * int(found[1] if found else 2)


def _demand_cores(write: Write, wanted: int) -> None:
    """Counts what the clusters here use on top of what the subscription says is used."""
    subscription = write.world.subscriptions[write.id.split("/")[2].lower()]
    used, limit = subscription.usages.get("compute", {}).get("cores", [0, 100])
    if used + wanted > limit:
        raise ArmError(
            400,
            "ErrCode_InsufficientVCPUQuota",
            f"Insufficient regional vcpu quota left for location {write.body.get('location')}. left regional vcpu quota {limit - used}, "
            f"requested quota {wanted}. If you want to increase the quota, please follow this instruction: "
            "https://learn.microsoft.com/en-us/azure/quotas/view-quotas.",
        )


def _demand_key(write: Write, address: str) -> None:
    """The cluster's identity must be able to use the key, or the cluster never comes up."""
    key = next((found for found in write.world.of_type(KEY) if found.properties["keyUriWithVersion"] == address), None)
    if key is None:
        raise ArmError(400, "InvalidParameter", f"The key '{address}' was not found.", target="azureKeyVaultKms.keyId")
    for number in (write.body.get("identity") or {}).get("userAssignedIdentities") or {}:
        identity = next((found for found in write.world.of_type(IDENTITY) if found.id.lower() == number.lower()), None)
        held = rbac.permissions(
            write.world, identity.properties["principalId"] if identity else "", key.id, write.sandbox.knobs.propagation_seconds
        )
        given = [{"actions": entry["dataActions"], "notActions": entry["notDataActions"]} for entry in held]
        if all(rbac.may(given, action) for action in KEY_ACTIONS):
            return
    raise ArmError(
        400,
        "AzureKeyVaultKmsForbidden",
        f"The identity of the cluster has no permission to encrypt and decrypt with the key '{address}'.",
    )


def _make_group(write: Write, name: str) -> None:
    number = f"{'/'.join(write.id.split('/')[:3])}/resourceGroups/{name}"
    body: Body = {"location": write.body["location"], "tags": write.body.get("tags") or {}, "managedBy": write.id}
    body["properties"] = {"provisioningState": "Succeeded"}
    known = write.world.find(number)
    if known is not None and str(known.body.get("managedBy", "")).lower() != write.id.lower():
        raise ArmError(409, "NodeResourceGroupAlreadyExists", f"The node resource group {name} already exists.")
    write.world.put(Resource(number, GROUP, body, write.tenant, write.world.now()))
    write.properties["nodeResourceGroup"] = name


def _after_cluster(world: World, cluster: Resource) -> None:
    for found in list(world.of_type(GROUP)):
        if str(found.body.get("managedBy", "")).lower() == cluster.id.lower():
            world.remove(found.id)


def _complete_pool(write: Write) -> None:
    _check_pool(write.name, write.properties)
    if write.old is None:
        above = write.world.find(write.id.rpartition("/agentPools/")[0])
        standing = sum(cores(pool) for pool in above.properties["agentPoolProfiles"]) if above is not None else 0
        _demand_cores(write, cores(write.properties) + standing)
    write.properties.update({"provisioningState": "Succeeded", "currentOrchestratorVersion": KUBERNETES, "powerState": {"code": "Running"}})


_TAGS = {"*": str}
_POOL = {
    "mode": str, "type": str, "count": int, "vmSize": str, "osType": str, "osSKU": str, "osDiskSizeGB": int, "enableNodePublicIP": bool,
    "vnetSubnetID": str, "availabilityZones": [str], "tags": _TAGS, "nodeLabels": {"*": str}, "nodeTaints": [str],
}  # fmt: skip
KINDS = (
    Kind(
        CLUSTER, VERSIONS,
        {"id": str, "name": str, "type": str, "location": str, "tags": _TAGS, "sku": {"name": str, "tier": str},
         "identity": {"type": str, "userAssignedIdentities": {"*": ANY}}, "properties": {
             "dnsPrefix": str, "kubernetesVersion": str, "nodeResourceGroup": str, "enableRBAC": bool, "disableLocalAccounts": bool,
             "aadProfile": {"managed": bool, "enableAzureRBAC": bool, "adminGroupObjectIDs": [str]},
             "apiServerAccessProfile": {
                 "enablePrivateCluster": bool, "enablePrivateClusterPublicFQDN": bool, "privateDNSZone": str, "disableRunCommand": bool},
             "securityProfile": {"azureKeyVaultKms": {
                 "enabled": bool, "keyId": str, "keyVaultNetworkAccess": str, "keyVaultResourceId": str}},
             "autoUpgradeProfile": {"upgradeChannel": str, "nodeOSUpgradeChannel": str},
             "networkProfile": {
                 "networkPlugin": str, "networkPluginMode": str, "networkDataplane": str, "networkPolicy": str, "loadBalancerSku": str,
                 "outboundType": str, "podCidr": str, "serviceCidr": str, "dnsServiceIP": str},
             "agentPoolProfiles": [{"name": str, **_POOL}],
             "provisioningState": str, "powerState": ANY, "currentKubernetesVersion": str, "privateFQDN": str}},
        complete=_complete_cluster, after_delete=_after_cluster, spelling="resourcegroups",
    ),
    Kind(
        POOL, VERSIONS,
        {"id": str, "name": str, "type": str, "properties": {
            **_POOL, "provisioningState": str, "currentOrchestratorVersion": str, "powerState": ANY}},
        complete=_complete_pool, spelling="resourcegroups", listed=False,
    ),
)  # fmt: skip
