"""What a web site could make a browser on this machine send to the local AWS."""

import urllib.error
import urllib.request

import pytest

from tests.clouds.conftest import SandboxProcess


def status_of(url: str, method: str = "GET", **headers: str) -> int:
    request = urllib.request.Request(url, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.mark.parametrize("path", ["mailbox/", "authenticator/", "_sandbox/", "console/", ""])
def test_name_of_somebody_else_is_refused(sandbox: SandboxProcess, path: str) -> None:
    port = sandbox.console
    assert status_of(f"{sandbox.customer}/{path}", Host=f"evil.example:{port}") == 421
    assert status_of(f"{sandbox.customer}/{path}", Host=f"127.0.0.1.evil.example:{port}") == 421
    assert status_of(f"{sandbox.portal}/{path}", Host="evil.example", Authorization="Credential=111122223333/1/us-east-1/iam/x") == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "bucket.localhost", "s3.us-east-1.amazonaws.com"])
def test_names_of_this_machine_and_of_aws_are_answered(sandbox: SandboxProcess, host: str) -> None:
    assert status_of(f"{sandbox.customer}/mailbox/", Host=f"{host}:{sandbox.console}") == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["_sandbox/reset", "console/signin", "mailbox/"])
def test_post_from_another_site_is_refused(sandbox: SandboxProcess, path: str, site: str) -> None:
    assert status_of(f"{sandbox.customer}/{path}", "POST", Sec_Fetch_Site=site) == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_post_from_its_own_page_is_taken(sandbox: SandboxProcess, site: str) -> None:
    assert status_of(f"{sandbox.customer}/_sandbox/snapshot", "POST", Sec_Fetch_Site=site) == 200


def test_link_from_another_site_may_be_followed(sandbox: SandboxProcess) -> None:
    assert status_of(f"{sandbox.customer}/mailbox/", Sec_Fetch_Site="cross-site") == 200
