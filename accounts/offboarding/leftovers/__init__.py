"""The read-only look for what is left, which the customer runs: one script for every cloud, and the command with an account's own words."""

import hashlib
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from accounts import kits
from accounts.kit_links import publication
from accounts.mail import absolute_url
from accounts.models import CloudAccount
from accounts.offboarding.parts import parts
from accounts.targets import target_of

SCRIPT = Path(__file__).with_name("byoc-leftovers.sh")
# More would not fit into what one pastes; what is beyond them is listed as left, never hidden.
MOST_KEPT = 30


@dataclass(frozen=True)
class Look:
    """How an account's customer looks: the command, where it is run, the script that it fetches."""

    command: str
    shell: str
    url: str
    sha256: str


@cache
def script() -> str:
    return SCRIPT.read_text(encoding="utf-8")


def sha256() -> str:
    return hashlib.sha256(script().encode()).hexdigest()


def look_of(account: CloudAccount) -> Look | None:
    """None for an account of which no kit was ever issued: nothing of ours can be there."""
    kit = account.kits.order_by("-generation").first()
    if kit is None or not account.external_id:
        return None
    url = absolute_url("offboarding:leftovers_script")
    options = {
        "cloud": account.cloud,
        "account": str(account.pk),
        "place": account.external_id,
        "regions": ",".join(regions_of(account)),
        "kept": ",".join(_kept(account)),
    }
    words = [f"--{name} {shlex.quote(value)}" for name, value in options.items() if value]
    lines = [f"curl -fsSLo {SCRIPT.name} '{url}'", f"echo '{sha256()}  {SCRIPT.name}' | sha256sum --check"]
    command = " && \\\n  ".join([*lines, " \\\n    ".join([f"bash {SCRIPT.name}", *words])])
    shell = kits.load(account.cloud).shell_link(target_of(account, kit), publication(account.cloud))
    return Look(command, shell, url, sha256())


def regions_of(account: CloudAccount) -> list[str]:
    """Every region that was ever used: of a kit, of a cell, of a resource that was seen."""
    used = {region for part in parts() for region in part.regions(account)}
    used |= {*account.kits.regions(), account.home_region}
    return sorted(used - {""})


def _kept(account: CloudAccount) -> list[str]:
    kept = [_whole(one.kind, one.made) for part in parts() for one in part.remainder(account) if one.outcome == "kept" and one.made]
    return [made for made in kept if "," not in made][:MOST_KEPT]


def _whole(kind: str, made: str) -> str:
    """A short id of AWS with its kind, as the script reads it in an ARN: two kinds may have things of one name."""
    known = re.fullmatch(r"AWS::(\w+?)(?:V2)?::(\w+)", kind)
    return made if known is None or made.startswith("arn:") else f"{known[1]}:{known[2]}/".lower() + made
