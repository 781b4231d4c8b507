"""What a comparison may show: settings, and never what a machine was told or a key, in whatever form Azure hands it out."""

import base64

import pytest

from accounts.clouds.azure.differences import HIDDEN, drift_of

MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/cell-agent-1"
START = "#cloud-config\nwrite_files:\n- content: once-only-token\n"


def told(*changes):
    """A what-if of one machine: path, what was ordered, what stands."""
    children = [{"path": path, "propertyChangeType": "Modify", "after": after, "before": before} for path, after, before in changes]
    delta = [{"path": "properties", "propertyChangeType": "Modify", "children": children}]
    return {"properties": {"changes": [{"changeType": "Modify", "resourceId": MACHINE, "delta": delta}]}}


def shown(*changes, secrets=(START, "pw")):
    return [(found.path, found.expected, found.found) for found in drift_of(told(*changes), secrets).differences]


@pytest.mark.parametrize(
    "change",
    [
        ("osProfile.customData", base64.b64encode(b"of an earlier order").decode(), None),
        ("osProfile.customData", None, "x"),
        ("osProfile.adminPassword", "Another-Password-1", None),
        ("userData", "x", "y"),
        ("settings.start", base64.b64encode(START.encode()).decode(), None),
        ("settings.start", f"first line\n{START}", None),
        ("settings.start", None, START),
        ("settings.start", {"value": base64.b64encode(START.encode()).decode()}, None),
        ("settings.word", "pw", "x"),
    ],
    ids=repr,
)
def test_azure_difference_of_what_a_machine_is_told_is_left_out(change):
    assert shown(change) == []


@pytest.mark.parametrize(
    ("path", "expected", "found", "as_shown"),
    [
        ("hardwareProfile.vmSize", "Standard_B2als_v2", "Standard_D2s_v5", ("Standard_B2als_v2", "Standard_D2s_v5")),
        ("osProfile.linuxConfiguration.disablePasswordAuthentication", True, False, ("True", "False")),
        ("settings.clientSecret", "a", "b", (HIDDEN, HIDDEN)),
        ("settings.registry.accessKey", "a", None, (HIDDEN, "")),
        ("rules.3", {"name": "x", "password": "swordfish"}, None, (HIDDEN, "")),
        ("settings.script", "x" * 301, "short", (HIDDEN, "short")),
        ("settings.script", "x" * 300, "plain pwords", ("x" * 300, "plain pwords")),
    ],
)
def test_azure_difference_shows_settings_and_hides_secrets_by_name_and_length(path, expected, found, as_shown):
    assert shown((path, expected, found)) == [(f"properties.{path}", *as_shown)]
