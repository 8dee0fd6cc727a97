"""Agents for tests: the official MCP client in memory, and the command as a real process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import httpx2
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver.tools import Tool

from billing_plugin import Billing
from mcp_server.identity import OneKey
from mcp_server.server import build
from mcp_server.tools import TOOLS

COMMAND = (sys.executable, "-W", "error", "-m", "mcp_server")
READY_WITHIN_S = 30
_LISTENING = re.compile(r"running on (http://[^ ]+)")


class Agent:
    """An MCP client in this process: agent("check_balance") is one call."""

    def __init__(
        self, billing: Billing, token: str, mode: str = "auto", tools: Sequence[Tool] = TOOLS
    ) -> None:
        self.token = token
        self.mode = mode
        self.server = build(OneKey(billing.instance, token), tools=tools)

    def __call__(self, tool: str, /, **arguments: Any) -> types.CallToolResult:
        """The result of calling a tool."""

        async def call() -> Any:
            async with Client(self.server, mode=self.mode) as client:
                return await client.call_tool(tool, arguments)

        return anyio.run(call)

    def tools(self) -> list[types.Tool]:
        """What the server offers."""

        async def listed() -> types.ListToolsResult:
            async with Client(self.server, mode=self.mode) as client:
                return await client.list_tools()

        return anyio.run(listed).tools


def answer(result: types.CallToolResult) -> dict[str, Any]:
    """The structured content of a call that succeeded."""
    assert not result.is_error, result.content
    return result.structured_content


def refusal(result: types.CallToolResult) -> dict[str, Any]:
    """The structured content of a call that was refused."""
    assert result.is_error
    return result.structured_content


def environment(database_url: str, **more: str) -> dict[str, str]:
    """The environment of a server process, without any BILLING_ variable of our own."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("BILLING_")}
    given = {"BILLING_DATABASE_URL": database_url, "BILLING_PROCESSOR": "fake"}
    return own | given | more


class Served:
    """A server process over HTTP: its URL, and everything it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.errors: list[str] = []
        self.url = ""
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_ready(self) -> None:
        """Returns once the server listens."""
        assert self._ready.wait(READY_WITHIN_S), "".join(self.errors)
        assert self.url, "".join(self.errors)

    def stop(self) -> tuple[int, str, str]:
        """Ends the server in the orderly way: exit code, standard output, standard error."""
        self.process.terminate()
        output = self.process.stdout.read()
        code = self.process.wait(READY_WITHIN_S)
        self._reader.join(READY_WITHIN_S)
        return code, output, "".join(self.errors)

    def kill(self) -> None:
        """Ends it in any case, once all that it said has been read."""
        self.process.kill()
        self._reader.join(READY_WITHIN_S)

    def _read(self) -> None:
        for line in self.process.stderr:
            self.errors.append(line)
            if found := _LISTENING.search(line):
                self.url = f"{found[1]}/mcp"
                self._ready.set()
        self._ready.set()


@contextmanager
def served(database_url: str, *options: str) -> Iterator[Served]:
    """The command over HTTP on a free port, in a process of its own."""
    process = subprocess.Popen(
        [*COMMAND, "--transport", "http", "--port", "0", *options],
        env=environment(database_url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        server = Served(process)
        try:
            server.wait_until_ready()
            yield server
        finally:
            server.kill()


async def ask(
    url: str, token: str, calls: Sequence[tuple[str, dict[str, Any]]], *, mode: str = "auto"
) -> list[types.CallToolResult]:
    """The results of calls that one client makes over HTTP, one after the other."""
    headers = {"Authorization": f"Bearer {token}"}
    http = httpx2.AsyncClient(headers=headers, timeout=READY_WITHIN_S)
    transport = streamable_http_client(url, http_client=http)
    async with http, Client(transport, mode=mode) as client:
        return [await client.call_tool(tool, arguments) for tool, arguments in calls]
