"""The kit's CloudFormation template as text and as data, and what it becomes for one account. No Django, no SDK."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

TEMPLATE_PATH = Path(__file__).with_name("template.yaml")
HISTORY_PATH = Path(__file__).with_name("history")


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short functions (`!Sub`, `!Ref`), which become their long form. The parser in C: each process reads
    the template once, and the one in Python takes a quarter of a second for it.
    """


def _function(loader: yaml.CSafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if tag == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {name: value}


_Loader.add_multi_constructor("!", _function)


@cache
def text(version: str = "") -> str:
    """The template that is shipped now, or that of an earlier version. Raises FileNotFoundError for one that nobody kept."""
    path = HISTORY_PATH / f"{version}.kit.yaml" if version else TEMPLATE_PATH
    return path.read_text(encoding="utf-8")


@cache
def sha256() -> str:
    """SHA-256 of the template's bytes, 64 hex digits."""
    return hashlib.sha256(TEMPLATE_PATH.read_bytes()).hexdigest()


@cache
def parsed(version: str = "") -> dict[str, Any]:
    """The template with every function in its long form. Shared: do not change it."""
    return yaml.load(text(version), Loader=_Loader)  # type: ignore[no-any-return]  # noqa: S506 - a SafeLoader subclass, our own file


@cache
def version() -> str:
    return str(parsed()["Mappings"]["Kit"]["This"]["Version"])


class Rendered:
    """The template, or a `document` cut out of it, with one account's parameters put in: what CloudFormation hands to IAM."""

    def __init__(
        self,
        parameters: Mapping[str, str],
        *,
        account_id: str,
        region: str,
        stack: str,
        partition: str = "aws",
        version: str = "",
        document: Mapping[str, Any] | None = None,
    ) -> None:
        template = document or parsed(version)
        defaults = {name: str(spec["Default"]) for name, spec in template["Parameters"].items() if "Default" in spec}
        self._values: dict[str, str] = {
            **defaults,
            **parameters,
            "AWS::AccountId": account_id,
            "AWS::Region": region,
            "AWS::Partition": partition,
            "AWS::StackName": stack,
        }
        self._template = template
        self._arn = f"arn:{partition}:iam::{account_id}"

    def properties(self, logical_id: str) -> dict[str, Any]:
        """Properties of one resource, policies given as text parsed to data."""
        properties: dict[str, Any] = self._resolve(self._template["Resources"][logical_id]["Properties"])
        trust = properties.get("AssumeRolePolicyDocument")
        if isinstance(trust, str):
            properties["AssumeRolePolicyDocument"] = json.loads(trust)
        return properties

    def has(self, logical_id: str) -> bool:
        return logical_id in self._template["Resources"]

    def logical_ids(self, resource_type: str) -> list[str]:
        return [name for name, spec in self._template["Resources"].items() if spec["Type"] == resource_type]

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        return {key: self._resolve(item) for key, item in value.items()}

    def _call(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return self._reference(argument)
            case "Fn::Sub":
                pattern, extra = (argument, {}) if isinstance(argument, str) else argument
                return self._substitute(pattern, {key: self._resolve(item) for key, item in extra.items()})
            case "Fn::Split":
                return str(self._resolve(argument[1])).split(argument[0])
            case "Fn::Select":
                return self._resolve(argument[1])[int(argument[0])]
            case "Fn::FindInMap":
                table, row, column = argument
                return self._template["Mappings"][table][row][column]
            case "Fn::If":
                condition, yes, no = argument
                return self._resolve(yes if self._holds(condition) else no)
        raise ValueError(f"the template uses {name}, which this reader does not know")

    def _holds(self, condition: str) -> bool:
        left, right = self._template["Conditions"][condition]["Fn::Equals"]
        return bool(self._resolve(left) == self._resolve(right))

    def _substitute(self, pattern: str, extra: Mapping[str, str]) -> str:
        parts = pattern.split("${")
        done = parts[0]
        for part in parts[1:]:
            name, rest = part.split("}", 1)
            done += (extra[name] if name in extra else self._reference(name)) + rest
        return done

    def _reference(self, name: str) -> str:
        if name in self._values:
            return self._values[name]
        resource = self._template["Resources"][name]
        properties = resource["Properties"]
        match resource["Type"]:
            case "AWS::IAM::OIDCProvider":
                return f"{self._arn}:oidc-provider/{str(self._resolve(properties['Url'])).removeprefix('https://')}"
            case "AWS::IAM::Role":
                return str(self._resolve(properties["RoleName"]))
            case "AWS::IAM::ManagedPolicy":
                return f"{self._arn}:policy/{self._resolve(properties['ManagedPolicyName'])}"
        raise ValueError(f"the template refers to {name}, which this reader does not know")
