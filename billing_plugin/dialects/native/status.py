"""Native: the status of seed 001, what an account has here in a few numbers."""

from __future__ import annotations

from flask import Response

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import native, ok
from billing_plugin.dialects.openapi import FLAG, TEXT, WHOLE, Shape, many, shape, word
from billing_plugin.operations.breakdowns import total_of
from billing_plugin.operations.status import FILE, POSTGRESQL

TAGS = ["Status"]
VERSION = 1  # of what is configured, as the seed says it
CONFIG = shape("StatusConfig", "How it is set up.", version=Shape(const=VERSION), currency=TEXT)
STATUS = shape(
    "Status",
    "What there is. `totalAmount` adds up the items in `currency`; those in `otherCurrencies` are"
    " counted in `totalItems` alone.",
    initialized=FLAG,
    config=CONFIG,
    totalItems=WHOLE,
    totalCategories=WHOLE,
    totalSyncJobs=WHOLE,
    totalAmount=WHOLE,
    totalExact=TEXT,
    currency=TEXT,
    otherCurrencies=many(TEXT),
    storageType=word(FILE, POSTGRESQL),
)


@native.view(answers={200: STATUS}, tags=TAGS)
def get_status() -> Response:
    """See the status"""
    status = operations.check_status(actor(), account_id())
    currency = status.currency
    total = total_of(status.totals, currency)
    return ok({
        "initialized": True,
        "config": {"version": VERSION, "currency": currency},
        "totalItems": status.items,
        "totalCategories": status.categories,
        "totalSyncJobs": status.sync_jobs,
        "totalAmount": total.cents,
        "totalExact": total.amount.text(currency),
        "currency": currency,
        "otherCurrencies": [one.currency for one in status.totals if one.currency != currency],
        "storageType": status.storage,
    })  # fmt: skip
