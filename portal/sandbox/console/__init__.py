"""The played AWS console: real calls against this sandbox, so that the whole journey can be walked in a browser."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from portal.sandbox.front import Front
from portal.sandbox import wire
from portal.sandbox.console import machines
from portal.sandbox.console.aws import Aws, AwsRefusedError
from portal.sandbox.console.html import Markup, fill, form_field, hidden, join, page, redirect
from portal.sandbox.request import Request
from portal.sandbox.sandbox import Sandbox

BANNER = "Played AWS console \u2013 part of the demo, not AWS"
SUGGESTED_ACCOUNT = "111122223333"


def _regions() -> dict[str, str]:
    """AWS's commercial regions and their names, as its own SDK knows them."""
    partitions = json.loads(files("botocore").joinpath("data/partitions.json").read_text())["partitions"]
    known = next(partition["regions"] for partition in partitions if partition["id"] == "aws")
    return {code: known[code]["description"] for code in sorted(known) if code != "aws-global"}


REGIONS = _regions()
STATIC = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}
FOLDER = Path(__file__).parent / "static"
View = Callable[["Visit"], Awaitable[wire.Reply]]
Page = Callable[[Request], Awaitable[wire.Reply]]


class Visit:
    """One request of somebody signed in at an account, in a region."""

    def __init__(self, request: Request, front: "Front", sandbox: Sandbox, account: str) -> None:
        self.request = request
        self.sandbox = sandbox
        self.account = account
        named = self.field("region")
        self.region = named if re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", named) else "us-east-1"
        self.aws = Aws(front, account, self.region)

    def field(self, name: str) -> str:
        return form_field(self.request.form, name)

    @property
    def is_post(self) -> bool:
        return self.request.method == "POST"

    def link(self, path: str, **query: str) -> str:
        return f"/console/{path}?{urlencode({'region': self.region, **query})}"

    def page(self, title: str, *body: object, refresh: bool = False, status: int = 200) -> wire.Reply:
        return page(title, join(body), banner=BANNER, navigation=self._navigation(), refresh=refresh, status=status)

    def _navigation(self) -> Markup:
        entries = (("CloudFormation stacks", "cloudformation/stacks"), ("IAM roles", "iam/roles"), ("Identity providers", "iam/providers"))
        links = join(fill('<li><a href="{href}">{name}</a></li>', href=self.link(path), name=name) for name, path in entries)
        return fill(
            '<header><nav aria-label="Services"><ul>{links}{machines}</ul></nav>'
            "<p>Account <strong>{account}</strong>, region <strong>{region}</strong>. "
            '<a href="/console/signin?{leave}">Switch account</a></p></header>',
            links=links, machines=machines.entry(self.sandbox.agents),
            account=self.account, region=self.region, leave=urlencode({"next": self.link("cloudformation/stacks")}),
        )  # fmt: skip


class Console:
    """Everything under /console/, and the address `/` itself."""

    def __init__(self, front: "Front", sandbox: Sandbox, elsewhere: Mapping[str, Page]) -> None:
        from portal.sandbox.console import cloudformation, iam, stack_update  # noqa: PLC0415 - all need Visit from here

        self.front = front
        self.sandbox = sandbox
        self.elsewhere = elsewhere  # by the first part of the path: other clouds' pages, and their shells
        self.views: dict[str, View] = {**cloudformation.VIEWS, **stack_update.VIEWS, **iam.VIEWS}

    async def __call__(self, request: Request) -> wire.Reply:
        path = request.path.removeprefix("/console").strip("/")
        if path.startswith("static/"):
            return _static(path.removeprefix("static/"))
        other = self.elsewhere.get(path.partition("/")[0])
        if other is not None:
            return await other(request)
        open_pages = {"": lambda _request: redirect("/console/cloudformation/stacks"), "signin": _sign_in, "cloudformation/home": _home}
        if path in open_pages:
            return open_pages[path](request)
        account = _signed_in(request)
        if not account:
            return redirect("/console/signin?" + urlencode({"next": f"/console/{path}?{urlencode(request.query, doseq=True)}"}))
        return await self._show(path, Visit(request, self.front, self.sandbox, account))

    async def _show(self, path: str, visit: Visit) -> wire.Reply:
        view = self.views.get(path)
        if view is None:
            return visit.page("Not played", fill("<p>The demo does not play this page.</p>"), status=404)
        try:
            return await view(visit)
        except AwsRefusedError as refused:
            return visit.page("AWS refused", error(refused), status=400)


def error(refused: AwsRefusedError) -> Markup:
    return fill('<div class="error" role="alert"><strong>{code}</strong><p>{message}</p></div>', code=refused.code, message=refused.message)


def _static(name: str) -> wire.Reply:
    if name not in STATIC:
        return wire.text(404, "Not found")
    return wire.Reply(200, STATIC[name], (FOLDER / name).read_bytes(), (("cache-control", "no-cache"),))


def _signed_in(request: Request) -> str:
    found = re.search(r"(?:^|;\s*)played_account=(\d{12})(?:;|$)", request.headers.get("cookie", ""))
    return found.group(1) if found else ""


def _home(request: Request) -> wire.Reply:
    """Where AWS's quick-create links point. What to do stands in the fragment, which only the script can read."""
    region = form_field(request.query, "region") or "us-east-1"
    body = fill(
        "<p>Opening\u2026</p><noscript><p>AWS quick-create links need JavaScript: what to create stands behind the # of the address.</p>"
        "</noscript>"
        '<p><a href="/console/cloudformation/stacks?region={region}">All stacks</a></p>',
        region=region,
    )
    return page("CloudFormation", body, banner=BANNER)


def _sign_in(request: Request) -> wire.Reply:
    onward = form_field(request.form, "next")
    onward = onward if onward.startswith("/console/") else "/console/cloudformation/stacks"
    account = form_field(request.form, "account").replace("-", "").replace(" ", "")
    problem = ""
    if request.method == "POST":
        if re.fullmatch(r"\d{12}", account):
            return redirect(onward, f"played_account={account}; Path=/console; HttpOnly; SameSite=Lax")
        problem = "An account number has 12 digits."
    body = fill(
        '<form method="post" action="/console/signin" class="narrow">'
        "<p>Real AWS would ask for your user and password here. This one takes any account, "
        "so that you can also play being signed in to the wrong one.</p>{problem}"
        '<p><label for="account">Which AWS account are you signed in to?</label><span class="hint" id="hint">12 digits</span>'
        '<input id="account" name="account" value="{account}" inputmode="numeric" autocomplete="off" required aria-describedby="hint"></p>'
        "{onward}<p><button>Sign in</button></p></form>",
        problem=fill('<div class="error" role="alert"><p>{text}</p></div>', text=problem) if problem else "",
        account=account or SUGGESTED_ACCOUNT,
        onward=hidden(next=onward),
    )
    return page("Sign in", body, banner=BANNER)
