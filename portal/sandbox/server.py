"""Starts everything in one loop: two HTTP servers, the SMTP server, the snapshots. Binds 127.0.0.1 only."""

import asyncio
import concurrent.futures
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import uvicorn
from aiosmtpd.smtp import SMTP
from ministack import app as ministack

from portal.sandbox import front
from portal.sandbox.aws import cloudformation, iam, surroundings
from portal.sandbox.aws.cells import resources as cells
from portal.sandbox.aws.cells import stacks as cell_stacks
from portal.sandbox.aws.shell import ACCOUNT, AwsShell
from portal.sandbox.aws.snapshots import Snapshots
from portal.sandbox.azure.certificates import prepare
from portal.sandbox.azure.control import AzureControl
from portal.sandbox.azure.front import AzureFront
from portal.sandbox.azure.shell import SUBSCRIPTION, AzureShell
from portal.sandbox.azure.snapshots import AzureSnapshots
from portal.sandbox.azure.world import World
from portal.sandbox.console import Console
from portal.sandbox.console.authenticator import AuthenticatorPages
from portal.sandbox.console.azure import AzurePages
from portal.sandbox.console.machines import MachinePages
from portal.sandbox.console.mailbox import MailboxPages
from portal.sandbox.console.shell import AWS, AZURE, GOOGLE, ShellPages, Stage
from portal.sandbox.control import CloudControl, Control
from portal.sandbox.front import Front, Port
from portal.sandbox.gcp.control import GoogleControl
from portal.sandbox.gcp.front import GoogleCloud
from portal.sandbox.gcp.seed import fresh_world
from portal.sandbox.gcp.shell import GoogleShell
from portal.sandbox.gcp.snapshots import Snapshots as GoogleSnapshots
from portal.sandbox.mail import Receiver
from portal.sandbox.options import Options
from portal.sandbox.sandbox import Sandbox
from portal.sandbox.shell.runs import Runs

HOST = "127.0.0.1"
WORKERS = 24  # threads for key fetches and S3; CloudFormation's resources have their own


class Server(uvicorn.Server):
    """A server that leaves the signals to us, and sleeps until told instead of ticking ten times a second."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event) -> None:
        super().__init__(config)
        self.stop = stop

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        await self.stop.wait()


async def serve(options: Options) -> int:
    """Runs until SIGTERM or SIGINT. 0 after a clean stop, 2 when a port is taken."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(WORKERS, thread_name_prefix="sandbox"))
    ministack._MAIN_LOOP = loop
    try:
        sockets = {
            name: _listen(port)
            for name, port in (
                ("aws", options.aws_port),
                ("console", options.console_port),
                ("smtp", options.smtp_port),
                ("gcp", options.gcp_port),
                ("azure", options.azure_port),
            )
        }
    except OSError as problem:
        sys.stderr.write(f"The local AWS cannot listen: {problem}\n")
        return 2
    sandbox = Sandbox.of(options)
    sandbox.ports = {name: sock.getsockname()[1] for name, sock in sockets.items()}
    front.install()
    iam.install(sandbox)
    cloudformation.install(sandbox)
    surroundings.install(sandbox)
    cells.install(sandbox)
    cell_stacks.install(sandbox)
    snapshots = Snapshots(sandbox)
    snapshots.load()
    google = GoogleCloud(sandbox, fresh_world(options.propagation_seconds, options.pace_seconds))
    google_snapshots = GoogleSnapshots(google, options.state_dir)
    google_snapshots.load()
    azure_world = World()
    certificates = prepare(options.state_dir or Path(tempfile.mkdtemp(prefix="byoc-azure-")))
    azure = AzureFront(azure_world, sandbox, certificates.authority)
    azure_snapshots = AzureSnapshots(azure_world, options.state_dir)
    azure_snapshots.load()
    await asyncio.to_thread(sandbox.agents.resume)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    smtp = await loop.create_server(
        lambda: SMTP(Receiver(sandbox.mailbox), hostname="localhost", enable_SMTPUTF8=True), sock=sockets["smtp"]
    )
    keepers = [loop.create_task(kept.keep()) for kept in (snapshots, google_snapshots, azure_snapshots)]
    keepers.append(loop.create_task(azure.keep_time()))
    aws, console = _fronts(sandbox, snapshots, google, azure)
    servers = {"aws": _config(aws), "console": _config(console), "gcp": _config(google), "azure": _config(azure, certificates.server)}
    sys.stdout.write(json.dumps({"ready": True, **sandbox.ports, "azure_ca": str(certificates.authority)}) + "\n")
    sys.stdout.flush()
    await asyncio.gather(*(Server(config, stop).serve([sockets[name]]) for name, config in servers.items()))
    for keeper in keepers:
        keeper.cancel()
    smtp.close()
    await asyncio.to_thread(sandbox.agents.close)
    snapshots.save()
    google_snapshots.save()
    azure_snapshots.save()
    if options.state_dir is None:
        shutil.rmtree(certificates.authority.parent, ignore_errors=True)
        shutil.rmtree(sandbox.agents.folder.parent, ignore_errors=True)
    return 0


def _fronts(sandbox: Sandbox, snapshots: Snapshots, google: GoogleCloud, azure: AzureFront) -> tuple[Front, Front]:
    customer = Front(Port.CUSTOMER, sandbox, {})
    stages = {
        "aws": Stage(AwsShell(sandbox), *AWS, ACCOUNT),
        "gcp": Stage(GoogleShell(google), *GOOGLE),
        "azure": Stage(AzureShell(azure), *AZURE, SUBSCRIPTION),
    }
    shell = ShellPages(Runs(sandbox), stages)
    console = Console(customer, sandbox, {"shell": shell, "azure": AzurePages(azure)})
    mailbox = MailboxPages(sandbox.mailbox)
    phone = AuthenticatorPages(os.environ.get("PORTAL_DEMO_TOTP_SECRET", ""))
    clouds: dict[str, CloudControl] = {"gcp": GoogleControl(google), "azure": AzureControl(azure.world, sandbox)}
    customer.pages |= {"_sandbox": Control(sandbox, snapshots.save, clouds), "": console}
    customer.pages |= {"console": console, "mailbox": mailbox, "authenticator": phone, "machines": MachinePages(sandbox.agents)}
    return Front(Port.PORTAL, sandbox, {}), customer


def _config(app: Front | GoogleCloud | AzureFront, certificate: Path | None = None) -> uvicorn.Config:
    return uvicorn.Config(
        app, http="h11", ws="none", lifespan="off", loop="asyncio", log_config=None, access_log=False,
        date_header=False, server_header=False, timeout_graceful_shutdown=2, ssl_certfile=certificate, ssl_keyfile=certificate,
    )  # fmt: skip


def _listen(port: int) -> socket.socket:
    # With its protocol named, asyncio sends what it is given at once: an answer would wait 40 ms between its head and its body.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
        sock.listen(1024)  # now, so that whoever reads "ready" can connect
    except OSError as problem:
        sock.close()
        raise OSError(f"port {port} is taken ({problem.strerror})") from problem
    return sock
