"""Between the Stripe client and localstripe: what Stripe does and localstripe does not (replay by
Idempotency-Key), and what networks do (answers that are lost, connections that are cut)."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

UNKNOWN_TO_LOCALSTRIPE = (
    *("created[gte]", "created[lte]"),
    *("automatic_payment_methods[enabled]", "automatic_payment_methods[allow_redirects]"),
)
NEEDED_BY_LOCALSTRIPE = {"/v1/payment_methods": ("type", "card")}  # where Stripe lists every type
PATIENCE_S = 20


@contextmanager
def localstripe() -> Iterator[int]:
    """A localstripe of its own, as a process; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    program = str(Path(sys.executable).with_name("localstripe"))
    command = [program, "--port", str(port), "--from-scratch"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.kill()


class Chaos(ThreadingHTTPServer):
    """Passes requests on. `breaks` are the ways in which the next ones go wrong, in turn: `cut`
    before they arrive, `lose` the answer, `fail` (500) after they were done, `limit` (429)."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.port, self.breaks = port, list[str]()
        self.replies: dict[str, tuple[int, bytes]] = {}
        self.passed: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where the client finds it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is part of the play."""


@contextmanager
def chaos(port: int) -> Iterator[Chaos]:
    """The proxy before that port, serving until the end."""
    server = Chaos(port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Passing(BaseHTTPRequestHandler):
    server: Chaos

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        way = self.server.breaks.pop(0) if self.server.breaks else ""
        if way == "limit":
            self._answer(429, b'{"error": {"type": "rate_limit_error", "message": "slow down"}}')
            return
        status, reply = (0, b"") if way == "cut" else self._asked(body)
        if way == "fail":
            status, reply = 500, b'{"error": {"type": "api_error", "message": "our fault"}}'
        if way in ("cut", "lose"):
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self._answer(status, reply)

    do_GET = do_POST = do_DELETE = _pass

    def _asked(self, body: bytes) -> tuple[int, bytes]:
        """What the server says; the same again for the same key."""
        key = self.headers.get("Idempotency-Key", "") if self.command == "POST" else ""
        with self.server.lock:
            if key and key in self.server.replies:
                return self.server.replies[key]
            found = self._forward(body)
            if key:
                self.server.replies[key] = found
            return found

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(self.path)
        query = _understood(parts.query)
        if self.command == "GET" and parts.path in NEEDED_BY_LOCALSTRIPE:
            query.append(NEEDED_BY_LOCALSTRIPE[parts.path])
        self.server.passed.append(f"{self.command} {parts.path}")
        headers = {
            name: self.headers[name] for name in ("Authorization", "Content-Type")
            if name in self.headers
        }  # fmt: skip
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        said = urlencode(_understood(body.decode())).encode()
        connection.request(self.command, f"{parts.path}?{urlencode(query)}", said, headers)
        response = connection.getresponse()
        found = response.status, response.read()
        connection.close()
        return found

    def _answer(self, status: int, reply: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: Any) -> None:
        """Quietly."""


def _understood(form: str) -> list[tuple[str, str]]:
    """What localstripe understands of a form."""
    pairs = parse_qsl(form, keep_blank_values=True)
    return [pair for pair in pairs if pair[0] not in UNKNOWN_TO_LOCALSTRIPE]


def _wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError("localstripe does not start")
