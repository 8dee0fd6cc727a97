"""Metered usage by buckets of time and by what was used: one statement for any zone.

The buckets are given as instants, so that a day is a day of its zone, however long; the database
walks the index of time once for each of them. Buckets of whole UTC days can be had from the sums
by day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from billing_plugin.context import is_sqlite
from billing_plugin.models.base import array_of, dump, fetch_all, places, stored_time
from billing_plugin.models.usage import FLAGGED_USES, QUANTITIES
from billing_plugin.periods import Period

COST, RECORDS = "cost", "records"
VALUES = (COST, RECORDS, *QUANTITIES)
COLUMNS = {"provider": "provider", "model": "model", "key": "key_id", "agent": "agent"}
ROLLED_VALUES, ROLLED_COLUMNS = (COST, RECORDS), ("provider", "model")  # what sums by day know
_BUCKETS_SQLITE = (
    "(SELECT CAST(key AS INTEGER) AS number, value ->> 0 AS begins, value ->> 1 AS ends"
    " FROM json_each(?))"
)
_USES = (
    f"COUNT(*) - COUNT(u.corrects_id), {FLAGGED_USES},"
    " SUM(CASE WHEN u.flagged = 1 THEN u.cost_nanos END)"
)
_BUCKETS = (
    "(SELECT number - 1 AS number, begins, ends FROM unnest(CAST(? AS {kind}[]),"
    " CAST(? AS {kind}[])) WITH ORDINALITY AS given (begins, ends, number))"
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
    times = [(stored_time(one.start), stored_time(one.end)) for one in buckets]
    told, spans = _told(times, "timestamptz")
    columns = [f"COALESCE(u.{COLUMNS[name]}, '')" for name in groups]
    figures = [figure for name in values for figure in _figures(name)]
    where, wanted = _narrowed(filters)
    rows = fetch_all(
        f"SELECT {', '.join(['b.number', *columns, _USES, *figures])}"
        f" FROM {spans} b JOIN billing_usage_record u ON u.effective_at >= b.begins"
        f" AND u.effective_at < b.ends WHERE u.account_id = ? AND u.currency = ?{where}"
        f" GROUP BY {', '.join(str(place + 1) for place in range(1 + len(columns)))}",
        (*told, account_id, currency, *wanted),
    )
    return [_cell(row, len(groups), values) for row in rows]


def rolled_cells(
    account_id: str, buckets: Sequence[Period], *, groups: Sequence[str],
    filters: Mapping[str, Sequence[str]],
) -> list[Cell]:  # fmt: skip
    """The same of ROLLED_VALUES by ROLLED_COLUMNS, for buckets of whole UTC days.

    What sums by day cannot tell is 0: the least and the most cost, and `flagged_cost`.
    """
    days = [(one.start.date().isoformat(), one.end.date().isoformat()) for one in buckets]
    told, spans = _told(days, "text")
    columns = [f"u.{COLUMNS[name]}" for name in groups]
    where, wanted = _narrowed(filters)
    rows = fetch_all(
        f"SELECT {', '.join(['b.number', *columns])}, SUM(u.records), SUM(u.flagged),"
        f" SUM(u.cost_nanos) FROM {spans} b JOIN billing_usage_rollup u ON u.day >= b.begins"
        f" AND u.day < b.ends WHERE u.account_id = ?{where}"
        f" GROUP BY {', '.join(str(place + 1) for place in range(1 + len(columns)))}",
        (*told, account_id, *wanted),
    )
    return [_rolled(row) for row in rows]


def _told(times: Sequence[tuple[str, str]], kind: str) -> tuple[Sequence[str], str]:
    """Values and the table of buckets of them, of PostgreSQL's `kind`."""
    if is_sqlite():
        return [dump(times)], _BUCKETS_SQLITE
    begins, ends = zip(*times, strict=True)
    return [array_of(begins), array_of(ends)], _BUCKETS.format(kind=kind)


def _narrowed(filters: Mapping[str, Sequence[str]]) -> tuple[str, list[str]]:
    """Further conditions, and their values."""
    where = "".join(
        f" AND COALESCE(u.{COLUMNS[name]}, '') IN ({places(wanted)})"
        for name, wanted in filters.items()
    )
    return where, [value for wanted in filters.values() for value in wanted]


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


def _rolled(row: Sequence[Any]) -> Cell:
    bucket, *group, uses, flagged, cost = row
    figures = {COST: (int(cost), 0, 0), RECORDS: (int(uses), 1, 1)}
    return Cell(int(bucket), tuple(group), int(uses), figures, int(flagged))
