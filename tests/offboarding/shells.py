"""The played shell of a cloud as its customer meets it: signed in, a command pasted, what the terminal shows."""

import html
import http.client
import re
import time
from urllib.parse import quote, urlencode

PEOPLE = {"aws": "admin@acme.example", "gcp": "owner@acme.example"}


def run(sandbox, cloud: str, place: str, command: str) -> tuple[int, str]:
    """Exit code, and everything on the terminal, once it has ended."""
    who = PEOPLE.get(cloud) or suggested(sandbox, cloud, place)
    cookie = f"played_shell_{cloud}={quote(f'{who} {place}')}"
    status, headers, body = _ask(sandbox, f"/console/shell/{cloud}", cookie, {"command": command})
    assert status == 303, body
    for _turn in range(1200):
        body = html.unescape(_ask(sandbox, headers["Location"], cookie)[2])
        if ended := re.search(r"Exit code (\d+)", body):
            return int(ended.group(1)), body.split("<pre", 1)[1].split("</pre>", 1)[0]
        time.sleep(0.1)
    raise AssertionError("the command does not end")


def suggested(sandbox, cloud: str, place: str) -> str:
    """Whom the page of sign-in takes for the owner of this place."""
    body = _ask(sandbox, f"/console/shell/{cloud}/signin?project={place}", "", {"project": place, "email": "?"})[2]
    return html.unescape(re.search(r'type="email" value="([^"]*)"', _ask(sandbox, f"/console/shell/{cloud}/signin", "")[2] or body)[1])


def _ask(sandbox, path: str, cookie: str, form: dict[str, str] | None = None):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.console_port, timeout=20)
    headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{sandbox.console_port}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST" if form else "GET", path, urlencode(form) if form else None, headers)
    answer = connection.getresponse()
    found = answer.status, answer.headers, answer.read().decode()
    connection.close()
    return found
