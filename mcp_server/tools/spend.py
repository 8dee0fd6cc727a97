"""Tools that report spend."""

from __future__ import annotations

from typing import Literal

from billing_plugin import operations
from billing_plugin.errors import InvalidRequest
from billing_plugin.periods import Period, days, parse_day
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
    period = period_of(from_day, to_day)
    return spend_view(operations.report_spend(actor, account_id, period, group_by=group_by))


def period_of(first: str | None, last: str | None) -> Period | None:
    """The days from `first` to `last` in UTC, or None for none. Raises InvalidRequest."""
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise InvalidRequest("from_day and to_day come together.")
    return days(parse_day(first), parse_day(last))
