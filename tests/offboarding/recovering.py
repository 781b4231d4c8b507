"""The customer runs the recovery kit, as the page of a stuck offboarding tells it: with its command, and the file it hands out."""

import html
import re
from typing import Any

from accounts.kits.recovery import RecoveryKit


def run(leaver: Any) -> None:
    {"aws": _aws}[leaver.account.cloud](leaver)


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


def put_in_place(leaver: Any, small: RecoveryKit) -> None:
    """Where no page offers it."""
    {"aws": _put_in_place_aws}[leaver.account.cloud](leaver, small)


def _put_in_place_aws(leaver: Any, small: RecoveryKit) -> None:
    leaver.standing.hand.run_kit(template=small.documents[0].text, AllowSupport="no")
