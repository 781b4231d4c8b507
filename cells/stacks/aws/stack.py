"""The AWS cell: one CloudFormation template and what fills it in. No SDK."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from accounts.clouds.base import Target
from accounts.clouds.stacks import StackOrder
from cells.stacks.aws.words import HOSTS, KEEPS_IDENTITIES, PARTS, RECORDS
from cells.stacks.base import Called, CellInput, Kept, PlannedPart
from cells.stacks.bootstrap import CALLS, cloud_init

TEMPLATE_PATH = Path(__file__).with_name("template.yaml")
MACHINE_TYPES = {"small": "m6i.large", "medium": "m6i.xlarge", "large": "m6i.2xlarge"}
# CloudFormation takes 4,096 bytes in a parameter, EC2 16 KB of user data in all.
PIECE, PIECES = 4096, 4


class AwsCell:
    """`CellStack` of AWS."""

    version = "1.0.0"
    keeps_identities, moving = KEEPS_IDENTITIES, ""

    def name(self, target: Target, region: str) -> str:
        return f"byoc-{_short(target)}-cell-{region}"

    def order(self, target: Target, cell: CellInput) -> StackOrder:
        name = self.name(target, cell.region)
        zones = [*cell.zones[:3], ""]
        return StackOrder(
            name=name,
            region=cell.region,
            document=_template(),
            token=cell.token,
            parameters={
                "CellRef": cell.cell,
                "AccountRef": target.account,
                "CellName": name,
                "Suffix": target.suffix,
                "OrderToken": cell.token,
                "Cidr": cell.cidr,
                "ZoneA": zones[0],
                "ZoneB": zones[1],
                "ZoneC": zones[2],
                "MachineType": MACHINE_TYPES[cell.machine_size],
                "MachineCount": str(cell.machines),
                "MachinesAtMost": str(cell.machines + 1),
            },
            secrets=_in_pieces(cloud_init(cell.agent, setup=_setup(name, cell.region))),
            tags=self.tags(target, cell.cell),
        )

    def parts(self) -> Sequence[PlannedPart]:
        return PARTS

    def calls(self) -> Sequence[Called]:
        return (*CALLS, *HOSTS)

    def records(self) -> Sequence[Kept]:
        return RECORDS

    def tags(self, target: Target, cell: str = "") -> dict[str, str]:
        return {"byoc:account": target.account, "byoc:managed": "cell"} | ({"byoc:cell": cell} if cell else {})


STACK = AwsCell()


@cache
def _template() -> str:
    return TEMPLATE_PATH.read_text(encoding="utf-8")


def _short(target: Target) -> str:
    return target.suffix.partition("-")[0]


def _setup(cluster: str, region: str) -> list[str]:
    """What the agent's machine runs before the agent: Amazon Linux has the AWS CLI, and the machine's role is all that it needs."""
    return [f"aws eks update-kubeconfig --region {region} --name {cluster}"]


def _in_pieces(text: str) -> dict[str, str]:
    """The start of the agent's machine as parameters. Raises ValueError where EC2 would not take it."""
    if len(text.encode()) > PIECE * PIECES or not text.isascii():
        raise ValueError(f"the start of the agent's machine is {len(text)} characters, at most {PIECE * PIECES} of ASCII fit")
    return {f"AgentStart{number + 1}": text[number * PIECE : (number + 1) * PIECE] for number in range(PIECES)}
