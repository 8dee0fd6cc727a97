"""Metered usage by buckets of time and by what was used: one statement for any zone.

The buckets are given as instants, so that a day is a day of its zone, however long; the database
walks the index of time once for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from billing_plugin.context import is_sqlite
from billing_plugin.models.base import array_of, dump, fetch_all, places, stored_time
from billing_plugin.models.usage import QUANTITIES
from billing_plugin.periods import Period

COST, RECORDS = "cost", "records"
VALUES = (COST, RECORDS, *QUANTITIES)
COLUMNS = {"provider": "provider", "model": "model", "key": "key_id", "agent": "agent"}
_BUCKETS_SQLITE = (
    "(SELECT CAST(key AS INTEGER) AS number, value ->> 0 AS begins, value ->> 1 AS ends"
    " FROM json_each(?))"
)
_USES = (
    "COUNT(*) - COUNT(u.corrects_id),"
    " COUNT(CASE WHEN u.flagged = 1 AND u.corrects_id IS NULL THEN 1 END),"
    " SUM(CASE WHEN u.flagged = 1 THEN u.cost_nanos END)"
)
_BUCKETS = (
    "(SELECT number - 1 AS number, begins, ends FROM unnest(CAST(? AS timestamptz[]),"
    " CAST(? AS timestamptz[])) WITH ORDINALITY AS given (begins, ends, number))"
)


class Cell(NamedTuple):
    """What one group used in one bucket: of a value the sum, the least and the most of one use.

    `uses` is the number of uses. The sum of costs is the net of all corrections; the others are of
    the uses as they were recorded. Of the uses so many, at that net cost in nanos, are `flagged`:
    no price was known for them.
    """

    bucket: int
    group: tuple[str, ...]
    uses: int
    figures: Mapping[str, tuple[int, int, int]]
    flagged_uses: int = 0
    flagged_cost: int = 0


def cells(
    account_id: str, buckets: Sequence[Period], *, currency: str, groups: Sequence[str],
    filters: Mapping[str, Sequence[str]], values: Sequence[str],
) -> list[Cell]:  # fmt: skip
    """Every cell that has a record, of the names in COLUMNS and VALUES."""
    told, spans = _told(buckets)
    columns = [f"COALESCE(u.{COLUMNS[name]}, '')" for name in groups]
    figures = [figure for name in values for figure in _figures(name)]
    where, asked = "u.account_id = ? AND u.currency = ?", [account_id, currency]
    for name, wanted in filters.items():
        where += f" AND COALESCE(u.{COLUMNS[name]}, '') IN ({places(wanted)})"
        asked += wanted
    rows = fetch_all(
        f"SELECT {', '.join(['b.number', *columns, _USES, *figures])}"
        f" FROM {spans} b JOIN billing_usage_record u ON u.effective_at >= b.begins"
        f" AND u.effective_at < b.ends WHERE {where}"
        f" GROUP BY {', '.join(str(place + 1) for place in range(1 + len(columns)))}",
        (*told, *asked),
    )
    return [_cell(row, len(groups), values) for row in rows]


def _told(buckets: Sequence[Period]) -> tuple[Sequence[str], str]:
    begins = [stored_time(one.start) for one in buckets]
    ends = [stored_time(one.end) for one in buckets]
    if is_sqlite():
        return [dump(list(zip(begins, ends, strict=True)))], _BUCKETS_SQLITE
    return [array_of(begins), array_of(ends)], _BUCKETS


def _figures(name: str) -> Sequence[str]:
    """Sum, least and most of a value."""
    if name == RECORDS:
        return ("COUNT(*) - COUNT(u.corrects_id)", "1", "1")
    if name == COST:
        own = "CASE WHEN u.corrects_id IS NULL THEN u.cost_nanos END"
        return ("SUM(u.cost_nanos)", f"MIN({own})", f"MAX({own})")
    read = f"u.quantities ->> '{name}'" if is_sqlite() else (
        f"CAST(CAST(u.quantities AS jsonb) ->> '{name}' AS bigint)"
    )  # fmt: skip
    own = f"CASE WHEN u.corrects_id IS NULL THEN COALESCE({read}, 0) END"
    return (f"SUM({own})", f"MIN({own})", f"MAX({own})")


def _cell(row: Sequence[Any], groups: int, values: Sequence[str]) -> Cell:
    bucket, *rest = row
    uses, flagged, flagged_cost, *told = [int(one or 0) for one in rest[groups:]]
    triples = zip(told[::3], told[1::3], told[2::3], strict=True)
    figures = dict(zip(values, triples, strict=True))
    return Cell(int(bucket), tuple(rest[:groups]), uses, figures, flagged, flagged_cost)
