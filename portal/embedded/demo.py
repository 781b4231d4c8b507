"""`manage.py demo`: the whole product on this machine, with nothing else installed. Standard library only."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from portal.embedded.data import DataDirectory, DemoError, explain_os_error, fingerprint, is_disk_full
from portal.embedded.people import PEOPLE
from portal.embedded.ports import has_ipv6, is_free, is_listening
from portal.embedded.postgres import APPLICATION, OWNER, OtherVersionError, Postgres, PostgresError, end_leftover, find_binaries
from portal.embedded.process import NoOrdinaryUserError, end_leftovers
from portal.embedded.supervisor import Child, Stopped, Supervisor
from portal.embedded.valkey import Valkey, ValkeyError, find_server

ROOT = Path(__file__).resolve().parent.parent.parent
ISSUER = "https://id.portal.test"  # stands for the portal's public https address; only the local AWS resolves it
PROVIDER_ACCOUNT = "999900001111"
PROVIDER_PROJECT = "fernhill-releases"
SANDBOX_PORTS = ("console", "aws", "smtp", "gcp", "azure")
MARK = "PORTAL_DEMO_DATA"
# What a start prepares once, and the files whose change makes it do so again.
PREPARED = {
    "static": "Styles and scripts are collected",
    "schema": "The database has its tables",
    "people": "The demo's people are there",
    "kits": "The kits are published",
}
READY = {"sandbox": "The local clouds are ready", "web": "The portal listens"}
MIGRATIONS = (
    *(
        "accounts/migrations",
        "accounts/support/migrations",
        "accounts/offboarding/migrations",
        "accounts/closing/migrations",
        "cells/migrations",
        "portal/audit",
        "portal/operations/migrations",
    ),
    "requirements-demo.lock",
)
STATIC = ("static", "requirements-demo.lock")
KITS = ("accounts/kits", "accounts/management/commands", "cells/stacks/gcp", "accounts/clouds/gcp")
PEOPLE_FILES = ("portal/management/commands", "portal/embedded/people.py", "cells/demo_plans.py")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, choices=range(1, 65530), metavar="PORT", default=8000, help="port of the portal (default 8000)")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".data", help="where everything is kept (default .data)")
    parser.add_argument("--reset", action="store_true", help="delete the data of earlier runs first")


def main(argv: Sequence[str]) -> int:
    """Run until Ctrl-C. Exit code 1 and a message when it cannot start."""
    parser = argparse.ArgumentParser(prog="python3 manage.py demo", description="Run the portal with everything it needs.")
    add_arguments(parser)
    options = parser.parse_args(argv)
    return run(options.port, options.data_dir, reset=options.reset)


def run(port: int, data_dir: Path, *, reset: bool) -> int:
    """The demo's exit code; its failures are written for whoever typed the command."""
    try:
        Demo(port, data_dir, reset=reset).run()
    except (DemoError, PostgresError, ValkeyError, NoOrdinaryUserError) as error:
        return _refuse(_in_words(error, data_dir))
    except OSError as error:
        return _refuse(explain_os_error(error, data_dir))
    return 0


def _refuse(message: str) -> int:
    sys.stdout.flush()
    sys.stderr.write(f"\n{message}\n")
    return 1


def _in_words(error: Exception, path: Path) -> str:
    if is_disk_full(str(error)):
        return explain_os_error(OSError(str(error)), path)
    if isinstance(error, OtherVersionError):
        return f"{error} Add --reset to delete {path} and start afresh, or keep it and choose another with --data-dir."
    return str(error)


class Demo:
    """One run: directories, addresses and children."""

    def __init__(self, port: int, data_dir: Path, *, reset: bool = False) -> None:
        self.began_at = time.monotonic()
        self.port = port
        self.reset = reset
        self.data = DataDirectory(data_dir)
        self.url = f"http://localhost:{port}"

    def run(self) -> None:
        """Start everything, show the addresses, stay until asked to stop. Raises what `main` explains."""
        self.say(f"Starting the portal. Its data is in {self.data.path}; Ctrl-C stops it.\n")
        with self.data.opened(reset=self.reset, end_leftovers=self._end_leftovers):
            self._run()

    def _end_leftovers(self) -> None:
        end_leftovers(f"{MARK}={self.data.path}")
        end_leftover(self.data.path / "pg")

    def _run(self) -> None:
        if not is_free(self.port):
            message = (
                f"Port {self.port} is taken by another program, so the portal cannot listen there. Stop that program, or choose another "
                f"port: python3 manage.py demo --port {self.port + 100}"
            )
            raise DemoError(message)
        self.data.sign_lock(f"process {os.getpid()}, {self.url}")
        self.secrets = self.data.secrets()
        self.ports = self.data.ports(SANDBOX_PORTS, self.port + 1)
        # Short, because the path of a socket may have 107 bytes; nobody else may enter, because the servers ask for no password.
        self.runtime = Path(tempfile.mkdtemp(prefix="byoc-"))
        self._forget_old_runtime()
        try:
            with Supervisor(ROOT, self.data.logs, self.say) as supervisor:
                self._start(supervisor)
                self._greet()
                supervisor.run()
        except Stopped:
            self.say("\nStopped. Everything is kept; the same command continues.")
        finally:
            shutil.rmtree(self.runtime, ignore_errors=True)

    def say(self, line: str) -> None:
        with suppress(BrokenPipeError):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def _progress(self, text: str) -> None:
        self.say(f"  {time.monotonic() - self.began_at:5.1f} s  {text}")

    def _forget_old_runtime(self) -> None:
        """A killed run could not remove its own."""
        note = self.data.path / "runtime"
        with suppress(OSError):
            old = Path(note.read_text())
            if old.name.startswith("byoc-") and old.parent == self.runtime.parent:
                shutil.rmtree(old, ignore_errors=True)
        self.data.write("runtime", str(self.runtime))

    # --- Starting ---

    def _start(self, supervisor: Supervisor) -> None:
        """Everything at once; what must wait for something waits by itself, with its program already loaded."""
        # Given addresses replace what is embedded.
        self.has_postgres = "DATABASE_URL" not in os.environ
        self.has_valkey = not {"BROKER_URL", "CACHE_URL"} <= os.environ.keys()
        self.postgres = Postgres(self.data.path / "pg", self.runtime, find_binaries(self.data.path / "pg"))
        self.valkey = Valkey(self.data.path / "valkey", self.runtime, find_server())

        stale = self._stale()
        if self.has_valkey:
            supervisor.start(Child("Valkey", self._valkey, self._environment(), is_server=True))
        if stale:
            supervisor.start(self._preparation(stale))
        for task in PREPARED.keys() - stale.keys():
            self._gate(task).touch()
        supervisor.start(self._web())
        supervisor.start(self._sandbox())
        if self.has_postgres:
            self._start_postgres(supervisor)
        self._gate("database").touch()
        self._await_all(supervisor, stale)

    def _start_postgres(self, supervisor: Supervisor) -> None:
        if not (self.data.path / "pg").exists():
            self._progress("Making the database")
        server = Child("PostgreSQL", self._postgres, self._environment(), as_user=True, is_server=True, stop_signal=signal.SIGINT)
        supervisor.start(server)
        supervisor.wait_for(self.postgres.is_ready, "PostgreSQL", 60)
        self._progress("PostgreSQL is ready")

    def _await_all(self, supervisor: Supervisor, stale: Mapping[str, str]) -> None:
        """Tell of each thing when it is ready, in the order in which that happens."""
        awaited = {task: self._gate(task).exists for task in stale}
        awaited["sandbox"] = lambda: all(is_listening(port) for port in self.ports.values())
        awaited["web"] = lambda: is_listening(self.port)

        def is_all_ready() -> bool:
            for name in [name for name, is_ready in awaited.items() if is_ready()]:
                del awaited[name]
                self._progress(PREPARED.get(name) or READY[name])
                if name in stale:
                    self.data.mark_prepared({name: stale[name]})
                elif name == "sandbox":
                    self._gate("sandbox").touch()
                else:  # their start would only have slowed the rest
                    supervisor.start(self._worker())
                    supervisor.start(self._reports())
            return not awaited

        supervisor.wait_for(is_all_ready, "The portal", 180)

    def _stale(self) -> dict[str, str]:
        """Name and fingerprint of what has to be prepared (again)."""
        target = os.environ.get("DATABASE_URL", "")
        now = {
            "schema": fingerprint([ROOT / path for path in MIGRATIONS if (ROOT / path).exists()], target),
            "static": fingerprint([ROOT / path for path in STATIC]),
            "kits": fingerprint([ROOT / path for path in KITS]),
            "people": fingerprint([ROOT / path for path in PEOPLE_FILES], target, self.secrets["PORTAL_DEMO_PASSWORD"]),
        }
        return {task: value for task, value in now.items() if not self._is_there(task) or not self.data.is_prepared(task, value)}

    def _is_there(self, task: str) -> bool:
        """Whether the place of what was prepared still exists; somebody may have deleted only that."""
        place = {"static": "static", "kits": "aws"}.get(task, "pg")
        return (self.data.path / place).exists() or (place == "pg" and not self.has_postgres)

    # --- The children ---

    def _preparation(self, stale: Mapping[str, str]) -> Child:
        """Lanes that go on side by side; see `portal.embedded.lanes`."""
        # Migrations run as the owner of the tables; the portal's own role may then use them, but change neither them nor the log.
        grant = [["run", "grant_app_role", APPLICATION]] if self.has_postgres else []
        steps = {
            "static": [["run", "collectstatic", "--noinput", "--clear", "--verbosity=0"]],
            "schema": [self._wait("database"), ["run", "migrate", "--verbosity=0"], *grant],
            "people": [self._wait("schema"), ["run", "load_demo", "--quiet"]],
            "kits": [
                self._wait("sandbox"),
                ["run", "publish_kits"],
                ["run", "publish_plans"],
                ["run", "write_recovery_kits", str(self._recovery_kits)],
            ],
        }
        lanes = [
            {
                "role": (OWNER if task == "schema" else APPLICATION) if self.has_postgres else "",
                "steps": [*steps[task], ["done", str(self._gate(task))]],
            }
            for task in steps
            if task in stale
        ]
        # The provider's key uploads the kits; neither the web server nor the worker ever has it.
        environment = self._environment(
            AWS_ACCESS_KEY_ID=PROVIDER_ACCOUNT,
            AWS_SECRET_ACCESS_KEY="of-the-local-aws",  # noqa: S106
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{self.ports['console']}",
            PORTAL_GCP_PLANS_PROJECT=PROVIDER_PROJECT,
            PORTAL_GCP_PUBLISH_TOKEN="ya29.of-the-local-google",  # noqa: S106
            DATABASE_URL=self._database(""),
            PORTAL_DEMO_PASSWORD=self.secrets["PORTAL_DEMO_PASSWORD"],
            PORTAL_DEMO_TOTP_SECRET=self.secrets["PORTAL_DEMO_TOTP_SECRET"],
        )
        return Child("Preparation", [sys.executable, "-m", "portal.embedded.lanes", json.dumps(lanes)], environment, is_once=True)

    def _postgres(self) -> list[str | Path]:
        self.postgres.prepare()
        return self.postgres.command()

    def _valkey(self) -> list[str | Path]:
        self.valkey.prepare()
        return self.valkey.command()

    def _sandbox(self) -> Child:
        ports = [word for name in SANDBOX_PORTS for word in (f"--{name}-port", str(self.ports[name]))]
        command = [sys.executable, "-m", "portal.sandbox", *ports, "--issuer-resolve", f"{ISSUER}=http://127.0.0.1:{self.port}"]
        command += ["--portal-url", self.url]
        scripts = [
            *sorted((ROOT / "accounts" / "kits").glob("*/kit.sh")),
            ROOT / "accounts" / "offboarding" / "leftovers" / "byoc-leftovers.sh",
            self._recovery_kits,
        ]
        command += [word for script in scripts for word in ("--kit-script", str(script))]
        environment = self._environment(PORTAL_DEMO_TOTP_SECRET=self.secrets["PORTAL_DEMO_TOTP_SECRET"])
        return Child("Local AWS", [*command, "--state-dir", self.data.path / "aws"], environment)

    @property
    def _recovery_kits(self) -> Path:
        """They are made by the program: the preparation writes them there."""
        return self.data.path / "recovery-kits"

    def _web(self) -> Child:
        addresses = [f"--bind=127.0.0.1:{self.port}", *([f"--bind=[::1]:{self.port}"] if has_ipv6() else [])]
        command = [sys.executable, "-m", "gunicorn", "--config=python:portal.embedded.gunicorn_settings", *addresses]
        gates = f"{self._gate('static')}:{self._gate('schema')}"
        environment = self._environment(PORTAL_DEMO_GATES=gates, PORTAL_DEMO_REPORTS=str(self._reports_socket))
        return Child("Web server", [*command, "portal.embedded.web:application"], environment)

    def _worker(self) -> Child:
        command = [sys.executable, "-m", "celery", "--app=portal.embedded.worker", "worker", "--pool=threads", "--concurrency=8"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        environment = self._environment(PORTAL_DEMO_SCHEDULE=str(self.data.path / "beat-schedule"))
        return Child("Worker", [*command, *quiet], environment)

    def _reports(self) -> Child:
        """As in production; the web server plays the proxy in front of it (`portal.embedded.reports`)."""
        command = [sys.executable, "-m", "uvicorn", "portal.ingest:application", "--loop=uvloop"]
        words = ["--http=httptools", "--no-access-log", "--no-proxy-headers", "--log-level=warning", "--timeout-graceful-shutdown=3"]
        return Child("Reports", [*command, "--uds", self._reports_socket, *words], self._environment())

    @property
    def _reports_socket(self) -> Path:
        return self.runtime / "reports"

    # --- Addresses ---

    def _environment(self, **more: str) -> dict[str, str]:
        """All that a child learns: the caller's environment without its AWS keys, and ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PORTAL_DEMO_"))}
        brand = {
            "PORTAL_PROVIDER_NAME": "Fernhill",
            "PORTAL_SUPPORT_EMAIL": "support@fernhill.example",
            "PORTAL_MAIL_FROM": "Fernhill <no-reply@fernhill.example>",
        }
        ours = {
            MARK: str(self.data.path),
            "PORTAL_URL": self.url,
            "PORTAL_HOSTS": "localhost,127.0.0.1,[::1],id.portal.test",
            "PORTAL_ISSUER_URL": ISSUER,
            "PORTAL_SECRET_KEY": self.secrets["PORTAL_SECRET_KEY"],
            "PORTAL_SEAL_KEYS": self.secrets["PORTAL_SEAL_KEYS"],
            "PORTAL_STATIC_ROOT": str(self.data.path / "static"),
            "PORTAL_KITS_BUCKET": "fernhill-kits",
            # Quick enough to watch: a look every other minute, the second one after a quarter.
            "PORTAL_TRUST_LOOK_MINUTES": "2",
            "PORTAL_TRUST_CONFIRM_MINUTES": "0.25",
            "PORTAL_AWS_CONSOLE_URL": f"http://localhost:{self.ports['console']}/console",
            "PORTAL_GCP_PLANS_BUCKET": "fernhill-plans",
            "PORTAL_GCP_URL": f"http://127.0.0.1:{self.ports['gcp']}",
            "PORTAL_GCP_CONSOLE_URL": f"http://localhost:{self.ports['console']}/console/shell/gcp",
            "PORTAL_AZURE_AUTHORITY_URL": f"https://127.0.0.1:{self.ports['azure']}",
            "PORTAL_AZURE_ARM_URL": f"https://127.0.0.1:{self.ports['azure']}",
            "PORTAL_AZURE_CA_FILE": str(self.data.path / "aws" / "azure-ca.pem"),
            "PORTAL_AZURE_CONSOLE_URL": f"http://localhost:{self.ports['console']}/console/azure",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.ports['aws']}",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "EMAIL_URL": f"smtp://127.0.0.1:{self.ports['smtp']}",
            "DATABASE_URL": self._database(APPLICATION),
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",  # eight threads would otherwise keep eight heaps
        }
        if self.has_valkey:
            ours |= {"BROKER_URL": self.valkey.broker_url, "CACHE_URL": self.valkey.cache_url}
        return brand | kept | ours | more

    def _database(self, role: str) -> str:
        return self.postgres.url(role) if self.has_postgres else os.environ["DATABASE_URL"]

    def _gate(self, name: str) -> Path:
        """A file that is there as soon as something is ready."""
        return self.runtime / f"ready-{name}"

    def _wait(self, name: str) -> list[str]:
        return ["wait", str(self._gate(name))]

    # --- The last word of the start ---

    def _greet(self) -> None:
        console = f"http://localhost:{self.ports['console']}"
        width = max(len(person.email) for person in PEOPLE)
        self.say(f"\nReady after {time.monotonic() - self.began_at:.1f} s.\n")
        self.say(f"  Portal       {self.url}")
        self.say(f"  Mailbox      {console}/mailbox/        every mail the portal sends")
        self.say(f"  Codes        {console}/authenticator/  plays the phone of Fernhill's staff and engineers")
        self.say(f"  AWS console  {console}/console/        plays the customer's side")
        self.say(f"  Cloud Shell  {console}/console/shell/gcp   the same for Google Cloud")
        self.say(f"  Azure        {console}/console/azure/  and {console}/console/shell/azure: the same for Azure\n")
        self.say(f"  Everybody's password: {self.secrets['PORTAL_DEMO_PASSWORD']}\n")
        for person in PEOPLE:
            self.say(f"  {person.email:{width}}   {person.what}")
        self.say("")
