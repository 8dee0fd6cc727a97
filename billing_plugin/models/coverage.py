"""How much of what was spent a report can know: which providers it has, until when, and at what
price."""

from __future__ import annotations

from typing import Any, NamedTuple

from billing_plugin.context import is_sqlite
from billing_plugin.models.base import fetch_all, fetch_one, places
from billing_plugin.models.rollups import DATE, DELTA
from billing_plugin.models.spend import METERED, Asked
from billing_plugin.periods import days

_USED_DAYS = "SELECT MAX(day) FROM billing_usage_rollup WHERE account_id = ?"
_HAS_ITEMS = (
    "EXISTS (SELECT 1 FROM billing_item x WHERE x.account_id = i.account_id"
    " AND x.provider = i.provider AND x.date >= ? AND x.date < ? AND x.source IN ({sources}))"
)
_HAS_USES = (
    "EXISTS (SELECT 1 FROM billing_usage_rollup u WHERE u.account_id = i.account_id"
    " AND u.provider = i.provider AND u.day >= ? AND u.day <= ?)"
)


class Metered(NamedTuple):
    """What was metered, in nanos, with the number of uses; and what of it had no known price."""

    cost: int
    uses: int
    flagged_cost: int
    flagged_uses: int


def connected(asked: Asked) -> dict[str, bool]:
    """Providers of active integrations, each with whether the period has something of its."""
    period, span = days(*asked.span), [day.isoformat() for day in asked.span]
    sources = [source for source in asked.sources if source != METERED]
    has: list[str] = []
    values: list[Any] = []
    if sources:
        has.append(_HAS_ITEMS.format(sources=places(sources)))
        values += [period.start, period.end, *sources]
    if METERED in asked.sources:
        has.append(_HAS_USES)
        values += span
    rows = fetch_all(
        f"SELECT i.provider, {' OR '.join(has)} FROM (SELECT DISTINCT account_id, provider"
        " FROM billing_integration WHERE account_id = ? AND active = 1) i ORDER BY 1",
        (*values, asked.account_id),
    )
    wanted = asked.provider
    return {name: bool(found) for name, found in rows if wanted is None or name == wanted}


def newest_days(asked: Asked) -> dict[str, str | None]:
    """The newest UTC day of which each source has something, whatever days are asked for."""
    days_of_items = f"SELECT source, day, items FROM {DATE.table} WHERE account_id = ?"
    values = [asked.account_id]
    if not is_sqlite():  # which has no deltas
        days_of_items += (
            f" UNION ALL SELECT source, day, items FROM {DELTA} WHERE account_id = ?"
            " AND tag IS NULL"
        )
        values *= 2
    rows = fetch_all(
        "SELECT source, MAX(day) FROM (SELECT source, day"
        f" FROM ({days_of_items}) every_day GROUP BY 1, 2 HAVING SUM(items) > 0) filled GROUP BY 1",
        values,
    )
    found: dict[str, str | None] = dict.fromkeys(asked.sources)
    found |= {source: day for source, day in rows if source in found}
    if METERED in found:
        [found[METERED]] = fetch_one(_USED_DAYS, (asked.account_id,)) or [None]
    return found


def metered(asked: Asked) -> Metered:
    """What was metered of what is asked for; uses have no category."""
    if asked.categories is not None and "" not in asked.categories:
        return Metered(0, 0, 0, 0)
    narrow, values = "", [asked.account_id]
    for column, value in (("provider", asked.provider), ("model", asked.service_id)):
        if value is not None:
            narrow, values = f"{narrow} AND {column} = ?", [*values, value]
    span, period = [day.isoformat() for day in asked.span], days(*asked.span)
    row = fetch_one(
        "SELECT COALESCE(SUM(cost_nanos), 0), COALESCE(SUM(records), 0), COALESCE(SUM(flagged), 0)"
        f" FROM billing_usage_rollup WHERE account_id = ?{narrow} AND day >= ? AND day <= ?",
        (*values, *span),
    )
    cost, uses, flagged = map(int, row or (0, 0, 0))
    unpriced = fetch_one(
        "SELECT COALESCE(SUM(cost_nanos), 0) FROM billing_usage_record"
        f" WHERE account_id = ?{narrow} AND effective_at >= ? AND effective_at < ? AND flagged = 1",
        (*values, period.start, period.end),
    ) if flagged else None  # fmt: skip
    return Metered(cost, uses, int(unpriced[0]) if unpriced else 0, flagged)
