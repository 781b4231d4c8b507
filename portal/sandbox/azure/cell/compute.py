"""Machines. One that starts with data of its own is really started: see `machines.py`."""

import base64
import binascii
import re
from uuid import uuid4

from portal.sandbox.azure.arm.call import ANY
from portal.sandbox.azure.arm.kind import Kind, Write
from portal.sandbox.azure.errors import ArmError
from portal.sandbox.azure.world import Resource, World, stamp

MACHINE = "Microsoft.Compute/virtualMachines"
DISK = "Microsoft.Compute/disks"
VERSIONS = ("2023-09-01", "2024-03-01", "2024-07-01", "2024-11-01")
DISK_VERSIONS = ("2023-10-02", "2024-03-02", "2025-01-02")
MOST_DATA = 65536
SHORTEST_PASSWORD, LONGEST_PASSWORD, MOST_SORTS = 12, 72, 3
# What the provider never lets anybody change afterwards.
FIXED = ("customData", "adminPassword", "adminUsername", "computerName")


def _complete_machine(write: Write) -> None:
    props = write.properties
    system = props.get("osProfile") or {}
    if not system.get("adminUsername") or not (props.get("networkProfile") or {}).get("networkInterfaces"):
        raise ArmError(400, "InvalidParameter", "Required parameters 'osProfile.adminUsername' and 'networkProfile' are missing.")
    _demand_way_in(system)
    _demand_unchanged(write, system)
    disk = (props.get("storageProfile") or {}).get("osDisk") or {}
    data = system.pop("customData", "")
    write.keep |= {"user_data": _decoded(data), "fixed": {name: system.get(name) for name in FIXED} | {"customData": data}}
    system.pop("adminPassword", None)
    props |= {
        "provisioningState": "Succeeded",
        "vmId": write.old.properties["vmId"] if write.old is not None else str(uuid4()),
        "timeCreated": write.old.properties["timeCreated"] if write.old is not None else stamp(write.world.now()),
    }
    if write.old is None:
        _make_disk(write, disk)


def _demand_way_in(system: dict[str, object]) -> None:
    """A machine made of an image has a key or a password, and the password is a good one."""
    linux = system.get("linuxConfiguration")
    is_closed = isinstance(linux, dict) and linux.get("disablePasswordAuthentication")
    password = str(system.get("adminPassword") or "")
    if is_closed:
        if not (isinstance(linux, dict) and (linux.get("ssh") or {}).get("publicKeys")):
            message = "Authentication using either SSH or by user name and password must be enabled in Linux profile."
            raise ArmError(400, "InvalidParameter", message)
        return
    sorts = sum(bool(re.search(pattern, password)) for pattern in ("[a-z]", "[A-Z]", "[0-9]", r"[\W_]"))
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or sorts < MOST_SORTS:
        message = (
            "The supplied password must be between 6-72 characters long and must satisfy at least 3 of password complexity requirements "
            "from the following: Contains an uppercase character, a lowercase character, a numeric digit, a special character."
        )
        raise ArmError(400, "InvalidParameter", message, target="adminPassword")


def _demand_unchanged(write: Write, system: dict[str, object]) -> None:
    for name, value in write.kept.get("fixed", {}).items():
        if system.get(name) != value:
            raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property 'osProfile.{name}' is not allowed.", target=name)


def _decoded(data: str) -> str:
    try:
        text = base64.b64decode(data, validate=True)
    except binascii.Error as problem:
        message = "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters."
        raise ArmError(400, "InvalidParameter", message, target="customData") from problem
    if len(text) > MOST_DATA:
        raise ArmError(400, "InvalidParameter", "Custom data in OSProfile is too long.", target="customData")
    return text.decode("utf-8", "replace")


def _make_disk(write: Write, disk: dict[str, object]) -> None:
    """The disk of a machine is a resource of its own, with the machine's tags."""
    number = f"{write.scope}/providers/{DISK}/{disk.get('name') or f'{write.name}_OsDisk_1'}"
    body = {"location": write.body.get("location"), "tags": write.body.get("tags") or {}, "managedBy": write.id, "properties": {}}
    body["properties"] = {"diskState": "Attached", "osType": "Linux", "provisioningState": "Succeeded", "diskSizeGB": 30}
    write.world.put(Resource(number, DISK, body, write.tenant, write.world.now()))


def _after_machine(world: World, machine: Resource) -> None:
    disk = (machine.properties.get("storageProfile") or {}).get("osDisk") or {}
    for found in list(world.of_type(DISK)):
        if str(found.body.get("managedBy", "")).lower() == machine.id.lower():
            if disk.get("deleteOption") == "Delete":
                world.remove(found.id)
            else:
                found.body["managedBy"] = ""
                found.properties["diskState"] = "Unattached"


def _before_disk(_world: World, disk: Resource) -> None:
    if disk.body.get("managedBy"):
        raise ArmError(409, "OperationNotAllowed", f"Disk {disk.name} is attached to VM {disk.body['managedBy']}.")


_TAGS = {"*": str}
KINDS = (
    Kind(
        MACHINE, VERSIONS,
        {"id": str, "name": str, "type": str, "location": str, "tags": _TAGS, "zones": [str],
         "identity": {"type": str, "userAssignedIdentities": {"*": ANY}}, "properties": {
             "hardwareProfile": {"vmSize": str},
             "storageProfile": {
                 "imageReference": {"publisher": str, "offer": str, "sku": str, "version": str},
                 "osDisk": {"name": str, "createOption": str, "deleteOption": str, "managedDisk": {"storageAccountType": str}}},
             "osProfile": {
                 "computerName": str, "adminUsername": str, "adminPassword": str, "customData": str, "allowExtensionOperations": bool,
                 "linuxConfiguration": {
                     "disablePasswordAuthentication": bool, "provisionVMAgent": bool,
                     "ssh": {"publicKeys": [{"path": str, "keyData": str}]}}},
             "securityProfile": {
                 "securityType": str, "encryptionAtHost": bool, "uefiSettings": {"secureBootEnabled": bool, "vTpmEnabled": bool}},
             "networkProfile": {"networkInterfaces": [{"id": str, "properties": {"primary": bool, "deleteOption": str}}]},
             "vmId": str, "timeCreated": str, "provisioningState": str}},
        complete=_complete_machine, after_delete=_after_machine, also=(f"{DISK}/write",),
        secret=frozenset({"customdata", "adminpassword"}),
    ),
    Kind(
        DISK, DISK_VERSIONS,
        {"id": str, "name": str, "type": str, "location": str, "tags": _TAGS, "managedBy": str, "properties": ANY},
        before_delete=_before_disk,
    ),
)  # fmt: skip
