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
_NEWEST_SQLITE = (
    f"SELECT day FROM {DATE.table} WHERE account_id = ? AND source = ? AND items > 0"
    " ORDER BY day DESC LIMIT 1"
)
_NEWEST = f"""
WITH changed AS (SELECT day, SUM(items) AS items FROM {DELTA}
  WHERE account_id = ? AND source = ? AND tag IS NULL GROUP BY day)
SELECT GREATEST(
  (SELECT day FROM {DATE.table} d WHERE account_id = ? AND source = ? AND items > 0
    AND NOT EXISTS (SELECT 1 FROM changed c WHERE c.day = d.day) ORDER BY day DESC LIMIT 1),
  (SELECT MAX(c.day) FROM changed c WHERE c.items + COALESCE((SELECT SUM(d.items)
    FROM {DATE.table} d WHERE d.account_id = ? AND d.source = ? AND d.day = c.day), 0) > 0))
"""
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
    return {source: _newest_day(asked.account_id, source) for source in asked.sources}


def _newest_day(account_id: str, source: str) -> str | None:
    """Sums are read from the newest day on until there is one; so are the days of deltas."""
    if source == METERED:
        sql, values = _USED_DAYS, [account_id]
    elif is_sqlite():  # which has no deltas
        sql, values = _NEWEST_SQLITE, [account_id, source]
    else:
        sql, values = _NEWEST, [account_id, source] * 3
    [day] = fetch_one(sql, values) or [None]
    return day


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
