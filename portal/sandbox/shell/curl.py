"""`curl`, as far as kits use it: one request to the portal or for a published file, and to nobody else."""

import http.client
import re
import sys
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from portal.sandbox.shell.session import Session

WITH_VALUE = {"-X": "method", "--request": "method", "-d": "data", "--data": "data", "-m": "seconds", "--max-time": "seconds"}
HEADER = {"-H", "--header"}
# Letters that mean nothing to us: fail, silent, show errors.
BARE = {"-f", "-s", "-S", "-L", "-fsS", "-fs", "-sS", "-fsSL", "--fail", "--silent", "--show-error", "--location"}
TO_FILE = {"-o", "-fsSLo", "--output"}  # and a last o among the letters
BUCKET = re.compile(r"https://(?:[a-z0-9.-]+\.)?s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com")
FAILED, NO_HOST, NO_CONNECTION = 22, 6, 7


def main(arguments: list[str], session: Session) -> int:
    given: dict[str, str] = {}
    headers: dict[str, str] = {}
    url = ""
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word in WITH_VALUE and left:
            given[WITH_VALUE[word]] = left.pop(0)
        elif word in TO_FILE and left:
            given["file"] = left.pop(0)
        elif word in HEADER and left:
            name, _, value = left.pop(0).partition(":")
            headers[name.strip()] = value.strip()
        elif not word.startswith("-") and not url:
            url = word
        elif word not in BARE:
            session.unplayed("curl", word)
    return _send(url, given, headers, session)


def _send(url: str, given: dict[str, str], headers: dict[str, str], session: Session) -> int:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _copy(Path(parts.path), given.get("file", ""))
    asked = f"{parts.scheme}://{parts.netloc}"
    origin = session.origins.get(asked) or (session.files if BUCKET.fullmatch(asked) else None)
    if not origin:
        sys.stderr.write(f"curl: ({NO_HOST}) Could not resolve host: {parts.hostname}\n")
        return NO_HOST
    body = _data(given.get("data"))
    if body is not None:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    listener = urlsplit(origin)
    connection = http.client.HTTPConnection(listener.hostname or "", listener.port, timeout=float(given.get("seconds", 30)))
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    method = given.get("method", "GET" if body is None else "POST")
    try:
        connection.request(method, target or "/", body, {"Host": parts.netloc, "User-Agent": "curl/8.5.0", "Accept": "*/*", **headers})
        answer = connection.getresponse()
        content = answer.read()
    except OSError as problem:
        sys.stderr.write(f"curl: ({NO_CONNECTION}) Failed to connect to {parts.hostname}: {problem}\n")
        return NO_CONNECTION
    if answer.status >= HTTPStatus.BAD_REQUEST:
        sys.stderr.write(f"curl: ({FAILED}) The requested URL returned error: {answer.status}\n")
        return FAILED
    _write(content, given.get("file", ""))
    return 0


def _write(content: bytes, path: str) -> None:
    if path:
        Path(path).write_bytes(content)
    else:
        sys.stdout.write(content.decode("utf-8", "replace"))


def _copy(source: Path, path: str) -> int:
    try:
        _write(source.read_bytes(), path)
    except OSError:
        sys.stderr.write(f"curl: (37) Couldn't open file {source}\n")
        return 37
    return 0


def _data(text: str | None) -> bytes | None:
    """`@-` is what the script pipes in; a file's name is read as curl reads it, without line ends."""
    if text is None:
        return None
    if text == "@-":
        text = sys.stdin.read().replace("\n", "")
    elif text.startswith("@"):
        text = Path(text[1:]).read_text().replace("\n", "")
    return text.encode()
