"""The kit's Terraform module: its policies are taken from the CloudFormation template, so the two cannot differ."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from accounts.kits.aws import template

MODULE_PATH = Path(__file__).with_name("terraform")
# Parameter of the template -> variable of the module.
VARIABLES = {
    "ExpectedAccountId": "account_id",
    "ExpectedRegion": "region",
    "AccountRef": "account_ref",
    "Generation": "generation",
    "Suffix": "suffix",
    "IssuerUrl": "issuer_url",
    "Audience": "audience",
    "AllowChanges": "allow_changes",
    "AllowSupport": "allow_support",
}
# A fixed time in the archive: the same files give the same bytes, so the archive has a stable hash.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def generated_files() -> dict[str, str]:
    """What the module takes from the template, by path inside the module: its version and its policies. `manage.py write_kit_module`."""
    return {"VERSION": f"{template.version()}\n"} | _policy_files()


def written_files() -> dict[str, str]:
    """The generated files as they stand in the module."""
    paths = [MODULE_PATH / "VERSION", *sorted((MODULE_PATH / "policies").glob("*"))]
    return {str(path.relative_to(MODULE_PATH)): path.read_text(encoding="utf-8") for path in paths if path.is_file()}


def _policy_files() -> dict[str, str]:
    """The template's documents as Terraform templates."""
    documents: dict[str, object] = {}
    for switch in ("yes", "no"):
        rendered = _placeholders(switch)
        for logical_id in rendered.logical_ids("AWS::IAM::ManagedPolicy"):
            policy = rendered.properties(logical_id)
            documents[policy["ManagedPolicyName"].removeprefix("byoc-${suffix}-")] = policy["PolicyDocument"]
        for logical_id in rendered.logical_ids("AWS::IAM::Role"):
            role = rendered.properties(logical_id)
            name = role["RoleName"].removeprefix("byoc-${suffix}-")
            documents[f"{name}-trust"] = role["AssumeRolePolicyDocument"]
            for policy in role.get("Policies", []):
                suffix = f"-{switch}" if policy["PolicyName"] == "switch" else ""
                documents[f"{name}-{policy['PolicyName']}{suffix}"] = policy["PolicyDocument"]
    return {f"policies/{name}.json.tftpl": json.dumps(document, indent=2) + "\n" for name, document in sorted(documents.items())}


def _placeholders(switch: str) -> template.Rendered:
    """Every value of the template as the Terraform expression that stands for it."""
    parameters = {
        "AccountRef": "${account_ref}",
        "Generation": "${generation}",
        # Split and Select keep what stands before the first dash: the module knows that part as `short`.
        "Suffix": "${suffix}",
        "IssuerUrl": "https://${issuer_path}",
        "Audience": "${audience}",
        "AllowChanges": switch,
        "AllowSupport": switch,
    }
    return _Placeholders(parameters, account_id="${account_id}", region="${region}", stack="byoc-${suffix}-kit", partition="${partition}")


class _Placeholders(template.Rendered):
    def _call(self, name: str, argument: object) -> object:
        if name == "Fn::Select" and argument == [0, {"Fn::Split": ["-", {"Ref": "Suffix"}]}]:
            return "${short}"
        return super()._call(name, argument)


@cache
def archive() -> bytes:
    """The module as a zip, the same bytes every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as module:
        for path in sorted(MODULE_PATH.rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(MODULE_PATH).parts):
                entry = zipfile.ZipInfo(str(path.relative_to(MODULE_PATH)), _EPOCH)
                entry.external_attr = 0o644 << 16
                module.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@cache
def archive_sha256() -> str:
    """SHA-256 of the archive's bytes, 64 hex digits."""
    return hashlib.sha256(archive()).hexdigest()


def snippet(parameters: Mapping[str, str], *, source: str) -> str:
    """HCL that calls the module for one account."""
    given = {VARIABLES[name]: value for name, value in parameters.items()}
    width = max(len(name) for name in given)
    lines = [f'  {name.ljust(width)} = "{value}"' for name, value in given.items()]
    return "\n".join(['module "byoc_kit" {', f'  source = "{source}"', "", *lines, "}"])
