"""The security package says what the kits, the settings and the code say, and nothing else."""

import html
import json
import re
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.urls import reverse

from accounts import kits
from accounts.access import Role
from accounts.clouds.aws import session as aws
from accounts.clouds.azure import clients as azure_clients
from accounts.clouds.gcp import clients as gcp_clients
from accounts.issuer.tokens import LIFETIME_S
from accounts.security.hosts import connections
from accounts.security.package import in_words
from accounts.security.responsibilities import TASKS, Part
from cells import stacks
from tests.cells.factories import make_plan, make_release
from tests.factories import make_contact, make_membership

CLOUDS = sorted(kits.KITS)
CLOUD_CODE = Path(django_settings.BASE_DIR) / "accounts" / "clouds"
# boto3's names of services, where the host is called otherwise.
HOST_OF_SERVICE = {"service-quotas": "servicequotas", "resourcegroupstaggingapi": "tagging"}


@pytest.fixture
def pages(client, alice):
    """The page's words and the file's content, for a cloud."""
    client.force_login(alice)

    def read(cloud):
        page = client.get(reverse("accounts:security_package", args=["acme", cloud]))
        file = client.get(reverse("accounts:security_package_file", args=["acme", cloud]))
        assert (page.status_code, file.status_code) == (HTTPStatus.OK, HTTPStatus.OK)
        return html.unescape(page.text), json.loads(file.content)

    return read


@pytest.mark.parametrize("cloud", CLOUDS)
def test_package_holds_every_permission_with_its_reason_and_limit(cloud, pages):
    text, file = pages(cloud)

    kit = kits.load(cloud)
    said = [(row["action"], row["role"], row["phase"], row["reason"], row["limit"]) for row in file["permissions"]]
    assert said == [tuple(map(str, (p.action, p.role.label, p.phase.label, p.reason, p.limit))) for p in kit.permissions]
    assert [row for row in said if any(part not in text for part in (row[0], row[3], row[4]))] == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_package_holds_every_denial_switch_and_resource(cloud, pages):
    text, file = pages(cloud)

    kit = kits.load(cloud)
    assert [row["promise"] for row in file["never_allowed"]] == [str(denial.promise) for denial in kit.denials]
    assert [row["title"] for row in file["switches_of_the_customer"]] == [str(switch.title) for switch in kit.switches]
    assert [row["name"] for row in file["creates"]] == [resource.name for resource in kit.resources]
    for word in [*(str(d.promise) for d in kit.denials), *(str(s.effect) for s in kit.switches), *(str(r.purpose) for r in kit.resources)]:
        assert word in text


@pytest.mark.parametrize("cloud", CLOUDS)
def test_package_says_whose_account_it_is_about(cloud, pages):
    assert f"may do in your {kits.load(cloud).words.account}, who does what" in pages(cloud)[0]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_package_names_the_files_by_their_hashes(cloud, pages):
    text, file = pages(cloud)

    kit = kits.load(cloud)
    assert (file["kit"]["version"], file["kit"]["sha256"]) == (kit.version, kit.content_hash)
    assert {row["file"] for row in file["kit"]["published_files"]} == set(kit.files())
    for digest in [kit.content_hash, *(document.sha256 for document in kit.documents)]:
        assert digest in text


@pytest.mark.parametrize("cloud", CLOUDS)
def test_package_names_every_host_of_the_settings(cloud, pages, settings):
    settings.PORTAL_URL = "https://portal.acme-test.example"
    settings.ISSUER_URL = "https://issuer.acme-test.example:8443"
    settings.KITS_URL = "https://kits.acme-test.example"
    settings.CONSOLE_URLS = dict.fromkeys(settings.CONSOLE_URLS, "https://console.acme-test.example")
    text, file = pages(cloud)

    hosts = {(row["host"], row["port"]) for row in file["connections"]}
    named = {("portal", 443), ("issuer", 8443), ("kits", 443), ("console", 443)}
    assert {(f"{name}.acme-test.example", port) for name, port in named} <= hosts
    assert {(host, 443) for host in kits.load(cloud).traffic.hosts} <= hosts
    assert [host for host, _ in hosts if host not in text] == []


def test_connections_of_the_bucket_and_the_consoles_by_default(settings):
    settings.KITS_URL, settings.CONSOLE_URLS = "", dict.fromkeys(settings.CONSOLE_URLS, "")

    hosts = {cloud: {connection.host for connection in connections(cloud)} for cloud in CLOUDS}

    assert all("fernhill-kits.s3.us-east-1.amazonaws.com" in found for found in hosts.values())
    assert "us-east-1.console.aws.amazon.com" in hosts["aws"]
    assert "shell.cloud.google.com" in hosts["gcp"]
    assert "shell.azure.com" in hosts["azure"]


@pytest.mark.parametrize(("cloud", "variable"), [("aws", "AWS_ENDPOINT_URL"), ("gcp", "PORTAL_GCP_URL"), ("azure", "PORTAL_AZURE_ARM_URL")])
def test_connections_follow_where_the_adapters_are_led(cloud, variable, monkeypatch):
    monkeypatch.setenv(variable, "https://proxy.acme-test.example:9443")

    asked = [connection for connection in connections(cloud) if connection.source == "The portal"]

    assert [(connection.host, connection.port) for connection in asked] == [("proxy.acme-test.example", 9443)]


def test_hosts_of_aws_are_those_the_adapter_calls():
    code = "\n".join(path.read_text() for path in (CLOUD_CODE / "aws").glob("*.py") if path.name != "publish.py")
    services = set(re.findall(r"(?:client|opened)\(\"([a-z0-9-]+)\"", code))

    others = {"service-quotas", "eks", "kms", "resourcegroupstaggingapi", "cloudtrail", "logs"}
    assert services == {"sts", "iam", "cloudformation", "ec2"} | others
    assert {HOST_OF_SERVICE.get(service, service) for service in services} == {
        host.partition(".")[0] for host in kits.load("aws").traffic.hosts
    }


def test_hosts_of_google_and_azure_are_those_of_the_clients():
    assert {urlsplit(url).hostname for url in gcp_clients.HOSTS.values()} == set(kits.load("gcp").traffic.hosts)
    assert {urlsplit(url).hostname for url in (azure_clients.AUTHORITY, azure_clients.ARM)} == set(kits.load("azure").traffic.hosts)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_package_knows_the_agent_what_it_tells_and_whom_it_calls(cloud, pages, settings):
    settings.AGENT_URL = "https://agents.acme-test.example:8443"
    settings.AGENT_CHARTS = ["oci://charts.acme-test.example/products"]
    settings.PLATFORM_COMPONENTS = [
        {"name": "ingress", "chart": "oci://platform.acme-test.example/ingress", "chart_version": "1", "digest": ""}
    ]
    make_release(plan=make_plan(), version="2.0.0", chart="https://products.acme-test.example/orders.tgz")
    text, file = pages(cloud)

    called = {(row["host"], row["port"]) for row in file["connections"] if row["source"] == "The agent's machine in a cell"}
    registries = {(f"{name}.acme-test.example", 443) for name in ("charts", "platform", "products")}
    own = {(one.host, one.port) for one in stacks.load(cloud).calls()}
    assert called >= {("agents.acme-test.example", 8443), *registries, *own}
    assert [host for host, _ in called if host not in text] == []
    told = next(row for row in file["data_flows"] if (row["source"], row["target"]) == ("The agent in a cell", "The portal"))
    assert told["link"] == reverse("cells:visible", args=["acme"])
    assert f'<a href="{told["link"]}">' in text
    assert "secrets" in told["never"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_package_says_what_is_written_down_and_what_is_not(cloud, pages):
    text, file = pages(cloud)

    kept = {row["what"]: row["where"] for row in file["records"]}
    assert "Not written down" in kept["Each connection of a cell's network (flow logs)"]
    assert any("who asked the cluster" in what.lower() or "who changed what in the cluster" in what.lower() for what in kept)
    assert [what for what, where in kept.items() if what not in text or where not in text] == []


def test_lifetimes_are_those_of_the_code(pages):
    _, file = pages("aws")

    lifetimes = {row["what"]: row["how_long"] for row in file["lifetimes"]}
    assert lifetimes["A token that the portal signs"] == in_words(timedelta(seconds=LIFETIME_S)) == "5 minutes"
    assert kits.load("aws").traffic.session.total_seconds() == aws.SESSION_SECONDS
    assert kits.load("gcp").traffic.session.total_seconds() == gcp_clients.SESSION_SECONDS
    assert {row["what"]: row["how_long"] for row in file["retention"]}["History of an account's trust"] == "400 days"


@pytest.mark.parametrize(
    ("length", "words"), [(timedelta(minutes=1), "1 minute"), (timedelta(hours=24), "1 day"), (timedelta(hours=36), "36 hours")]
)
def test_in_words_says_it_exactly(length, words):
    assert in_words(length) == words


def test_every_task_has_somebody_who_does_or_decides_it():
    assert [task.title for task in TASKS if not {Part.DOES, Part.DECIDES} & {task.customer, task.provider, task.portal}] == []
    assert len({str(task.title) for task in TASKS}) == len(TASKS)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_package_shows_every_task(cloud, pages):
    text, file = pages(cloud)

    assert [row["task"] for row in file["responsibilities"]] == [str(task.title) for task in TASKS]
    assert [str(task.title) for task in TASKS if str(task.title) not in text] == []


def test_package_names_the_contacts_of_both(pages, acme):
    make_contact(organisation=acme, name="Night desk", email="night@acme.example", purpose="security")

    text, file = pages("gcp")

    assert file["provider"] == {"name": "Fernhill", "contact": "support@fernhill.example"}
    assert file["contacts"] == [{"name": "Night desk", "email": "night@acme.example", "told_about": "Security", "confirmed": False}]
    assert "night@acme.example" in text
    assert "support@fernhill.example" in text


def test_package_claims_no_certificate(pages):
    for cloud in CLOUDS:
        text, _ = pages(cloud)
        assert re.findall(r"\b(SOC ?2|ISO ?27001|HIPAA|PCI|GDPR|FedRAMP|certified)\b", text) == []


def test_package_is_for_every_member(client, acme):
    client.force_login(make_membership(organisation=acme, role=Role.AUDITOR).user)

    assert client.get(reverse("accounts:security_package", args=["acme", "aws"])).status_code == HTTPStatus.OK
    assert client.get(reverse("accounts:security_packages", args=["acme"])).text.count("/o/acme/security/") == len(CLOUDS)


@pytest.mark.parametrize("page", ["/o/acme/settings/security/", "/o/acme/security/aws/"])
def test_package_is_a_part_of_the_settings_in_the_rail(page, client, alice):
    client.force_login(alice)

    html = " ".join(client.get(page).text.split())

    drawer, rail = re.findall(r'<a href="([^"]+)" aria-current="page">', html)[:2]
    assert drawer == rail == reverse("accounts:organisation_settings", args=["acme"])


def test_package_of_a_cloud_that_is_not_there_is_not_found(client, alice):
    client.force_login(alice)

    for name in ("security_package", "security_package_file"):
        assert client.get(reverse(f"accounts:{name}", args=["acme", "ibm"])).status_code == HTTPStatus.NOT_FOUND


def test_package_asks_the_database_a_constant_number_of_times(client, alice, acme, django_assert_max_num_queries):
    client.force_login(alice)
    for number in range(20):
        make_contact(organisation=acme, name=f"Contact {number}")

    with django_assert_max_num_queries(13):
        client.get(reverse("accounts:security_package", args=["acme", "aws"]))
