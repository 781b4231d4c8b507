"""The customer runs the recovery kit, as the page of a stuck offboarding tells it: with its command, and the file it hands out."""

import html
import re
from typing import Any

import pytest

from accounts.kit_links import publication, report_url
from accounts.kits.recovery import RecoveryKit
from accounts.targets import target_of
from portal.embedded.process import wait_until
from tests.accounts.test_connect_gcp import Shell, publish
from tests.clouds.azure.browser import Browser
from tests.hands import process


def run(leaver: Any) -> None:
    {"aws": _aws, "gcp": _gcp, "azure": _azure}[leaver.account.cloud](leaver)


def run_lines(leaver: Any, command: str) -> None:
    """Some of which may say that there is nothing to do."""
    if leaver.account.cloud == "azure":
        _azure_shell(leaver).run(command)
        return
    shell = Shell(leaver.sandbox.console_port)
    status, location, _body = shell.open("gcp", {"command": command})
    assert status == 303
    assert wait_until(lambda: "Exit code" in shell.open(location.removeprefix("/console/shell/"))[2], 60)


def document(leaver: Any) -> str:
    """The first file of the recovery kit, from the address on the page."""
    page = leaver.client.get(leaver.url()).text
    link = re.search(r'href="(?P<link>[^"]+/kit/files/[^"]*recovery[^"]*)"', page)
    assert link, page
    return leaver.client.get(html.unescape(link["link"])).text


def _aws(leaver: Any) -> None:
    page = html.unescape(leaver.client.get(leaver.url()).text)
    parameters = dict(re.findall(r"ParameterKey=(\w+),ParameterValue=(\S+?)(?: \\\\|<|\s|$)", page))
    assert parameters["AllowSupport"] == "no"
    leaver.standing.hand.run_kit(template=document(leaver), **parameters)


def _gcp(leaver: Any) -> None:
    """With the very command of the page, in the played Cloud Shell, from the published script."""
    with pytest.MonkeyPatch.context() as provider:
        publish(leaver.sandbox, provider)
    page = html.unescape(leaver.client.get(leaver.url()).text)
    command = re.search(r"curl -fsSLo byoc-recovery\.sh.+?(?=</code>)", page, re.DOTALL)
    assert command, page
    assert "Done. The removal goes on by itself" in Shell(leaver.sandbox.console_port).run(command[0])


class Patient(Browser):
    """The kit's script waits by itself where Azure does not know yet what was just made."""

    def when_done(self, path: str) -> str:
        assert wait_until(lambda: "data-refresh" not in self.open(path)[2], 90), self.open(path)[2]
        return self.open(path)[2]


def _azure_shell(leaver: Any) -> Browser:
    browser = Patient(process(leaver.sandbox))
    browser.sign_in_to_shell("owner@acme.onmicrosoft.example", leaver.account.external_id)
    return browser


def _azure(leaver: Any) -> None:
    page = html.unescape(leaver.client.get(leaver.url()).text)
    command = re.search(r"curl -fsSLo byoc-recovery\.sh.+?(?=</code>)", page, re.DOTALL)
    assert command, page
    _azure_run(leaver, command[0])


def _azure_run(leaver: Any, command: str) -> None:
    """No portal listens here: what the script could not tell by itself is sent afterwards."""
    with pytest.MonkeyPatch.context() as provider:
        publish(leaver.sandbox, provider)
    code, output = _azure_shell(leaver).run(command)
    assert code == 0, output
    line = next(line for line in reversed(output.splitlines()) if line.startswith("{"))
    address = re.search(r"--report '?https?://[^/]+(?P<path>/[^\s']+)", command)
    assert address, command
    assert leaver.client.post(address["path"], line, content_type="application/json").status_code == 200


def remove(leaver: Any) -> None:
    """With the kit's own command, as the page shows it at the end."""
    if leaver.account.cloud == "aws":
        leaver.remove_kit()
    else:
        run_lines(leaver, leaver.removal_command())


def put_in_place(leaver: Any, small: RecoveryKit) -> None:
    """Where no page offers it."""
    {"aws": _put_in_place_aws, "gcp": _put_in_place_gcp, "azure": _put_in_place_azure}[leaver.account.cloud](leaver, small)


def _put_in_place_aws(leaver: Any, small: RecoveryKit) -> None:
    leaver.standing.hand.run_kit(template=small.documents[0].text, AllowSupport="no")


def _put_in_place_gcp(leaver: Any, small: RecoveryKit) -> None:
    with pytest.MonkeyPatch.context() as provider:
        publish(leaver.sandbox, provider)
    kit = leaver.account.kits.get()
    target, place = target_of(leaver.account, kit), publication("gcp")
    run_lines(leaver, small.revival_command(target))
    (route,) = small.routes(target, place)
    (command,) = (act.command for act in route.acts if act.command)
    Shell(leaver.sandbox.console_port).run(command)


def _put_in_place_azure(leaver: Any, small: RecoveryKit) -> None:
    kit = leaver.account.kits.get()
    target = target_of(leaver.account, kit)
    run_lines(leaver, small.revival_command(target))
    (route,) = small.routes(target, publication("azure", report_url=report_url(kit)))
    (command,) = (act.command for act in route.acts if act.command)
    _azure_run(leaver, command)
