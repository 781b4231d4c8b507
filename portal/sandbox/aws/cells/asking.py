"""How the table of rights is written: one question to IAM, and what names and tags it asks by."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Ask:
    action: str
    resource: str = "*"
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What CloudFormation is about to do. `made` is the physical id, empty while there is none; `old` are the former properties."""

    verb: str  # create | update | delete
    props: Properties
    made: str = ""
    old: Properties = field(default_factory=dict)


Asker = Callable[[Work], Iterator[Ask]]


def arn(kind: str, made: str = "*") -> str:
    return f"arn:aws:ec2:{get_region()}:{get_account_id()}:{kind}/{made or '*'}"


def eks(path: str) -> str:
    return f"arn:aws:eks:{get_region()}:{get_account_id()}:{path}"


def tag_map(tags: Any) -> dict[str, str]:
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {tag["Key"]: str(tag["Value"]) for tag in tags or []}


def requested(tags: Mapping[str, str]) -> dict[str, Any]:
    """Tags in the request. CloudFormation's own start with aws: and take no permission."""
    given = {key: value for key, value in tags.items() if not key.startswith("aws:")}
    return {f"aws:RequestTag/{key}": value for key, value in given.items()} | {"aws:TagKeys": sorted(given)}


def standing(made: str) -> dict[str, Any]:
    """Tags of what is there."""
    return {f"aws:ResourceTag/{key}": value for key, value in tag_map(ec2._tags.get(made)).items()}


def making(call: str, kind: str, tags: Mapping[str, str], **more: Any) -> Iterator[Ask]:
    """EC2 asks for the new resource, and for its tags apart."""
    yield Ask(f"ec2:{call}", arn(kind), requested(tags) | more)
    yield Ask("ec2:CreateTags", arn(kind), requested(tags) | {"ec2:CreateAction": call})


def on(call: str, kind: str, made: str) -> Ask:
    return Ask(f"ec2:{call}", arn(kind, made), standing(made))


def retagging(kind: str, work: Work, name: str = "Tags") -> Iterator[Ask]:
    was, now = tag_map(work.old.get(name)), tag_map(work.props.get(name))
    changed = {key: value for key, value in now.items() if was.get(key) != value}
    if changed:
        yield Ask("ec2:CreateTags", arn(kind, work.made), standing(work.made) | requested(changed))
    if gone := sorted(set(was) - set(now)):
        yield Ask("ec2:DeleteTags", arn(kind, work.made), standing(work.made) | {"aws:TagKeys": gone})


def passing(role: str, service: str) -> Ask:
    return Ask("iam:PassRole", role, {"iam:PassedToService": service})
