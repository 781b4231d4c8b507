"""The kit's Terraform module: its roles, services and limits are taken from the script, so the two cannot differ."""

import hashlib
import io
import json
import zipfile
from functools import cache
from pathlib import Path

from accounts.clouds.base import Target
from accounts.kits.gcp import script

MODULE_PATH = Path(__file__).with_name("terraform")
FOLDER = "byoc-gcp-kit"
# A fixed time in the archive: the same files give the same bytes, so the archive has a stable hash.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def generated_files() -> dict[str, str]:
    """What the module takes from the script, by path inside the module. `manage.py write_kit_module`."""
    names = {
        "prefix": "prefix",
        "number": "project_number",
        "region": "region",
        "project": "project_id",
        "role": "role",
        "suffix": "suffix",
    }
    values = {name: f"${{{variable}}}" for name, variable in names.items()}
    limits = {name: text.format(**values) for name, text in script.conditions().items()}
    return {
        "VERSION": f"{script.version()}\n",
        "roles.json": _json({name: list(permissions) for name, permissions in script.permissions().items()}),
        "titles.json": _json({name: title.format(suffix="${suffix}") for name, title in script.titles().items()}),
        "services.json": _json(list(script.services())),
        "limits.json": _json({name.removeprefix("OWN_").lower(): text for name, text in limits.items()}),
        "views.json": _json(script.views()),
    }


def written_files() -> dict[str, str]:
    """The generated files as they stand in the module."""
    paths = [MODULE_PATH / name for name in generated_files()]
    return {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


@cache
def archive() -> bytes:
    """The module as a zip, the same bytes every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as module:
        for path in sorted(MODULE_PATH.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                entry = zipfile.ZipInfo(path.name, _EPOCH)
                entry.external_attr = 0o644 << 16
                module.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@cache
def archive_sha256() -> str:
    """SHA-256 of the archive's bytes, 64 hex digits."""
    return hashlib.sha256(archive()).hexdigest()


def fetch(url: str) -> str:
    """Unpacks the module only if it is the reviewed one: Terraform itself compares no hash. Without an address the file must be there."""
    lines = [f"curl -fsSLo terraform.zip '{url}' &&"] if url else []
    lines.append(f"echo '{archive_sha256()}  terraform.zip' | sha256sum --check &&")
    lines.append(f"unzip -o terraform.zip -d {FOLDER}")
    return " \\\n  ".join(lines)


def snippet(target: Target) -> str:
    """HCL that calls the unpacked module for one project."""
    given = {
        "project_id": target.external_id,
        "project_number": target.identity["project_number"],
        "account_ref": target.account,
        "generation": str(target.generation),
        "suffix": target.suffix,
        "issuer_url": target.issuer,
        "region": target.region,
    }
    switches = {"allow_changes": "yes", "allow_support": "yes"}
    width = max(len(name) for name in given | switches)
    lines, own = ([f'  {name.ljust(width)} = "{value}"' for name, value in values.items()] for values in (given, switches))
    note = "  # Yours: Terraform sets what stands here. Keep your own values when you paste a newer one of these."
    return "\n".join(['module "byoc_kit" {', f'  source = "./{FOLDER}"', "", *lines, "", note, *own, "}"])
