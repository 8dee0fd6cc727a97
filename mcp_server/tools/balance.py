"""Tools about the balance."""

from __future__ import annotations

from billing_plugin import operations
from mcp_server.identity import Call, caller
from mcp_server.tools.tool import tool
from mcp_server.views import BalanceView, balance_view


@tool("Check balance")
def check_balance(call: Call) -> BalanceView:
    """The account's available, settled and reserved money."""
    return balance_view(operations.check_balance(*caller(call)))
