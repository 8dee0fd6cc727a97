"""The tools, in the order in which agents see them."""

from __future__ import annotations

from mcp.server.mcpserver.tools import Tool

from mcp_server.tools.balance import check_balance
from mcp_server.tools.costs import list_costs, record_cost
from mcp_server.tools.limits import set_limit
from mcp_server.tools.spend import report_spend
from mcp_server.tools.topups import top_up

TOOLS: tuple[Tool, ...] = (
    *(check_balance, top_up, set_limit, report_spend),
    *(list_costs, record_cost),
)
