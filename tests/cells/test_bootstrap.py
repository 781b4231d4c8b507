"""What the agent's machine is given: read as cloud-init, bash and systemd read it."""

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml

from cells.agent import VERSION
from cells.agent.identity import Config
from cells.protocol.package import agent_package, package_sha256
from cells.stacks.azure.stack import KUBELOGIN_SHA256, STACK
from cells.stacks.base import AgentBootstrap
from cells.stacks.bootstrap import HELM_SHA256, KUBECTL_SHA256, cloud_init
from portal.sandbox.agents import read_user_data
from tests.clouds.azure.test_cell_template import INPUT, TARGET

SETUP = ["aws eks update-kubeconfig --name 'one two' --kubeconfig \"$KUBECONFIG\"", "if true; then\n  echo done\nfi"]


def bootstrap(**values):
    return AgentBootstrap(
        **{
            "portal_url": "https://portal.example",
            "cell": "0a1b2c3d-0000-4000-8000-000000000001",
            "enrolment_token": "secret-of-the-enrolment",
            "package_url": "https://portal.example/agent/v1/agent.pyz",
            "package_sha256": package_sha256(),
            **values,
        }
    )


def files(text):
    return {file["path"]: file for file in yaml.safe_load(text)["write_files"]}


def test_user_data_is_the_same_for_the_same_input():
    assert cloud_init(bootstrap(), setup=SETUP) == cloud_init(bootstrap(), setup=SETUP)


def test_configuration_is_the_machines_alone():
    config = files(cloud_init(bootstrap(), setup=SETUP))["/etc/byoc-agent/config.json"]

    assert config["permissions"] == "0600"
    assert json.loads(config["content"]) == {
        "portal_url": "https://portal.example",
        "cell": "0a1b2c3d-0000-4000-8000-000000000001",
        "enrolment_token": "secret-of-the-enrolment",
        "package_sha256": package_sha256(),
    }


def test_token_stands_in_no_command_line():
    text = cloud_init(bootstrap(), setup=SETUP)

    assert text.count("secret-of-the-enrolment") == 1


def test_scripts_are_ones_that_bash_reads():
    script = files(cloud_init(bootstrap(), setup=SETUP))["/usr/local/sbin/byoc-agent-prepare"]["content"]

    assert script.startswith("#!/bin/bash\nset -euo pipefail\n")
    assert all(line in script for line in SETUP)
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr == ""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_service_is_one_that_systemd_reads(tmp_path):
    unit = tmp_path / "byoc-agent.service"
    content = files(cloud_init(bootstrap(), setup=SETUP))["/etc/systemd/system/byoc-agent.service"]["content"]
    # The programs are on the customer's machine, not on this one.
    unit.write_text(content.replace("/usr/local/sbin/byoc-agent-prepare", "/bin/true").replace("/usr/bin/python3", "/bin/true"))

    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert "byoc-agent.service:" not in done.stderr


def test_user_data_without_setup_is_complete():
    script = files(cloud_init(bootstrap(), setup=[]))["/usr/local/sbin/byoc-agent-prepare"]["content"]

    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr == ""


def test_user_data_that_no_cloud_takes_is_refused():
    with pytest.raises(ValueError, match="a cloud takes 12288"):
        cloud_init(bootstrap(), setup=["true"] * 3000)


def test_address_of_the_package_cannot_run_anything():
    script = cloud_init(bootstrap(package_url="https://portal.example/x; reboot"), setup=[])

    assert f"fetch 'https://portal.example/x; reboot' {package_sha256()}\n" in script


def prepare_script(setup=SETUP, **values):
    return files(cloud_init(bootstrap(), setup=setup, **values))["/usr/local/sbin/byoc-agent-prepare"]["content"]


def service():
    return files(cloud_init(bootstrap(), setup=SETUP))["/etc/systemd/system/byoc-agent.service"]["content"].splitlines()


def test_root_works_where_the_agents_user_can_put_nothing():
    lines = prepare_script().splitlines()

    assert not any("/var/lib/byoc-agent" in line for line in lines)
    assert lines.index("cd /root") < min(number for number, line in enumerate(lines) if "curl" in line or "python3" in line)
    assert any(line.startswith("export HOME=/root ") for line in lines)
    assert [line for line in lines if "python3" in line and "install -qy" not in line] == ["if ! python3 -Ic 'import cryptography'; then"]
    assert "chown -R root:byoc-agent /etc/byoc-agent" in lines  # its user reads what it was told, and changes none of it


def test_python_reads_no_module_from_where_it_is_started(tmp_path):
    package, trap = tmp_path / "agent.pyz", tmp_path / "trap"
    package.write_bytes(agent_package())
    trap.mkdir()
    (trap / "json.py").write_text("raise SystemExit('trapped')")
    words = next(line for line in service() if line.startswith("ExecStart=")).partition("=")[2].split()
    assert words[:3] == ["/usr/bin/python3", "-I", "/usr/local/lib/byoc-agent.pyz"]

    words = [sys.executable, "-I", package, "--version"]
    done = subprocess.run(words, cwd=trap, env={"PYTHONPATH": str(trap)}, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, f"{VERSION}\n")


def test_service_can_write_its_own_directory_and_nothing_else():
    wanted = {"StateDirectory=byoc-agent", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes"}
    wanted |= {"NoNewPrivileges=yes", "CapabilityBoundingSet=", "RestrictSUIDSGID=yes", "RestrictNamespaces=yes"}

    assert wanted <= set(service())


def test_programs_have_the_hashes_that_stand_in_the_script():
    script = prepare_script()

    assert all(script.count(known) == 1 for known in (*HELM_SHA256.values(), *KUBECTL_SHA256.values()))
    assert ".sha256" not in script
    assert script.count("curl") == 1 + SETUP[0].count("curl")  # in `fetch` alone


@pytest.mark.parametrize("is_right", [True, False])
def test_file_of_another_hash_is_not_kept(tmp_path, is_right):
    script = prepare_script()
    fetch = script[script.index("fetch() {") : script.index("\n}\n") + 3]
    (tmp_path / "there").write_text("the program")
    known = hashlib.sha256(b"the program" if is_right else b"another").hexdigest()
    lines = f"set -euo pipefail\n{fetch}if true; then\nfetch 'file://{tmp_path}/there' {known}\ncp download kept\nfi\n"

    done = subprocess.run(["bash"], input=lines, cwd=tmp_path, text=True, capture_output=True, check=False)

    assert (done.returncode == 0, (tmp_path / "kept").exists(), (tmp_path / "download").exists()) == (is_right,) * 3


def test_machine_is_closed_before_anything_is_fetched():
    lines = prepare_script(lock=["passwd --lock somebody"]).splitlines()

    assert lines[:3] == ["#!/bin/bash", "set -euo pipefail", "passwd --lock somebody"]


def test_azure_machine_is_closed_first_and_believes_no_latest_version():
    order = STACK.order(TARGET, INPUT)
    script = files(order.secrets["agentData"])["/usr/local/sbin/byoc-agent-prepare"]["content"].splitlines()

    assert script[2:4] == ["systemctl disable --now ssh.socket ssh.service || true", "passwd --lock byoc"]
    assert not any("install-cli" in line for line in script)
    assert [line.split()[2] for line in script if line.startswith("fetch https://github.com/")] == [KUBELOGIN_SHA256]


def test_sources_of_charts_are_told_to_the_machine(tmp_path):
    told = ("oci://registry.fernhill.example/charts", "https://charts.example")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(read_user_data(cloud_init(bootstrap(allowed_charts=told), setup=SETUP))))

    assert Config.read(config).allowed_charts == told
    config.write_text(json.dumps(read_user_data(cloud_init(bootstrap(), setup=SETUP))))
    assert Config.read(config).allowed_charts == ()


# --- The package -------------------------------------------------------------------------------------------------------


def test_package_is_the_same_wherever_it_is_made():
    made = "from cells.protocol.package import package_sha256; print(package_sha256())"

    elsewhere = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True).stdout.strip()

    assert elsewhere == package_sha256() == hashlib.sha256(agent_package()).hexdigest()


def test_package_holds_the_agent_and_nothing_else():
    names = zipfile.ZipFile(io.BytesIO(agent_package())).namelist()

    assert {"__main__.py", "cells/__init__.py", "cells/agent/__init__.py"} <= set(names)
    assert [name for name in names if not name.startswith("cells/agent/")] == ["__main__.py", "cells/__init__.py"]
