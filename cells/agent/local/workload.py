"""One release: a tiny HTTP server on this machine's own address. Says who it is, how it is, counts what it is asked, and keeps it."""

from __future__ import annotations

import argparse
import html
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title></head>
<body><h1>{name}</h1><p>Version {version}, revision {revision}. It runs.</p></body></html>"""


class Handler(BaseHTTPRequestHandler):
    """Everything but its own two paths counts as a request of a user; /fail answers as a broken program would, and its log says so."""

    page = b""
    kept = Path()
    requests = errors = 0

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, b"ok", "text/plain")
        elif self.path == "/stats":
            self._answer(200, json.dumps({"requests": Handler.requests, "errors": Handler.errors}).encode(), "application/json")
        else:
            Handler.requests += 1
            is_failing = self.path.partition("?")[0] == "/fail"
            Handler.errors += is_failing
            with self.kept.open("a") as file:
                file.write(f"{self.path}\n")
            if is_failing:
                self._say(f"ERROR a request has failed: {self.path}")
            self._answer(500 if is_failing else 200, self.page, "text/html; charset=utf-8")

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @staticmethod
    def _say(words: str) -> None:
        sys.stdout.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {words}\n")
        sys.stdout.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are counted, not written down."""


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--name", "--chart", "--version", "--revision"):
        parser.add_argument(name, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    if given.chart.rstrip("/").endswith("broken"):
        sys.stderr.write("This chart is the one that never starts.\n")
        return 1
    words = {"name": given.name, "version": given.version, "revision": given.revision}
    Handler._say(f"INFO {given.name} starts: version {given.version}, revision {given.revision}")
    Handler.page = PAGE.format(**{name: html.escape(value) for name, value in words.items()}).encode()
    Handler.kept = given.data / "requests"
    ThreadingHTTPServer(("127.0.0.1", given.port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
