"""Tools about spending limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from billing_plugin import operations
from mcp_server.identity import Call, caller, cents_of
from mcp_server.tools.tool import Cents, tool
from mcp_server.views import LimitView, limit_view

Window = Literal["total", "daily", "weekly", "monthly"]
Zone = Annotated[str, Field(min_length=1, max_length=64, description="IANA time zone")]


@tool("Set spending limit")
def set_limit(
    call: Call, amount_cents: Cents, *, window: Window = "monthly", zone: Zone = "UTC"
) -> LimitView:
    """Set the account's hard spending limit for a calendar window (or its total, for ever).

    Setting the same window and zone again replaces the amount and keeps what was counted.
    """
    actor, account_id = caller(call)
    amount = cents_of(actor, amount_cents)
    return limit_view(operations.set_limit(actor, account_id, amount, window=window, zone=zone))
