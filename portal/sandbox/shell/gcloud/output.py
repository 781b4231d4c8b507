"""--format, as far as kits use it: value(..), json, yaml, none."""

import json
import re
import sys
from typing import Any

from portal.sandbox.shell.gcloud.words import Words


def show(result: Any, words: Words) -> None:
    shape = words.get("format", words.entry.shape)
    if shape in {"none", "disable"}:
        return
    if shape == "json":
        sys.stdout.write(json.dumps(result, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    elif shape == "yaml":
        sys.stdout.write(_yaml(result, "") + "\n")
    elif found := re.fullmatch(r"(?:value|get)\(([\w.,\s]+)\)", shape):
        rows = result if isinstance(result, list) else [result]
        for row in rows:
            sys.stdout.write("\t".join(_value(row, name.strip()) for name in found.group(1).split(",")) + "\n")
    else:
        words.session.unplayed("gcloud", f"--format={shape}")


def _value(row: Any, path: str) -> str:
    for step in path.split("."):
        row = row.get(step) if isinstance(row, dict) else None
    if row is None:
        return ""
    if isinstance(row, dict):
        return ";".join(f"{name}={value}" for name, value in sorted(row.items()))
    if isinstance(row, list):
        return ";".join(str(entry) for entry in row)
    return str(row)


def _yaml(value: Any, indent: str) -> str:
    if isinstance(value, dict):
        return "\n".join(_entry(f"{indent}{name}:", value[name], indent) for name in sorted(value))
    return "\n".join(f"{indent}- {_yaml(entry, indent + '  ').strip()}" for entry in value) if isinstance(value, list) else _scalar(value)


def _entry(head: str, value: Any, indent: str) -> str:
    if isinstance(value, dict) and value:
        return f"{head}\n{_yaml(value, indent + '  ')}"
    if isinstance(value, list) and value:
        return f"{head}\n{_yaml(value, indent)}"
    return f"{head} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if isinstance(value, str) and (text.isdigit() or re.search(r"[:#'\"{}\[\],&*!|>%@`]\s|^[-?:,\[\]{}#&*!|>'\"%@`]|^$", text)):
        return "'" + text.replace("'", "''") + "'"
    return text
