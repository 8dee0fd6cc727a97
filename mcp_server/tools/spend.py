"""Tools that report spend."""

from __future__ import annotations

from typing import Literal

from billing_plugin import operations
from billing_plugin.periods import days_between
from mcp_server.identity import Call, caller
from mcp_server.tools.tool import Day, tool
from mcp_server.views import SpendView, spend_view

GroupBy = Literal["provider", "model", "day", "none"]


@tool("Report spend")
def report_spend(
    call: Call, from_day: Day = None, to_day: Day = None, *, group_by: GroupBy = "model"
) -> SpendView:
    """Metered spend of whole days, both included; without days, of this calendar month."""
    actor, account_id = caller(call)
    period = days_between(from_day, to_day)
    return spend_view(operations.report_spend(actor, account_id, period, group_by=group_by))
