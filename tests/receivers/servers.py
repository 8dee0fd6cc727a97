"""Receivers of webhooks as there are: good ones, and ones that fail in every way. Real servers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks import Webhook


class Received(NamedTuple):
    """One request: its path, headers (names in small letters) and body."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """What it tells, by the library that receivers use; it raises for a bad signature."""
        return Webhook(secret).verify(self.body, self.headers)

    @property
    def told(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """A server that answers by `how`: a status, or `redirect`, `endless`, `drip`, `silent`."""

    def __init__(self) -> None:
        self.how: str | int = 200
        self.received: list[Received] = []
        self.is_over = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.received]

    @property
    def events(self) -> list[str]:
        return [one.told["type"] for one in self.received]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver at work."""
    found = Receiver()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.is_over.set()
        found.server.shutdown()
        found.server.server_close()
        thread.join()


def _handler(owner: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            owner.received.append(Received(self.path, headers, body))
            with suppress(OSError):
                self.answer(owner.how)

        def answer(self, how: str | int) -> None:
            if how == "silent":
                owner.is_over.wait(20)
            elif how == "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                self.drip(b"x")
            else:
                self.send_response({"redirect": 302, "endless": 200}.get(str(how)) or int(how))
                if how == "redirect":
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                if how == "endless":
                    self.drip(b"y" * 4096)

        def drip(self, chunk: bytes) -> None:
            until = time.monotonic() + 20
            while not owner.is_over.is_set() and time.monotonic() < until:
                self.wfile.write(chunk)
                time.sleep(0.01)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    return Handler
