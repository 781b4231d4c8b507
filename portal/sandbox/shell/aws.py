"""`aws`, as far as the pages of the portal use it: it asks the local AWS as the account's root, and prints as the real one prints.

Only what lists is played, but for the removal of the kit's stack. A word that it does not know ends it and leaves a note.
"""

import json
import sys
from typing import Any

import boto3  # noqa: TID251 - a program of its own, and the real one is made of the same library
import jmespath
from botocore.config import Config  # noqa: TID251
from botocore.exceptions import BotoCoreError, ClientError  # noqa: TID251

from portal.sandbox.shell.session import Session

# Each command: the method of the SDK's client, and how its options are sent.
COMMANDS: dict[tuple[str, str], tuple[str, dict[str, str]]] = {
    ("sts", "get-caller-identity"): ("get_caller_identity", {}),
    ("resourcegroupstaggingapi", "get-resources"): ("get_resources", {"--tag-filters": "TagFilters"}),
    ("cloudformation", "describe-stacks"): ("describe_stacks", {"--stack-name": "StackName"}),
    ("cloudformation", "delete-stack"): ("delete_stack", {"--stack-name": "StackName"}),
    ("ec2", "describe-instances"): ("describe_instances", {"--filters": "Filters"}),
    ("ec2", "describe-nat-gateways"): ("describe_nat_gateways", {"--filter": "Filter"}),
    ("ec2", "describe-vpcs"): ("describe_vpcs", {"--filters": "Filters"}),
    ("ec2", "describe-subnets"): ("describe_subnets", {"--filters": "Filters"}),
    ("ec2", "describe-security-groups"): ("describe_security_groups", {"--filters": "Filters"}),
    ("ec2", "describe-volumes"): ("describe_volumes", {"--filters": "Filters"}),
    ("ec2", "describe-addresses"): ("describe_addresses", {"--filters": "Filters"}),
    ("ec2", "describe-internet-gateways"): ("describe_internet_gateways", {"--filters": "Filters"}),
    ("ec2", "describe-network-interfaces"): ("describe_network_interfaces", {"--filters": "Filters"}),
    ("ec2", "describe-route-tables"): ("describe_route_tables", {"--filters": "Filters"}),
    ("ec2", "describe-launch-templates"): ("describe_launch_templates", {}),
    ("eks", "describe-cluster"): ("describe_cluster", {"--name": "name"}),
    ("kms", "describe-key"): ("describe_key", {"--key-id": "KeyId"}),
    ("iam", "list-roles"): ("list_roles", {}),
    ("iam", "list-policies"): ("list_policies", {"--scope": "Scope"}),
    ("iam", "list-open-id-connect-providers"): ("list_open_id_connect_providers", {}),
}
FOR_ALL = {"--region", "--query", "--output"}
SHORTHAND = {"--tag-filters", "--filters", "--filter"}
REFUSED, WRONG_WORDS = 254, 252


def main(arguments: list[str], session: Session) -> int:
    name = tuple(arguments[:2])
    if len(name) < 2 or name not in COMMANDS:  # noqa: PLR2004 - a service and what it does
        session.unplayed("aws", " ".join(arguments[:2]))
    method, options = COMMANDS[name[0], name[1]]
    given = _options(arguments[2:], options, session)
    sent = {field: _shorthand(given[word]) if word in SHORTHAND else given[word] for word, field in options.items() if word in given}
    try:
        found = _ask(_client(name[0], given, session), method, sent)
    except (ClientError, BotoCoreError) as problem:
        sys.stderr.write(f"\n{problem}\n")
        return REFUSED
    if "--query" in given:
        try:
            found = jmespath.search(given["--query"], found)
        except jmespath.exceptions.JMESPathError as problem:
            sys.stderr.write(f"Bad value for --query {given['--query']}: {problem}\n")
            return WRONG_WORDS
    _show(found, given.get("--output", "json"), session)
    return 0


def _client(service: str, given: dict[str, str], session: Session) -> Any:
    """Signed by the account's number: the local AWS takes it for the account's root."""
    keys = {"aws_access_key_id": session.project, "aws_secret_access_key": "played"}
    region, once = given.get("--region", "us-east-1"), Config(retries={"max_attempts": 1})
    client: Any = boto3.client  # one of hundreds of services, by its name
    return client(service, region_name=region, endpoint_url=session.aws, config=once, **keys)


def _ask(client: Any, method: str, sent: dict[str, Any]) -> dict[str, Any]:
    """With all its pages."""
    if client.can_paginate(method):
        return dict(client.get_paginator(method).paginate(**sent).build_full_result())
    return {name: value for name, value in getattr(client, method)(**sent).items() if name != "ResponseMetadata"}


def _options(words: list[str], known: dict[str, str], session: Session) -> dict[str, str]:
    given, left = {}, list(words)
    while left:
        word = left.pop(0)
        if (word not in known and word not in FOR_ALL) or not left:
            session.unplayed("aws", word)
        given[word] = left.pop(0)
    return given


def _shorthand(text: str) -> list[dict[str, Any]]:
    """`Key=a,Values=b` as a list of one, as the real one reads it."""
    pairs = dict(part.split("=", 1) for part in text.split(","))
    return [{name: [value] if name == "Values" else value for name, value in pairs.items()}]


def _show(found: Any, output: str, session: Session) -> None:
    if output == "json":
        sys.stdout.write(json.dumps(found, indent=4, default=str) + "\n" if found else "")
    elif output == "text":
        rows = found if isinstance(found, list) else [found]
        lines = ["\t".join("None" if one is None else str(one) for one in (row if isinstance(row, list) else [row])) for row in rows]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    else:
        session.unplayed("aws", f"--output {output}")
