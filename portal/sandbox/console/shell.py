"""`/console/shell/<cloud>`: the played Cloud Shell. It asks who you are, takes one kit's command, and shows what the script says."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, unquote, urlencode

from portal.sandbox import wire
from portal.sandbox.console import machines
from portal.sandbox.console.html import NOTHING, Markup, fill, form_field, hidden, join, page, redirect
from portal.sandbox.request import Request
from portal.sandbox.shell.command import NotAKitCommandError, parse
from portal.sandbox.shell.runs import Run, Runs
from portal.sandbox.shell.session import Session

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


class Cloud(Protocol):
    """What the shell must know of a cloud."""

    def owner_of(self, project: str) -> str:
        """The address that is suggested; "" when there is no such project."""

    def projects(self) -> list[str]: ...

    def session(self, email: str, project: str) -> Session: ...


@dataclass(frozen=True)
class Stage:
    """One cloud's shell: its words and its way to a session."""

    cloud: Cloud
    banner: str
    title: str
    place: str  # what the customer's place is called
    pattern: "re.Pattern[str]" = PROJECT


AWS = ("Played CloudShell – part of the demo, not AWS", "AWS CloudShell", "account")
AZURE = ("Played Cloud Shell – part of the demo, not Azure", "Azure Cloud Shell", "subscription")
GOOGLE = ("Played Cloud Shell – part of the demo, not Google Cloud", "Cloud Shell", "project")


class ShellPages:
    def __init__(self, runs: Runs, stages: dict[str, Stage]) -> None:
        self.runs = runs
        self.stages = stages

    async def __call__(self, request: Request) -> wire.Reply:
        name = request.path.removeprefix("/console/shell").strip("/")
        stage = self.stages.get(name.partition("/")[0])
        if stage is None:
            return wire.text(404, "Not found")
        path = f"/console/shell/{name.partition('/')[0]}"
        if request.method == "POST" and not _is_own(request):
            return wire.text(403, "This form was sent from another site.")
        if name.endswith("/signin"):
            return _sign_in(request, stage, path)
        who = _signed_in(request, name, stage)
        if who is None:
            return redirect(f"{path}/signin?{urlencode({'project': form_field(request.query, 'project')})}")
        visit = _Visit(request, stage, path, *who)
        visit.menu = machines.entry(self.runs.sandbox.agents)
        return self._start(visit) if request.method == "POST" else self._show(visit)

    def _start(self, visit: "_Visit") -> wire.Reply:
        text = form_field(visit.request.form, "command")
        try:
            wanted = parse(text)
        except NotAKitCommandError as problem:
            return visit.page(_command_form(visit, text, str(problem)), status=400)
        run = self.runs.start(text, wanted, visit.stage.cloud.session(visit.email, visit.project))
        return redirect(f"{visit.path}?{urlencode({'run': run.id})}")

    def _show(self, visit: "_Visit") -> wire.Reply:
        run = self.runs.kept.get(form_field(visit.request.query, "run"))
        if run is None or run.who != f"{visit.email} {visit.project}":
            return visit.page(_command_form(visit, ""))
        is_running = run.exit_code is None
        again = NOTHING if is_running else _command_form(visit, "")
        return visit.page(_output(visit, run), again, refresh=is_running)


class _Visit:
    menu: Markup = NOTHING

    def __init__(self, request: Request, stage: Stage, path: str, email: str, project: str) -> None:
        self.request = request
        self.stage = stage
        self.path = path
        self.email = email
        self.project = project

    def page(self, *body: object, refresh: bool = False, status: int = 200) -> wire.Reply:
        navigation = fill(
            "<header>{menu}<p>Signed in as <strong>{email}</strong>, {place} <strong>{project}</strong>.</p>"
            '<p><a href="{path}/signin">Switch</a></p></header>',
            email=self.email, place=self.stage.place, project=self.project, path=self.path,
            menu=fill('<nav aria-label="Services"><ul>{entry}</ul></nav>', entry=self.menu) if self.menu else NOTHING,
        )  # fmt: skip
        return page(self.stage.title, join(body), banner=self.stage.banner, navigation=navigation, refresh=refresh, status=status)


def _is_own(request: Request) -> bool:
    """A form of these pages: browsers say so in one of two headers, and nothing else may start a script."""
    site = request.headers.get("sec-fetch-site")
    return site == "same-origin" if site else request.headers.get("origin") == f"http://{request.headers.get('host')}"


def _signed_in(request: Request, name: str, stage: Stage) -> tuple[str, str] | None:
    found = re.search(rf"(?:^|;\s*)played_shell_{name}=([^;]*)", request.headers.get("cookie", ""))
    email, _, project = unquote(found.group(1)).partition(" ") if found else ("", "", "")
    return (email, project) if ADDRESS.fullmatch(email) and stage.pattern.fullmatch(project) else None


def _sign_in(request: Request, stage: Stage, path: str) -> wire.Reply:
    email, project = form_field(request.form, "email").strip(), form_field(request.form, "project").strip()
    problem = ""
    if request.method == "POST":
        checks: tuple[tuple[Callable[[str], object], str, str], ...] = (
            (ADDRESS.fullmatch, email, "Enter an e-mail address."),
            (stage.pattern.fullmatch, project, f"Enter the id of a {stage.place}, like {stage.cloud.projects()[0]}."),
        )
        problem = next((text for check, value, text in checks if not check(value)), "")
        if not problem:
            cookie = f"played_shell_{path.rpartition('/')[2]}={quote(f'{email} {project}')}; Path=/console/shell; HttpOnly; SameSite=Lax"
            return redirect(path, cookie)
    project = project or stage.cloud.projects()[0]
    body = fill(
        '<form method="post" action="{path}/signin" class="narrow">'
        "<p>The real shell would know who you are. This one takes any account, so that you can also play somebody without rights.</p>"
        "{problem}"
        '<p><label for="project">Which {place} are you in?</label><input id="project" name="project" value="{project}" required'
        ' autocomplete="off" list="projects"><datalist id="projects">{known}</datalist></p>'
        '<p><label for="email">Which account are you signed in with?</label><span class="hint" id="hint">Its owner is suggested</span>'
        '<input id="email" name="email" type="email" value="{email}" required autocomplete="off" aria-describedby="hint"></p>'
        "<p><button>Sign in</button></p></form>",
        path=path, place=stage.place, project=project, email=email or stage.cloud.owner_of(project),
        known=join(fill('<option value="{name}"></option>', name=name) for name in stage.cloud.projects()),
        problem=fill('<div class="error" role="alert"><p>{text}</p></div>', text=problem) if problem else "",
    )  # fmt: skip
    return page(f"Sign in to {stage.title}", body, banner=stage.banner, status=400 if problem else 200)


def _command_form(visit: _Visit, text: str, problem: str = "") -> Markup:
    return fill(
        '<form method="post" action="{path}">{problem}'
        '<p><label for="command">Command</label><span class="hint" id="hint">Paste the command that the portal shows, whole.</span>'
        '<textarea id="command" name="command" rows="8" required spellcheck="false" aria-describedby="hint">{text}</textarea>'
        "</p>{carried}<p><button>Run</button></p></form>",
        path=visit.path, text=text, carried=hidden(act="run"),
        problem=fill('<div class="error" role="alert"><p>{problem}</p></div>', problem=problem) if problem else "",
    )  # fmt: skip


def _output(visit: _Visit, run: Run) -> Markup:
    prompt = f"{visit.email.partition('@')[0]}@cloudshell:~ ({visit.project})$ "
    if run.exit_code is None:
        state = fill('<p role="status"><span class="status busy">Running</span></p>')
    else:
        kind = "good" if run.exit_code == 0 else "bad"
        state = fill('<p role="status"><span class="status {kind}">Exit code {code}</span></p>', kind=kind, code=run.exit_code)
    return fill(
        '<pre tabindex="0" role="region" aria-label="Terminal">{prompt}{text}\n{output}</pre>{state}',
        prompt=prompt, text=run.text.replace("\r", ""), output=run.output.decode("utf-8", "replace"), state=state,
    )  # fmt: skip
