"""Networks: what a cell's machines stand in, and how they get out."""

import secrets
from uuid import uuid4

from portal.sandbox.azure.arm.call import ANY
from portal.sandbox.azure.arm.kind import Kind, Write
from portal.sandbox.azure.errors import ArmError

NETWORK = "Microsoft.Network/virtualNetworks"
SUBNET = f"{NETWORK}/subnets"
RULES = "Microsoft.Network/networkSecurityGroups"
EGRESS = "Microsoft.Network/natGateways"
ADDRESS = "Microsoft.Network/publicIPAddresses"
CARD = "Microsoft.Network/networkInterfaces"
NETWORK_VERSIONS = ("2022-07-01", "2023-09-01", "2024-01-01", "2024-05-01", "2024-07-01", "2025-01-01", "2025-03-01")

_TAGS = {"*": str}
_RESOURCE = {"id": str, "name": str, "type": str, "location": str, "tags": _TAGS, "etag": str}
_LINK = {"id": str}
_READ_ONLY = {"provisioningState": str, "resourceGuid": str}
_SUBNET = {
    "id": str, "name": str, "type": str, "etag": str, "properties": {
        "addressPrefix": str, "addressPrefixes": [str], "delegations": ANY, "defaultOutboundAccess": bool,
        "networkSecurityGroup": _LINK, "natGateway": _LINK, "privateEndpointNetworkPolicies": str, **_READ_ONLY},
}  # fmt: skip
_RULE = {
    "id": str, "name": str, "type": str, "etag": str, "properties": {
        "description": str, "priority": int, "direction": str, "access": str, "protocol": str, "sourceAddressPrefix": str,
        "sourcePortRange": str, "destinationAddressPrefix": str, "destinationPortRange": str, "sourceAddressPrefixes": [str],
        "destinationPortRanges": [str], **_READ_ONLY},
}  # fmt: skip
_SKU = {"name": str, "tier": str}
MOST_PRIORITY, LEAST_PRIORITY = 100, 4096


def _settle(write: Write, **more: object) -> None:
    """What the network provider adds to everything."""
    if not write.body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    old = write.old.properties if write.old is not None else {}
    write.properties.update({"provisioningState": "Succeeded", "resourceGuid": old.get("resourceGuid") or str(uuid4()), **more})
    write.body["etag"] = f'W/"{secrets.token_hex(16)}"'


def _complete_network(write: Write) -> None:
    if not (write.properties.get("addressSpace") or {}).get("addressPrefixes"):
        raise ArmError(400, "InvalidRequestFormat", "Cannot parse the request.")
    subnets = write.properties.get("subnets") or []
    for subnet in subnets:
        subnet |= {"id": f"{write.id}/subnets/{subnet['name']}", "type": SUBNET}
        subnet.setdefault("properties", {})["provisioningState"] = "Succeeded"
    _settle(write, subnets=subnets)


def _complete_rules(write: Write) -> None:
    rules = write.properties.get("securityRules") or []
    taken: set[tuple[str, int]] = set()
    for rule in rules:
        props = rule.get("properties") or {}
        place = (str(props.get("direction")), int(props.get("priority") or 0))
        if not MOST_PRIORITY <= place[1] <= LEAST_PRIORITY:
            raise ArmError(400, "SecurityRuleInvalidPriority", f"Security rule {rule['name']} has invalid Priority '{place[1]}'.")
        if place in taken:
            raise ArmError(400, "SecurityRuleConflict", f"Security rule {rule['name']} conflicts: same Priority and Direction.")
        taken.add(place)
        rule |= {"id": f"{write.id}/securityRules/{rule['name']}", "type": f"{RULES}/securityRules"}
        props["provisioningState"] = "Succeeded"
    _settle(write, securityRules=rules)


def _complete_address(write: Write) -> None:
    if write.properties.get("publicIPAllocationMethod") != "Static" and (write.body.get("sku") or {}).get("name") == "Standard":
        raise ArmError(400, "StandardPublicIPAddressMustBeStatic", "A public address of sku Standard must be allocated statically.")
    old = write.old.properties if write.old is not None else {}
    _settle(write, ipAddress=old.get("ipAddress") or f"20.{secrets.randbelow(200)}.{secrets.randbelow(250)}.{secrets.randbelow(250)}")


def _complete_egress(write: Write) -> None:
    _settle(write)


def _complete_card(write: Write) -> None:
    entries = write.properties.get("ipConfigurations") or []
    if not entries or not all(((entry.get("properties") or {}).get("subnet") or {}).get("id") for entry in entries):
        raise ArmError(400, "NetworkInterfaceMustHaveSubnet", f"Network interface {write.name} needs an address in a subnet.")
    for entry in entries:
        entry["properties"] |= {"provisioningState": "Succeeded", "privateIPAddress": "10.64.128.4"}
        entry["id"] = f"{write.id}/ipConfigurations/{entry['name']}"
    _settle(write)


KINDS = (
    Kind(
        NETWORK, NETWORK_VERSIONS,
        {**_RESOURCE, "properties": {
            "addressSpace": {"addressPrefixes": [str]}, "enableDdosProtection": bool, "subnets": [_SUBNET], "virtualNetworkPeerings": ANY,
            **_READ_ONLY}},
        complete=_complete_network,
    ),
    Kind(RULES, NETWORK_VERSIONS, {**_RESOURCE, "properties": {"securityRules": [_RULE], **_READ_ONLY}}, complete=_complete_rules),
    Kind(
        ADDRESS, NETWORK_VERSIONS,
        {**_RESOURCE, "sku": _SKU, "zones": [str], "properties": {
            "publicIPAllocationMethod": str, "publicIPAddressVersion": str, "idleTimeoutInMinutes": int, "ipAddress": str, **_READ_ONLY}},
        complete=_complete_address,
    ),
    Kind(
        EGRESS, NETWORK_VERSIONS,
        {**_RESOURCE, "sku": _SKU, "zones": [str], "properties": {"idleTimeoutInMinutes": int, "publicIpAddresses": [_LINK], **_READ_ONLY}},
        complete=_complete_egress,
    ),
    Kind(
        CARD, NETWORK_VERSIONS,
        {**_RESOURCE, "properties": {
            "ipConfigurations": [{"id": str, "name": str, "properties": {
                "primary": bool, "privateIPAllocationMethod": str, "privateIPAddress": str, "subnet": _LINK, "publicIPAddress": _LINK,
                "provisioningState": str}}],
            "networkSecurityGroup": _LINK, **_READ_ONLY}},
        complete=_complete_card,
    ),
)  # fmt: skip
