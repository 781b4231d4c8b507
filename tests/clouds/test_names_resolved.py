"""No adapter asks for any name but this machine's: each does all it can, in a process of its own in which every other name fails.

Libraries of clouds like to look around by themselves: metadata servers of machines, regional boundaries (google-auth), lists of clouds
(azure-identity), endpoints by region (boto3). A process of its own, as some look in threads and swallow what they get.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.clouds.stands import STANDS
from tests.clouds.test_contract import NEEDS

ROOT = Path(__file__).resolve().parents[2]
# What would lead a library to the network by itself, were it there.
SWITCHES = ("AWS_EC2_METADATA_DISABLED", "NO_GCE_CHECK", "GOOGLE_CLOUD_PROJECT")
PROGRAM = """
import ipaddress, json, os, socket, sys, threading

asked, resolve, connect = [], socket.getaddrinfo, socket.socket.connect

def is_here(host):
    name = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"

def watch(host, *more, **given):
    if not is_here(host):
        asked.append(str(host))
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is not this machine")
    return resolve(host, *more, **given)

def watch_connect(self, address):
    if self.family != socket.AF_UNIX and not is_here(address[0]):
        asked.append(str(address))
        raise OSError(f"{address} is not this machine")
    return connect(self, address)

socket.getaddrinfo, socket.socket.connect = watch, watch_connect
order = json.load(sys.stdin)

from accounts import kits
from accounts.clouds import open_account
from accounts.clouds.base import Needs, Target

target = Target(**order["target"])
kit = kits.load(order["cloud"])
tokens = lambda *, subject, audience, claims=None: order["tokens"][f"{subject} {audience} {bool(claims)}"]
adapter = open_account(order["cloud"], target, tokens, kit.shipped(target))
adapter.probe_trust()
adapter.describe_kit()
adapter.check_trust_unedited()
assert all(result.is_granted for result in adapter.check_permissions(kit.probes(target)))
assert all(result.is_refused for result in adapter.check_refusals())
adapter.check_environment(target.region, Needs(**{**order["needs"], "standing": ()}))
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(5)
print(json.dumps(asked))
"""


@pytest.mark.parametrize("cloud_name", sorted(STANDS))
def test_adapter_resolves_no_name_but_this_machines(cloud_name, cloud, sandbox, issuer, monkeypatch):
    make, addresses = STANDS[cloud_name]
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    stand = make(cloud, sandbox, issuer)
    stand.run_kit()

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps({"cloud": cloud_name, "target": asdict(stand.target), "tokens": minted(stand), "needs": asdict(NEEDS)}),
        env={name: value for name, value in os.environ.items() if name not in SWITCHES},
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == []


def minted(stand) -> dict[str, str]:
    """Every token that the adapter asks for, made here, where the issuer's key is; they live long enough for one more run."""
    mint, found = stand.tokens(stand.target), {}

    def note(*, subject: str, audience: str, claims: Mapping[str, object] | None = None) -> str:
        found[f"{subject} {audience} {bool(claims)}"] = token = mint(subject=subject, audience=audience, claims=claims)
        return token

    stand.tokens = lambda _target: note
    adapter = stand.adapter()
    adapter.probe_trust()
    adapter.check_permissions(stand.kit.probes(stand.target))
    adapter.check_refusals()
    return found
