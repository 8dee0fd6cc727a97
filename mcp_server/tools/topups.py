"""Tools that buy credit."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from billing_plugin import operations
from mcp_server.identity import Call, caller, cents_of
from mcp_server.tools.tool import Cents, tool
from mcp_server.views import TopUpView, topup_view

Key = Annotated[
    str,
    Field(min_length=1, max_length=255, description="Your own name for this one purchase"),
]


@tool("Top up")
def top_up(call: Call, amount_cents: Cents, idempotency_key: Key) -> TopUpView:
    """Buy prepaid credit: charges the account's payment method with real money.

    The same idempotency_key charges once, however often it is sent; use a new one per purchase.
    """
    actor, account_id = caller(call)
    amount = cents_of(actor, amount_cents)
    topup = operations.top_up(actor, account_id, amount, idempotency_key=idempotency_key)
    return topup_view(topup)
