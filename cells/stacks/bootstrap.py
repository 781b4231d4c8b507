"""What the machine of the agent is given at its first start: cloud-init user data, the same for every cloud but for its `setup`."""

import json
import shlex
from collections.abc import Sequence
from textwrap import indent

from cells.stacks.base import AgentBootstrap

CONFIG = "/etc/byoc-agent/config.json"
KUBECONFIG = "/etc/byoc-agent/kubeconfig"
# EC2 takes 16 KB, the least of the three; in base 64 that leaves three quarters.
MOST_BYTES = 12 * 1024
HELM = "v3.19.0"
KUBECTL = "v1.35.0"

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

_PREPARE = """#!/bin/bash
set -euo pipefail
export HOME=/var/lib/byoc-agent KUBECONFIG={kubeconfig} DEBIAN_FRONTEND=noninteractive
cd $HOME
arch=$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')
fetch() {{
curl -fsSL --retry 3 -o download $1
echo $(curl -fsSL --retry 3 $2 | cut -c1-64) download | sha256sum -c --status
}}
if [ ! -e /usr/local/bin/kubectl ]; then
kubectl=https://dl.k8s.io/release/{kubectl}/bin/linux/$arch/kubectl
fetch $kubectl $kubectl.sha256
install download /usr/local/bin/kubectl
fi
if [ ! -e /usr/local/bin/helm ]; then
helm=https://get.helm.sh/helm-{helm}-linux-$arch.tar.gz
fetch $helm $helm.sha256sum
tar xzf download --strip-components=1 -C /usr/local/bin linux-$arch/helm
fi
file=/usr/local/lib/byoc-agent.pyz
if ! python3 -c 'import cryptography'; then
dnf install -qy python3-cryptography || {{ apt-get update -q && apt-get install -qy python3-cryptography; }}
fi
if ! echo {package_sha256} $file | sha256sum -c --status; then
curl -fsSL --retry 3 -o $file.new {package_url}
echo {package_sha256} $file.new | sha256sum -c --status
mv $file.new $file
fi
if [ ! -e set-up ]; then
{setup}
touch set-up
fi
chown -R byoc-agent: . /etc/byoc-agent
"""

_SERVICE = """[Unit]
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0
[Service]
User=byoc-agent
WorkingDirectory=/var/lib/byoc-agent
Environment=KUBECONFIG={kubeconfig}
ExecStartPre=+/usr/local/sbin/byoc-agent-prepare
ExecStart=/usr/bin/python3 /usr/local/lib/byoc-agent.pyz --config {config} --state /var/lib/byoc-agent/state --runtime helm
Restart=always
RestartSec=15
TimeoutStartSec=1800
[Install]
WantedBy=multi-user.target
"""


def cloud_init(agent: AgentBootstrap, *, setup: Sequence[str]) -> str:
    """User data for the agent's machine. The same input gives the same text.

    `setup` are lines of bash that install the cloud's CLI and write `$KUBECONFIG`: run as root, once, from the top again after a failure.
    `helm` and `kubectl` are there already. Raises ValueError when the whole is longer than a cloud takes.
    """
    values = {
        "portal_url": agent.portal_url,
        "cell": agent.cell,
        "enrolment_token": agent.enrolment_token,
        "package_sha256": agent.package_sha256,
    }
    prepare = _PREPARE.format(
        package_sha256=shlex.quote(agent.package_sha256),
        package_url=shlex.quote(agent.package_url),
        kubeconfig=KUBECONFIG,
        helm=HELM,
        kubectl=KUBECTL,
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
