"""What the machine of the agent is given at its first start: cloud-init user data, the same for every cloud but for its `setup`."""

import json
import shlex
from collections.abc import Sequence
from textwrap import indent

from django.utils.translation import gettext_lazy as _

from cells.stacks.base import AgentBootstrap, Called

CONFIG = "/etc/byoc-agent/config.json"
KUBECONFIG = "/etc/byoc-agent/kubeconfig"
# EC2 takes 16 KB, the least of the three; in base 64 that leaves three quarters.
MOST_BYTES = 12 * 1024
# Hashes by the machine's own name of its architecture, from the releases' own lists. A new version needs new ones.
HELM, HELM_SHA256 = (
    "v3.19.0",
    {
        "x86_64": "a7f81ce08007091b86d8bd696eb4d86b8d0f2e1b9f6c714be62f82f96a594496",
        "aarch64": "440cf7add0aee27ebc93fada965523c1dc2e0ab340d4348da2215737fc0d76ad",
    },
)
KUBECTL, KUBECTL_SHA256 = (
    "v1.35.0",
    {
        "x86_64": "a2e984a18a0c063279d692533031c1eff93a262afcc0afdc517375432d060989",
        "aarch64": "58f82f9fe796c375c5c4b8439850b0f3f4d401a52434052f2df46035a8789e25",
    },
)

# What the lines below fetch from, in every cloud. A test holds this, and each stack's own, against the lines.
CALLS = (
    Called("dl.k8s.io", _("kubectl, compared with the SHA-256 in the machine's own start.")),
    Called("get.helm.sh", _("Helm, compared with the SHA-256 in the machine's own start.")),
)

# Everything is done by the service's own start, so that whatever fails (the portal or a mirror is away) is tried again until it works.
# The enrolment token stands in one file alone: never in a command line, which every process of the machine may read.
_USER_DATA = """#cloud-config
write_files:
- path: {config}
  permissions: '0600'
  content: |
{values}
- path: /usr/local/sbin/byoc-agent-prepare
  permissions: '0700'
  content: |
{prepare}
- path: /etc/systemd/system/byoc-agent.service
  content: |
{service}
runcmd:
- useradd -rmd /var/lib/byoc-agent byoc-agent
- systemctl enable --now --no-block byoc-agent
"""

# Root works where root alone may write, and reads nothing that the agent's user can have put there. `fetch` keeps a file as `download`
# only with the hash that stands here; the portal's own package has its hash from the portal, which the machine was told when it was made.
_PREPARE = """#!/bin/bash
set -euo pipefail
{lock}
export HOME=/root KUBECONFIG={kubeconfig} DEBIAN_FRONTEND=noninteractive
umask 022
cd /root
case $(uname -m) in
x86_64) arch=amd64 helm={helm[x86_64]} kubectl={kubectl[x86_64]} ;;
aarch64) arch=arm64 helm={helm[aarch64]} kubectl={kubectl[aarch64]} ;;
esac
fetch() {{
curl -fsSL --retry 3 -o download "$1"
echo "$2 download" | sha256sum -c --status || {{ rm download; exit 1; }}
}}
if [ ! -e /usr/local/bin/kubectl ]; then
fetch https://dl.k8s.io/release/{kubectl_version}/bin/linux/$arch/kubectl $kubectl
install download /usr/local/bin/kubectl
fi
if [ ! -e /usr/local/bin/helm ]; then
fetch https://get.helm.sh/helm-{helm_version}-linux-$arch.tar.gz $helm
tar xzf download --no-same-owner --strip-components=1 -C /usr/local/bin linux-$arch/helm
fi
file=/usr/local/lib/byoc-agent.pyz
if ! python3 -Ic 'import cryptography'; then
dnf install -qy python3-cryptography || {{ apt-get update -q && apt-get install -qy python3-cryptography; }}
fi
if ! echo {package_sha256} $file | sha256sum -c --status; then
fetch {package_url} {package_sha256}
install -m 644 download $file
fi
if [ ! -e byoc-agent.set-up ]; then
{setup}
touch byoc-agent.set-up
fi
chown -R root:byoc-agent /etc/byoc-agent
chmod -R u=rwX,g=rX,o= /etc/byoc-agent
"""

_SERVICE = """[Unit]
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0
[Service]
User=byoc-agent
StateDirectory=byoc-agent
StateDirectoryMode=0700
WorkingDirectory=/var/lib/byoc-agent
Environment=KUBECONFIG={kubeconfig}
ExecStartPre=+/usr/local/sbin/byoc-agent-prepare
ExecStart=/usr/bin/python3 -I /usr/local/lib/byoc-agent.pyz --config {config} --state /var/lib/byoc-agent/state --runtime helm
Restart=always
RestartSec=15
TimeoutStartSec=1800
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
[Install]
WantedBy=multi-user.target
"""


def cloud_init(agent: AgentBootstrap, *, setup: Sequence[str], lock: Sequence[str] = ()) -> str:
    """User data for the agent's machine. The same input gives the same text.

    `lock` are lines of bash that close the machine, run as root at every start, before anything is fetched.

    `setup` are lines of bash that install the cloud's CLI and write `$KUBECONFIG`: run as root, once, from the top again after a failure.
    `helm` and `kubectl` are there already, and `fetch ADDRESS SHA256` gets a file as `download`. Raises ValueError when the whole is
    longer than a cloud takes.
    """
    values = {
        "portal_url": agent.portal_url,
        "cell": agent.cell,
        "enrolment_token": agent.enrolment_token,
        "package_sha256": agent.package_sha256,
        **({"allowed_charts": " ".join(agent.allowed_charts)} if agent.allowed_charts else {}),
    }
    prepare = _PREPARE.format(
        package_sha256=shlex.quote(agent.package_sha256),
        package_url=shlex.quote(agent.package_url),
        kubeconfig=KUBECONFIG,
        lock="\n".join(lock) or "true",
        helm=HELM_SHA256,
        helm_version=HELM,
        kubectl=KUBECTL_SHA256,
        kubectl_version=KUBECTL,
        setup="\n".join(setup) or "true",
    )
    text = _USER_DATA.format(
        config=CONFIG,
        values=_block(json.dumps(values, indent=0)),
        prepare=_block(prepare),
        service=_block(_SERVICE.format(config=CONFIG, kubeconfig=KUBECONFIG)),
    )
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"The user data is {len(text.encode())} bytes long; a cloud takes {MOST_BYTES}.")
    return text


def _block(content: str) -> str:
    """A YAML literal block, indented to stand under its key."""
    return indent(content.rstrip("\n"), "    ")
