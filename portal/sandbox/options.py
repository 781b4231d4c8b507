"""The command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Options:
    """Where to listen, what stands in for DNS, and how slowly to play AWS. Port 0 takes any free port."""

    aws_port: int
    console_port: int
    smtp_port: int
    gcp_port: int
    azure_port: int
    portal_url: str  # what a customer's shell may call back
    kit_scripts: tuple[Path, ...]  # the only scripts that the played shell runs, or folders of them; the portal's own
    is_any_script_run: bool  # for tests: whatever lies in the bucket, under whatever hash
    issuers: dict[str, str]  # issuer origin -> the origin that answers for it
    state_dir: Path | None  # None keeps everything in memory
    pace_seconds: float  # how long CloudFormation works on one resource
    propagation_seconds: float  # how long a new role answers AccessDenied to a web identity


def parse(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m portal.sandbox", description="Strict local AWS, played console and mailbox on 127.0.0.1."
    )
    parser.add_argument("--aws-port", type=int, default=0, help="the portal's AWS endpoint (0: any free port)")
    parser.add_argument("--console-port", type=int, default=0, help="customer's AWS endpoint, /console/, /mailbox/, /_sandbox/")
    parser.add_argument("--smtp-port", type=int, default=0, help="takes mail")
    parser.add_argument("--gcp-port", type=int, default=0, help="the portal's and the customers' Google endpoint")
    parser.add_argument("--azure-port", type=int, default=0, help="the portal's and the customers' Azure endpoint, TLS")
    parser.add_argument(
        "--kit-script",
        action="append",
        default=[],
        type=Path,
        help="a script, or a folder of them, that the played shell may run; may be repeated",
    )
    parser.add_argument("--any-script", action="store_true", help="the played shell runs any script of the bucket (tests only)")
    parser.add_argument("--portal-url", default="", help="the portal, the only address that the played shell's curl calls")
    parser.add_argument(
        "--issuer-resolve",
        action="append",
        default=[],
        type=_resolution,
        metavar="ISSUER=ORIGIN",
        help="stands in for DNS and TLS only; may be repeated",
    )
    parser.add_argument("--state-dir", type=Path, default=None, help="where state survives a restart (default: memory only)")
    parser.add_argument("--pace", type=float, default=1.4, metavar="SECONDS", help="CloudFormation's time for one resource (default 1.4)")
    parser.add_argument(
        "--propagation", type=float, default=3.0, metavar="SECONDS", help="a new role is unknown to STS for this long (default 3)"
    )
    given = parser.parse_args(arguments)
    return Options(
        aws_port=given.aws_port,
        console_port=given.console_port,
        smtp_port=given.smtp_port,
        gcp_port=given.gcp_port,
        azure_port=given.azure_port,
        portal_url=given.portal_url.rstrip("/"),
        kit_scripts=tuple(given.kit_script),
        is_any_script_run=given.any_script,
        issuers=dict(given.issuer_resolve),
        state_dir=given.state_dir,
        pace_seconds=given.pace,
        propagation_seconds=given.propagation,
    )


def _resolution(text: str) -> tuple[str, str]:
    issuer, _, origin = text.partition("=")
    for url in (issuer, origin):
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise argparse.ArgumentTypeError(f"{text!r} is not ISSUER=ORIGIN, two http(s) origins")
    return issuer.rstrip("/"), origin.rstrip("/")
