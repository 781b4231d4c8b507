"""What is around a cell in an account, as EC2 tells it: regions, zones, sizes, gateways, default encryption, dry runs.

ministack knows one place that is always open; the knob `places` closes regions and zones, attaches networks and encrypts disks.
"""

import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_actions
from ministack.core.responses import get_account_id
from ministack.services import ec2

from portal.sandbox.aws.patches import add_entry, replace_entry, replace_function
from portal.sandbox.sandbox import Sandbox

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[Params], Answer]
# vCPUs by size: half as many cores, two threads each. Sizes that are not here have one core.
SIZES = {"large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32}
AWS_KEY = "alias/aws/ebs"


def install(sandbox: Sandbox) -> None:
    """Puts the patches in place. Call once, before the first request."""
    actions = ec2._ACTION_MAP

    def place(name: str) -> Any:
        return sandbox.knobs.places.get(get_account_id(), {}).get(name)

    replace_entry(
        ec2, actions, "DescribeRegions", lambda original: _closing_regions(original, place), why="an account's regions can be off"
    )
    replace_entry(ec2, actions, "DescribeAvailabilityZones", lambda original: _closing_zones(original, place), why="zones can be few")
    replace_entry(ec2, actions, "CreateVpc", _trying, why="a dry run creates nothing")
    tagged = "EC2 takes the tags of what it makes as specifications"
    replace_function(iam_actions, "_TAG_MEMBERS", lambda original: original | {"TagSpecifications"}, why=tagged)
    replace_function(ec2, "_instance_xml", _sized, why="EC2 tells the vCPUs of an instance")
    attachments, encrypted, key = (lambda _p: _attachments(place)), (lambda _p: _encrypted(place)), (lambda _p: _key(place))
    for name, handler in {
        "DescribeTransitGatewayVpcAttachments": attachments,
        "GetEbsEncryptionByDefault": encrypted,
        "GetEbsDefaultKmsKeyId": key,
    }.items():
        add_entry(ec2, actions, name, handler, why="ministack has no such action")


def _closing_regions(original: Handler, place: Callable[[str], Any]) -> Handler:
    def describe(params: Params) -> Answer:
        status, headers, body = original(params)
        is_all = ec2._p(params, "AllRegions").lower() == "true"
        for region in place("closed_regions") or ():
            item = re.compile(rf"<item><regionName>{re.escape(region)}</regionName>.*?</item>".encode(), re.DOTALL)
            shut = rf"<item><regionName>{region}</regionName><optInStatus>not-opted-in</optInStatus></item>" if is_all else ""
            body = item.sub(shut.encode(), body)
        return status, headers, body

    return describe


def _closing_zones(original: Handler, place: Callable[[str], Any]) -> Handler:
    def describe(params: Params) -> Answer:
        status, headers, body = original(params)
        shown = place("zones")
        if shown is None:
            return status, headers, body
        items = re.findall(rb"<item>.*?</item>", body, re.DOTALL)[shown:]
        for item in items:
            body = body.replace(item, item.replace(b"<zoneState>available<", b"<zoneState>unavailable<"))
        return status, headers, body

    return describe


def _trying(original: Handler) -> Handler:
    def create(params: Params) -> Answer:
        if ec2._p(params, "DryRun").lower() == "true":
            return ec2._error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)  # type: ignore[no-any-return]
        return original(params)

    return create


def _sized(original: Callable[[Any], str]) -> Callable[[Any], str]:
    def instance(row: Any) -> str:
        cores = SIZES.get(row["InstanceType"].partition(".")[2], 2) // 2
        options = f"<cpuOptions><coreCount>{cores}</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>"
        start, closing, _end = original(row).rpartition("</item>")
        return start + options + closing

    return instance


def _attachments(place: Callable[[str], Any]) -> Answer:
    items = "".join(
        f"<item><transitGatewayAttachmentId>tgw-attach-{number}</transitGatewayAttachmentId><vpcId>{escape(vpc)}</vpcId>"
        "<state>available</state></item>"
        for number, vpc in enumerate(place("transit_gateway_vpcs") or ())
    )
    return _xml("DescribeTransitGatewayVpcAttachmentsResponse", f"<transitGatewayVpcAttachments>{items}</transitGatewayVpcAttachments>")


def _encrypted(place: Callable[[str], Any]) -> Answer:
    is_on = str(place("disk_key") is not None).lower()
    return _xml("GetEbsEncryptionByDefaultResponse", f"<ebsEncryptionByDefault>{is_on}</ebsEncryptionByDefault>")


def _key(place: Callable[[str], Any]) -> Answer:
    return _xml("GetEbsDefaultKmsKeyIdResponse", f"<kmsKeyId>{escape(place('disk_key') or AWS_KEY)}</kmsKeyId>")


def _xml(root: str, inner: str) -> Answer:
    answer: Answer = ec2._xml(200, root, inner)
    return answer
