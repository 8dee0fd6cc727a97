"""The ledger: every movement of the account's money, the newest first."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response

from billing_plugin import operations
from billing_plugin.dashboard import figures
from billing_plugin.dashboard.face import account_id, dashboard
from billing_plugin.dashboard.forms import PageQuery
from billing_plugin.dashboard.pages import page
from billing_plugin.dialects.cursors import Listing
from billing_plugin.dialects.dialect import actor, instance


@dashboard.view()
@dashboard.arguments(PageQuery(), location="query", unknown=marshmallow.RAISE)
def show_ledger(query: dict[str, Any]) -> Response:
    """A page of movements."""
    account = account_id()
    listing = Listing("pages of the ledger", account, query)
    before = int(listing.before) if listing.before else None
    found = operations.list_entries(actor(), account, limit=listing.limit, before=before)
    rows = [
        (entry, figures.of_money(entry.amount), figures.of_balance(entry.balance_after))
        for entry in found
    ]
    return page(
        "ledger.html",
        account=account,
        rows=rows,
        is_first=before is None,
        limit=listing.limit,
        older=listing.cursor_after(found, lambda entry: entry.sequence),
        as_of=instance().clock(),
    )
