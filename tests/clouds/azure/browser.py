"""A browser in front of the played Azure portal and its Cloud Shell: no redirects, its own cookies, no scripts."""

import html
import http.client
import re
import time
from urllib.parse import urlencode

from tests.clouds.conftest import SandboxProcess


class Browser:
    def __init__(self, sandbox: SandboxProcess) -> None:
        self.port = sandbox.console
        self.cookies: dict[str, str] = {}

    def open(self, path: str, form: dict[str, str] | None = None) -> tuple[int, http.client.HTTPMessage, str]:
        """A page, or a form sent: values are given by the names of their fields."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers |= {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("GET" if form is None else "POST", path, None if form is None else urlencode(form), headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        if given := answer.headers.get("Set-Cookie"):
            name, _, value = given.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.headers, body

    def follow(self, path: str, form: dict[str, str] | None = None) -> str:
        """The page at the end of one redirect."""
        status, headers, body = self.open(path, form)
        return self.open(headers["Location"])[2] if status == 303 else body

    def when_done(self, path: str) -> str:
        """The page once it no longer looks again by itself."""
        for _ in range(800):  # a script that was refused waits 20 seconds and tries once more
            body = self.open(path)[2]
            if "data-refresh" not in body:
                return body
            time.sleep(0.05)
        raise AssertionError(f"{path} does not come to rest")

    # --- Cloud Shell ---

    def sign_in_to_shell(self, email: str, subscription: str) -> None:
        assert self.open("/console/shell/azure/signin", {"email": email, "project": subscription})[0] == 303

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and all that stands on the terminal."""
        status, headers, body = self.open("/console/shell/azure", {"command": command})
        assert status == 303, visible(body)
        shown = self.when_done(headers["Location"])
        ended = re.search(r"Exit code (\d+)", shown)
        assert ended is not None
        terminal = shown.partition("<pre")[2].partition("</pre>")[0].partition(">")[2]
        return int(ended.group(1)), html.unescape(terminal)


def visible(body: str) -> str:
    """What a reader sees of a page's main part, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body.partition('<main id="main">')[2])).split())


def fields(body: str) -> dict[str, str]:
    """Names and values of the inputs of a page."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", body):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            found[name[1]] = html.unescape(value[1]) if value else ""
    return found
