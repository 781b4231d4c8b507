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

from cells.protocol.package import agent_package, package_sha256
from cells.stacks.base import AgentBootstrap
from cells.stacks.bootstrap import cloud_init

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

    assert "curl -fsSL --retry 3 -o $file.new 'https://portal.example/x; reboot'\n" in script


# --- The package -------------------------------------------------------------------------------------------------------


def test_package_is_the_same_wherever_it_is_made():
    made = "from cells.protocol.package import package_sha256; print(package_sha256())"

    elsewhere = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True).stdout.strip()

    assert elsewhere == package_sha256() == hashlib.sha256(agent_package()).hexdigest()


def test_package_holds_the_agent_and_nothing_else():
    names = zipfile.ZipFile(io.BytesIO(agent_package())).namelist()

    assert {"__main__.py", "cells/__init__.py", "cells/agent/__init__.py"} <= set(names)
    assert [name for name in names if not name.startswith("cells/agent/")] == ["__main__.py", "cells/__init__.py"]
