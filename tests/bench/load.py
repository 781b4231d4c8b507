"""A small HTTP client for load: one request at a time on each open connection, in a closed loop or at a given rate."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import uvloop


@dataclass
class Load:
    done: int = 0
    bad: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


class Line(asyncio.Protocol):
    """One connection. `free` is called when the answer to its request is whole."""

    def __init__(self, load: Load, free: Callable[["Line"], None]) -> None:
        self.load, self.free = load, free
        self.buffer = b""
        self.since = 0.0

    def connection_made(self, transport):
        self.transport = transport

    def send(self, request: bytes, since: float) -> None:
        self.since = since
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self.buffer = b""
        self.load.done += 1
        self.load.bad += not head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
        self.load.latencies.append(time.perf_counter() - self.since)
        self.free(self)

    def connection_lost(self, exc):
        if self.since:
            self.load.bad += 1


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)


def run(port: int, request: Callable[[int], bytes], *, lines: int, seconds: float, rate: float = 0.0) -> Load:
    """`rate` in requests a second makes it an open loop: latency counts from when a request should have been sent."""
    return uvloop.run(_run(port, request, lines, seconds, rate))


async def _run(port, request, lines, seconds, rate) -> Load:
    load, loop = Load(), asyncio.get_running_loop()
    idle, due, sent = deque(), deque(), 0
    begun = time.perf_counter()
    is_over = False

    def free(line: Line) -> None:
        nonlocal sent
        if is_over:
            line.since = 0.0
            return
        if rate:
            if due:
                line.send(*due.popleft())
            else:
                line.since = 0.0
                idle.append(line)
        else:
            sent += 1
            line.send(request(sent), time.perf_counter())

    opened = [(await loop.create_connection(lambda: Line(load, free), "127.0.0.1", port))[1] for _ in range(lines)]
    begun = time.perf_counter()
    if not rate:
        for line in opened:
            free(line)
        await asyncio.sleep(seconds)
    else:
        idle.extend(opened)
        while (elapsed := time.perf_counter() - begun) < seconds:
            while sent < elapsed * rate:
                sent += 1
                item = (request(sent), begun + sent / rate)
                if idle:
                    idle.popleft().send(*item)
                else:
                    due.append(item)
            await asyncio.sleep(0.002)
        until = time.perf_counter() + 10
        while (due or len(idle) < lines) and time.perf_counter() < until:
            await asyncio.sleep(0.01)
        load.bad += len(due)
    load.seconds = time.perf_counter() - begun
    is_over = True
    await asyncio.sleep(0.3)
    for line in opened:
        line.since = 0.0
        line.transport.abort()
    return load


def post(path: str, body: bytes, *, token: str = "") -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{authorization}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str, *, cookie: str = "", etag: str = "") -> bytes:
    extra = (f"Cookie: {cookie}\r\n" if cookie else "") + (f"HX-Request: true\r\nIf-None-Match: {etag}\r\n" if etag else "")
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n".encode()
