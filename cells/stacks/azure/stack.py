"""One cell on Azure: what its template is told, and what it is called. No SDK.

The vault and the two identities that it takes are the kit's; the group is the kit's too, so names inside it need nothing of the account.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from ipaddress import ip_network
from pathlib import Path

from accounts.clouds.base import Target
from accounts.clouds.stacks import StackOrder
from accounts.kits.azure.names import vault_name
from cells.stacks.azure.words import HOSTS, MOVING, PARTS, RECORDS
from cells.stacks.base import Called, CellInput, Kept, PlannedPart
from cells.stacks.bootstrap import CALLS, cloud_init

TEMPLATE = Path(__file__).with_name("cell.json")
CLUSTER = "cell-cluster"
# What instances run on. The cluster's own programs and the agent always take the smallest that serves.
SIZES = {"small": "Standard_D2s_v5", "medium": "Standard_D4s_v5", "large": "Standard_D8s_v5"}
SYSTEM_SIZE, AGENT_SIZE = "Standard_D2s_v5", "Standard_B2als_v2"
KUBELOGIN, KUBELOGIN_SHA256 = "v0.2.19", "ebaeff02aa899c5cae6a2b954b64fc02738185319df2570f7dc053451efa4b2f"


class AzureCellStack:
    version = "1.0.0"
    keeps_identities, moving = "", MOVING

    def name(self, target: Target, region: str) -> str:
        return _group(target, region)

    def order(self, target: Target, cell: CellInput) -> StackOrder:
        told = cloud_init(cell.agent, setup=_setup(_group(target, cell.region)), lock=LOCK)
        nodes, rest = ip_network(cell.cidr).subnets()
        parameters = {
            "location": cell.region,
            "account": target.account,
            "cell": cell.cell,
            "vault": vault_name(target.account, target.external_id, cell.region),
            "clusterIdentity": f"byoc-{target.suffix}-cell-cluster",
            "agentIdentity": f"byoc-{target.suffix}-cell-agent",
            "networkRange": cell.cidr,
            "nodesRange": str(nodes),
            "agentRange": str(next(iter(rest.subnets(new_prefix=28)))),
            "zones": ",".join(_zone(name) for name in cell.zones),
            "systemMachine": SYSTEM_SIZE,
            "workMachine": SIZES[cell.machine_size],
            "workMachines": str(cell.machines),
            "agentMachine": AGENT_SIZE,
            "agentVersion": hashlib.sha256(told.encode()).hexdigest()[:8],
        }
        return StackOrder(
            name=self.name(target, cell.region),
            region=cell.region,
            document=_document(),
            token=cell.token,
            parameters=parameters,
            secrets={"agentData": told, "agentPassword": _password(cell.agent.enrolment_token)},
            tags=self.tags(target, cell.cell),
        )

    def parts(self) -> Sequence[PlannedPart]:
        return PARTS

    def calls(self) -> Sequence[Called]:
        return (*CALLS, *HOSTS)

    def records(self) -> Sequence[Kept]:
        return RECORDS

    def tags(self, target: Target, cell: str = "") -> dict[str, str]:
        return {"byoc-account": target.account, "byoc-managed": "cell", **({"byoc-cell": cell} if cell else {})}


@cache
def _document() -> str:
    return TEMPLATE.read_text(encoding="utf-8")


def _group(target: Target, region: str) -> str:
    """As the kit calls the group; the stack in it has the same name."""
    return f"byoc-{target.suffix.partition('-')[0]}-cell-{region}"


def _zone(name: str) -> str:
    """Azure numbers them: "westeurope-1" is "1"."""
    found = re.search(r"\d+$", name)
    return found[0] if found else name


def _password(token: str) -> str:
    """Azure wants one. Nobody is told it, nothing keeps it, and the first thing the machine does is to lock the account."""
    return f"B1-{hashlib.sha256(f'password of the machine {token}'.encode()).hexdigest()[:48]}"


# Nobody logs in to this machine: SSH goes, and the account that Azure wants is locked, before anything is fetched.
LOCK = ("systemctl disable --now ssh.socket ssh.service || true", "passwd --lock byoc")


def _setup(group: str) -> tuple[str, ...]:
    """The cluster's address is fetched, and each call to it signed in, by the machine's own identity.

    Microsoft's packages are signed with the key that the same company's host hands out: whoever holds that host is believed.
    """
    return (
        "curl -fsSL https://packages.microsoft.com/keys/microsoft.asc | gpg --dearmor --yes -o /usr/share/keyrings/microsoft.gpg",
        'echo "deb [arch=$arch signed-by=/usr/share/keyrings/microsoft.gpg] https://packages.microsoft.com/repos/azure-cli/ '
        '$(. /etc/os-release && echo $VERSION_CODENAME) main" > /etc/apt/sources.list.d/azure-cli.list',
        "apt-get update -q && apt-get install -qy azure-cli",
        f"fetch https://github.com/Azure/kubelogin/releases/download/{KUBELOGIN}/kubelogin-linux-amd64.zip {KUBELOGIN_SHA256}",
        "python3 -Im zipfile -e download kubelogin",
        "install kubelogin/bin/linux_amd64/kubelogin /usr/local/bin/kubelogin",
        "az login --identity --output none",
        f"az aks get-credentials --resource-group {group} --name {CLUSTER} --file $KUBECONFIG --overwrite-existing",
        "kubelogin convert-kubeconfig --login msi --kubeconfig $KUBECONFIG",
        "az logout",
    )


STACK = AzureCellStack()
