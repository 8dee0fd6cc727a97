"""Native: rating a period again after a price was put right. For operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flask import Response
from marshmallow import fields

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.shapes import DAY, MONEY, Flag, money
from billing_plugin.dialects.openapi import FLAG, TIME, WHOLE, shape
from billing_plugin.periods import days_between

if TYPE_CHECKING:
    from billing_plugin.periods import Period


class ReratingBody(Strict):
    """Whole UTC days, both included; a dry run unless it says otherwise."""

    to = fields.String(required=True, validate=DAY)
    dryRun = Flag(load_default=True)
    first = fields.String(required=True, validate=DAY, data_key="from")


RERATING = shape(
    "Rerating",
    "What was found (a dry run) or booked; `change` is by how much the account's cost changes.",
    dryRun=FLAG,
    periodStart=TIME,
    periodEnd=TIME,
    change=MONEY,
    read=WHOLE,
    skipped=WHOLE,
    changed=WHOLE,
    unpriced=WHOLE,
)


@native.view(answers={200: RERATING}, tags=["Usage"])
@native.arguments(ReratingBody())
def rerate_usage(body: dict[str, Any]) -> Response:
    """Rate a period again

    Differences are entries of their own. Twice is once: the second run finds nothing.
    """
    period = cast("Period", days_between(body["first"], body["to"]))  # as neither is None
    found = operations.rerate_usage(
        actor(), account_id(), period, dry_run=body["dryRun"], idempotency_key=idempotency_key()
    )
    told = {"dryRun": found.dry_run, "periodStart": period.start, "periodEnd": period.end}
    counts = {name: getattr(found, name) for name in ("read", "skipped", "changed", "unpriced")}
    return ok({**told, "change": money(found.change), **counts}, replayed=found.replayed)
