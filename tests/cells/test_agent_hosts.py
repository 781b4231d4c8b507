"""Machines of the local clouds: the agent of a cell from the same user data as a real one, with a switch and a reset."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlencode

import pytest
import yaml

from cells.models import InstanceStatus
from cells.protocol.package import package_sha256
from cells.stacks.base import AgentBootstrap
from cells.stacks.bootstrap import cloud_init
from cells.transitions import touch_desired
from cells.views import agent as views
from portal.embedded.process import is_alive
from portal.sandbox.agents import AgentHosts, UserDataError, read_user_data
from portal.sandbox.azure.seed import ACME
from portal.sandbox.console.machines import MachinePages
from portal.sandbox.request import Request
from tests.cells.agents import until
from tests.cells.factories import make_cell, make_enrolment, make_instance
from tests.clouds.azure.account import SUBSCRIPTION
from tests.local_cloud import ROOT, running

MACHINE = "i-0abc"


def user_data(url="http://localhost:1", cell="0a1b2c3d-0000-4000-8000-000000000001", token="t", **values):
    agent = AgentBootstrap(url, cell, token, f"{url}/agent/v1/agent.pyz", values.get("sha256", package_sha256()))
    return cloud_init(agent, setup=["aws eks update-kubeconfig --name x"])


@pytest.fixture
def hosts(tmp_path):
    made = AgentHosts(tmp_path / "agents")
    yield made
    made.close()


def test_configuration_is_read_out_of_the_user_data():
    config = read_user_data(user_data(token="secret"))

    assert config == {
        "portal_url": "http://localhost:1",
        "cell": "0a1b2c3d-0000-4000-8000-000000000001",
        "enrolment_token": "secret",
        "package_sha256": package_sha256(),
    }


@pytest.mark.parametrize(
    "text",
    ["", "#!/bin/sh\n", "#cloud-config\n", "#cloud-config\nwrite_files: 3\n", "#cloud-config\n\t: [", user_data().replace("cell", "sell")],
)
def test_user_data_without_an_agent_starts_none(hosts, text):
    with pytest.raises(UserDataError):
        hosts.boot(MACHINE, text)

    assert hosts.list() == ()


def test_other_package_than_the_portals_is_not_started(hosts):
    with pytest.raises(UserDataError, match="another hash"):
        hosts.boot(MACHINE, user_data(sha256="0" * 64))

    assert hosts.list() == ()


def test_machine_is_switched_off_and_on_and_deleted(hosts):
    hosts.boot(MACHINE, user_data())
    running = hosts.list()[0]
    hosts.stop(MACHINE)
    stopped = hosts.list()[0]
    hosts.start(MACHINE)
    again = hosts.list()[0]
    hosts.halt(MACHINE)
    hosts.halt("never-there")

    assert (running.machine, running.cell, running.is_stopped) == (MACHINE, "0a1b2c3d-0000-4000-8000-000000000001", False)
    assert is_alive(running.pid) is False
    assert (stopped.is_stopped, stopped.pid) == (True, 0)
    assert again.pid not in {0, running.pid}
    assert hosts.list() == ()
    until(lambda: not is_alive(again.pid) and not (hosts.folder / MACHINE).exists())


def test_agent_that_dies_is_started_again(hosts):
    hosts.boot(MACHINE, user_data())
    first = hosts.list()[0].pid
    os.kill(first, signal.SIGKILL)

    assert until(lambda: hosts.list()[0].pid not in {0, first} and hosts.list()[0].pid)


def test_same_machine_may_be_built_again_at_once(hosts):
    hosts.boot(MACHINE, user_data(token="one"))
    hosts.halt(MACHINE)
    hosts.boot(MACHINE, user_data(token="two"))

    time.sleep(1)
    assert "two" in (hosts.folder / MACHINE / "config.json").read_text()
    assert until(lambda: hosts.list()[0].pid)


def test_machine_built_again_while_the_old_one_is_cleared_away_keeps_its_files(hosts, monkeypatch):
    remove, begun = shutil.rmtree, threading.Event()

    def remove_slowly(folder, **more):
        begun.set()
        time.sleep(0.5)
        remove(folder, **more)

    monkeypatch.setattr("portal.sandbox.agents.shutil.rmtree", remove_slowly)
    hosts.boot(MACHINE, user_data(token="one"))
    hosts.halt(MACHINE)
    assert begun.wait(20)

    hosts.boot(MACHINE, user_data(token="two"))

    time.sleep(1)
    assert "two" in (hosts.folder / MACHINE / "config.json").read_text()
    assert until(lambda: hosts.list()[0].pid)


def test_unknown_machine_is_an_error(hosts):
    with pytest.raises(KeyError):
        hosts.stop("i-none")
    with pytest.raises(KeyError):
        hosts.start("i-none")
    assert hosts.kill("i-none", "x") is False


@pytest.mark.django_db(transaction=True)
def test_machines_come_back_with_what_they_run(settings, live_server, tmp_path):
    settings.AGENT_URL = live_server.url
    cell = make_cell()
    instance = make_instance(cell=cell)
    data = user_data(live_server.url, str(cell.pk), make_enrolment(cell))
    first, second = AgentHosts(tmp_path / "agents"), AgentHosts(tmp_path / "agents")

    first.boot(MACHINE, data)
    before = until(lambda: InstanceStatus.objects.filter(health="healthy").first(), 30)
    old = first.list()[0]
    first.stop(MACHINE)
    first.close()
    second.resume()
    try:
        assert not is_alive(old.workloads[0].pid)
        new = until(lambda: next((host for host in second.list() if host.workloads and host.workloads[0].health == "healthy"), None))
        assert (new.is_stopped, new.pid) == (True, 0)  # stopped on purpose, and so it stays
        assert new.workloads[0].url == old.workloads[0].url == before.endpoints[0]["url"]
        assert new.workloads[0].pid != old.workloads[0].pid
        assert second.kill(MACHINE, str(instance.pk))
        second.start(MACHINE)
        assert until(lambda: InstanceStatus.objects.filter(seq__gt=before.seq, restarts=1).first(), 30)
    finally:
        second.close()
        touch_desired(cell.pk)
        until(lambda: views.holding.inside == 0)


DIES = """
import os, signal, sys, time
from pathlib import Path
from portal.sandbox.agents import AgentHosts

hosts = AgentHosts(Path(sys.argv[1]))
hosts.boot("i-0abc", sys.stdin.read())
print(*(process.pid for process in hosts.machines["i-0abc"].processes.values()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells a process that its parent has died")
def test_machines_die_with_the_sandbox_however_it_ends(tmp_path):
    done = subprocess.run([sys.executable, "-c", DIES, tmp_path], input=user_data(), capture_output=True, text=True, cwd=ROOT, check=False)

    pids = [int(word) for word in done.stdout.split()]
    assert (done.returncode, len(pids)) == (-9, 2)
    until(lambda: not any(is_alive(pid) for pid in pids))


def asked(hosts, method, **form):
    """In a thread of its own: once a browser has been opened in this process, a loop already runs in the main thread."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = Request(method, "/machines/", {}, headers, urlencode(form).encode())
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(MachinePages(hosts)(request))).result()


def test_page_of_the_machines_has_a_switch_for_each_agent(hosts):
    assert b"No cell has been built yet." in asked(hosts, "GET").body
    hosts.boot(MACHINE, user_data())

    assert b"Stop the agent" in asked(hosts, "GET").body
    assert asked(hosts, "POST", act="stop", machine=MACHINE).status == 303
    page = asked(hosts, "GET").body
    assert b"Stopped by you" in page
    assert b"Start the agent" in page
    assert asked(hosts, "POST", act="start", machine=MACHINE).status == 303
    assert hosts.list()[0].pid
    assert asked(hosts, "POST", act="stop", machine="i-none").status == 404
    assert asked(hosts, "POST", act="explode", machine=MACHINE).status == 404


SHELLS = {"aws": "admin@acme.example 111122223333", "gcp": "owner@acme.example acme-data-prod", "azure": f"a@acme.example {SUBSCRIPTION}"}
MENUS = {
    "/console/cloudformation/stacks": "played_account=111122223333",
    "/console/azure/groups": f"played_azure={ACME}.Owner",
    **{f"/console/shell/{cloud}": f"played_shell_{cloud}={quote(who)}" for cloud, who in SHELLS.items()},
}


def test_menus_of_the_consoles_lead_to_the_machines_once_there_is_one(hosts, tmp_path):
    def led(sandbox):
        asked = (urllib.request.Request(f"{sandbox.customer_url}{path}", headers={"Cookie": cookie}) for path, cookie in MENUS.items())
        pages = [urllib.request.urlopen(one, timeout=5).read().decode() for one in asked]
        assert all("Switch" in page for page in pages)
        return ['<li><a href="/machines/">Machines</a></li>' in page for page in pages]

    with running("http://localhost:1", tmp_path / "log", "--state-dir", str(tmp_path)) as sandbox:
        assert led(sandbox) == [False] * len(MENUS)
    hosts.boot(MACHINE, user_data())
    hosts.close()
    with running("http://localhost:1", tmp_path / "log", "--state-dir", str(tmp_path)) as sandbox:
        assert led(sandbox) == [True] * len(MENUS)


def test_sandbox_serves_the_page_and_its_control(sandbox_process):
    with urllib.request.urlopen(f"{sandbox_process.customer_url}/machines/", timeout=5) as answer:
        assert "<h1>Machines</h1>" in answer.read().decode()
    with pytest.raises(urllib.error.HTTPError) as refused:
        sandbox_process.control("POST", "agents", {"act": "stop", "machine": "i-none"})
    with refused.value as answer:
        assert answer.status == 400


def test_user_data_is_yaml_that_others_read_alike():
    assert {file["path"] for file in yaml.safe_load(user_data())["write_files"]} == {
        "/etc/byoc-agent/config.json",
        "/usr/local/sbin/byoc-agent-prepare",
        "/etc/systemd/system/byoc-agent.service",
    }
