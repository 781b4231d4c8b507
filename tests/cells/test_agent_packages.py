"""The agent's file outlives an upgrade of the portal: a machine gets the one that it was ordered with, by its hash."""

import hashlib
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import yaml

from cells import orders
from cells.models import AgentPackage
from cells.protocol.limits import Buckets
from cells.protocol.package import agent_package, package_sha256
from cells.views import agent as views
from tests.cells.factories import make_cell
from tests.factories import make_kit

pytestmark = pytest.mark.django_db
URL = "/agent/v1/agent.pyz"


@pytest.fixture(autouse=True)
def _nothing_remembered():
    views.of_strangers.clear()
    yield
    views.of_strangers.clear()


def upgrade(monkeypatch, content=b"#!/usr/bin/env python3\nanother agent"):
    """From now on the portal has another agent."""
    name = hashlib.sha256(content).hexdigest()
    for module in (orders, views):
        monkeypatch.setattr(module, "agent_package", lambda: content)
        monkeypatch.setattr(module, "package_sha256", lambda: name)
    return name


def test_machine_that_starts_after_an_upgrade_gets_the_agent_that_it_was_ordered_with(client, monkeypatch):
    content, name = agent_package(), orders.keep_agent()
    newer = upgrade(monkeypatch)
    orders.keep_agent()

    earlier, now, unnamed = (client.get(URL + query) for query in (f"?sha256={name}", f"?sha256={newer}", ""))

    assert (earlier.status_code, earlier.content) == (200, content)
    assert hashlib.sha256(earlier.content).hexdigest() == name
    assert now.content == unnamed.content == b"#!/usr/bin/env python3\nanother agent"


def test_order_keeps_the_agent_once(monkeypatch):
    name = orders.keep_agent()
    assert orders.keep_agent() == name == package_sha256()
    upgrade(monkeypatch)
    orders.keep_agent()

    assert AgentPackage.objects.count() == 2
    assert bytes(AgentPackage.objects.get(pk=name).content) == agent_package()


def test_machine_is_told_to_fetch_by_the_hash_that_it_checks(client):
    cell = make_cell(zones=["eu-west-1a", "eu-west-1b"])
    make_kit(account=cell.account)

    order = orders.order_of(cell)
    row = orders.write_order(SimpleNamespace(operation=None, attempt=1), cell, cell.account.kits.get(), order, mark="")

    told = "".join(order.secrets[name] for name in sorted(order.secrets))
    (script,) = [file["content"] for file in yaml.safe_load(told)["write_files"] if file["path"].endswith("prepare")]
    (line,) = [line for line in script.splitlines() if line.startswith("fetch ") and "agent.pyz" in line]
    address = urlsplit(line.split()[1].strip("'"))
    assert (address.path, address.query) == (URL, f"sha256={package_sha256()}")
    assert AgentPackage.objects.filter(pk=row.agent_sha256).exists()
    assert line.split()[2] == row.agent_sha256 == hashlib.sha256(client.get(f"{address.path}?{address.query}").content).hexdigest()


@pytest.mark.parametrize("name", ["0" * 64, "", "x", "0" * 63 + "\x00", "0" * 5000])
def test_file_that_was_never_here_is_not_found(client, name):
    answer = client.get(URL, {"sha256": name})

    assert (answer.status_code, answer.json()["code"]) == (404, "package_unknown")


def test_guessing_for_files_is_limited(client, monkeypatch):
    monkeypatch.setattr(views, "of_strangers", Buckets(burst=3, each_second=0.001))

    codes = [client.get(URL, {"sha256": f"{number:064d}"}).status_code for number in range(4)]

    assert codes == [404, 404, 404, 429]
    assert client.get(URL).status_code == 200  # the portal's own needs no look-up
