"""The demonstration's agent: the official MCP client, over HTTP and over stdio."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any


def ask_over_http(scene: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The structured answer of one tool call over streamable HTTP."""
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": f"Bearer {scene.key}"}

    async def ask() -> dict[str, Any]:
        async with httpx2.AsyncClient(headers=headers) as http:
            transport = streamable_http_client(scene.mcp_url, http_client=http)
            return await _call(transport, tool, arguments)

    return asyncio.run(ask())


def ask_over_stdio(scene: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The structured answer of one tool call over stdio, with a server of its own."""
    from mcp import StdioServerParameters

    environment = {**os.environ, **scene.environment, "BILLING_API_KEY": scene.key}
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "mcp_server"], env=environment
    )
    return asyncio.run(_call(server, tool, arguments))


async def _call(server: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    from mcp import Client

    async with Client(server) as client:
        result = await client.call_tool(tool, arguments)
    structured: dict[str, Any] = result.structured_content or {}
    return structured
