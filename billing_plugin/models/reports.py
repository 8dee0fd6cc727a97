"""The read model of spend: sums of metered usage by provider, model or day."""

from __future__ import annotations

from dataclasses import dataclass

from billing_plugin import context
from billing_plugin.models.base import fetch_all, fetch_one
from billing_plugin.models.usage import FLAGGED_USES, TABLE
from billing_plugin.money import Money
from billing_plugin.periods import Period

GROUPS = ("provider", "model", "day", "none")
_COLUMNS = {"provider": "provider", "model": "model", "none": "''"}
_DAY_SQLITE = "substr(effective_at, 1, 10)"
_DAY_POSTGRESQL = "to_char(effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"


@dataclass(frozen=True, slots=True)
class SpendGroup:
    """One line of a spend report: its key, the exact amount and the number of usage records."""

    key: str
    amount: Money
    count: int


def spend(account_id: str, period: Period, *, group_by: str, currency: str) -> list[SpendGroup]:
    """Metered spend in the period, greatest first (days in order). Days are UTC days."""
    day = _DAY_SQLITE if context.is_sqlite() else _DAY_POSTGRESQL
    column = day if group_by == "day" else _COLUMNS[group_by]
    order = "1" if group_by == "day" else "2 DESC, 1"
    rows = fetch_all(
        f"SELECT {column}, SUM(cost_nanos), COUNT(*) - COUNT(corrects_id) FROM billing_usage_record"
        " WHERE account_id = ? AND effective_at >= ? AND effective_at < ? AND currency = ?"
        f" GROUP BY 1 ORDER BY {order}",
        (account_id, period.start, period.end, currency),
    )
    return [SpendGroup(key, Money(int(total), currency), count) for key, total, count in rows]


def flagged(account_id: str, period: Period, currency: str) -> SpendGroup:
    """What of it was charged although no price was known (see the setting `unpriced`)."""
    row = fetch_one(
        f"SELECT COALESCE(SUM(cost_nanos), 0), COALESCE({FLAGGED_USES}, 0) FROM {TABLE}"
        " WHERE account_id = ? AND effective_at >= ? AND effective_at < ? AND currency = ?"
        " AND flagged = 1",
        (account_id, period.start, period.end, currency),
    )
    total, number = row or (0, 0)
    return SpendGroup("flagged", Money(int(total), currency), int(number))
