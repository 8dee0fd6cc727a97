"""The page about agents names what there is: each tool, scope, argument and option."""

from __future__ import annotations

import subprocess
from pathlib import Path

from billing_plugin.operations import CATALOGUE
from mcp_server.tools import TOOLS
from mcp_server.tools.tool import OPERATIONS
from tests.mcp_server.agents import COMMAND

PAGE = (Path(__file__).parents[2] / "docs" / "8-agents.md").read_text(encoding="utf-8")


def test_the_page_names_every_tool_with_its_scope_and_arguments() -> None:
    for tool in TOOLS:
        assert f"| `{CATALOGUE[OPERATIONS[tool.name]].scope}` | `{tool.name}` |" in PAGE
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{tool.name}` |"))
        for name, schema in tool.parameters["properties"].items():
            assert f"`{name}`" in row
            assert all(f"`{word}`" in row for word in schema.get("enum", []))


def test_the_page_names_every_option_of_http() -> None:
    shown = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True).stdout
    for option in ("--transport", "--host", "--port", "--database", "--allowed-host"):
        assert option in shown
        assert option in PAGE
