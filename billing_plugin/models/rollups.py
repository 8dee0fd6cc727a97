"""Roll-ups of cost items: sums by day, month, date and tag, kept in the transaction of each change.

A change is a set of signed cells: what items counted before with a minus, what they count now with
a plus. On PostgreSQL a single change appends its cells as deltas, so that no sum is a hot row, and
whoever appends every 256th folds the account's; every report adds deltas to sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import peewee

from billing_plugin.context import is_sqlite
from billing_plugin.errors import InvalidRequest
from billing_plugin.models.base import (
    Row,
    array_of,
    execute,
    execute_many,
    fetch_all,
    fetch_one,
)
from billing_plugin.models.items import CostItem
from billing_plugin.money import MAX_NANOS

SUMS = "nanos, attos, items"
DETAILS = "currency, source, provider, service_id, category_id, recurring"
DELTA = "billing_spend_delta"
FOLDED_AT = 256  # deltas
_NUMBER_AT_ONCE = 1_000  # rows of one statement
_CELL = f"day, {DETAILS}, tag"
_TRY_FOLD = "SELECT pg_try_advisory_xact_lock(hashtextextended(?, 28))"
_TAKE = f"DELETE FROM {DELTA} WHERE account_id = ? RETURNING {_CELL}, {SUMS}"


class Cell(NamedTuple):
    """What an item counts in: a day with all that it says, or (`tag` is not None) a day's and
    provider's tag.

    An item without tags counts as one of the tag ''. What it does not say is ''.
    """

    day: str
    currency: str
    source: str
    provider: str = ""
    service_id: str = ""
    category_id: str = ""
    recurring: int = 0
    tag: str | None = None


class Rollup(NamedTuple):
    """A table of sums: its key after the account, and what it is added up from."""

    table: str
    key: str
    of_tags: bool = False


DAY = Rollup("billing_spend_day", f"day, {DETAILS}")
MONTH = Rollup("billing_spend_month", f"month, {DETAILS}")
DATE = Rollup("billing_spend_date", "day, currency, source")
TAG = Rollup("billing_spend_tag", "month, currency, source, provider, tag", of_tags=True)
TAG_DAY = Rollup("billing_spend_tag_day", "day, currency, source, tag", of_tags=True)
PROVIDER_DAY = Rollup("billing_spend_provider_day", "provider, day, currency, source")
EVERY = (DAY, MONTH, DATE, PROVIDER_DAY, TAG_DAY, TAG)
Sums = dict[Any, list[int]]  # by a key: nanos, attos, items


def apply(
    account_id: str, before: Iterable[CostItem], after: Iterable[CostItem], *, many: bool
) -> None:
    """Corrects the sums by what items counted before and count now, in the present transaction.

    The caller holds the items, alone where there are many. Raises InvalidRequest
    (`amount_out_of_range`) for a sum beyond 64 bits of nanos.
    """
    cells = net(before, after)
    with within_64_bits():
        if many or is_sqlite():
            _add(account_id, cells)
        elif cells:
            _append(account_id, cells)


def net(before: Iterable[CostItem], after: Iterable[CostItem]) -> dict[Cell, list[int]]:
    """Signed cells of a change, without those that come to nothing."""
    cells: dict[Cell, list[int]] = {}
    for items, sign in ((before, -1), (after, 1)):
        for item in items:
            for cell in cells_of(item):
                _count(cells, cell, (sign * item.nanos, sign * item.attos, sign))
    return {cell: sums for cell, sums in cells.items() if any(sums)}


def cells_of(item: CostItem) -> Iterator[Cell]:
    """The cells in which an item counts."""
    yield Cell(
        item.day, item.currency, item.source, item.provider or "", item.service_id or "",
        item.category_id or "", item.recurs,
    )  # fmt: skip
    for tag in item.tags or [""]:
        yield Cell(item.day, item.currency, item.source, item.provider or "", tag=tag)


def fold(account_id: str) -> None:
    """Adds the account's deltas to its sums, unless somebody is at it."""
    free = fetch_one(_TRY_FOLD, (account_id,))
    if free and free[0]:
        cells: dict[Cell, list[int]] = {}
        for row in fetch_all(_TAKE, (account_id,)):
            _count(cells, Cell._make(row[:-3]), row[-3:])
        _add(account_id, cells)


@contextmanager
def within_64_bits() -> Iterator[None]:
    """Turns a database's complaint of a sum that is too large into a refusal."""
    try:
        yield
    except (peewee.DataError, peewee.IntegrityError) as error:
        raise _beyond() from error
    except peewee.OperationalError as error:
        if "integer overflow" not in str(error):
            raise
        raise _beyond() from error


def _add(account_id: str, cells: Mapping[Cell, list[int]]) -> None:
    """Adds cells to the sums, in order of their keys: nobody waits in a ring."""
    for rollup in EVERY:
        sums: Sums = {}
        key_of = _key_of(rollup)
        for cell, change in cells.items():
            if (cell.tag is not None) == rollup.of_tags:
                _count(sums, key_of(cell), change)
        rows = [(*key, *_fitting(sums[key])) for key in sorted(sums)]
        if is_sqlite():
            execute_many(_upsert(rollup), ((account_id, *row) for row in rows))
        elif rows:  # one value for each column: to say a thousand rows costs more than to add them
            columns = [array_of(column) for column in zip(*rows, strict=True)]
            execute(_upsert_all(rollup), (account_id, *columns))


@lru_cache
def _key_of(rollup: Rollup) -> Callable[[Cell], Row]:
    """What of a cell is the key; a month stands first in it."""
    first, *rest = rollup.key.split(", ")
    if first != "month":
        return attrgetter(first, *rest)
    others: Callable[[Cell], Row] = attrgetter(*rest)
    return lambda cell: (cell.day[:7], *others(cell))


def _append(account_id: str, cells: Mapping[Cell, list[int]]) -> None:
    rows = [(account_id, *cell, *_fitting(sums)) for cell, sums in cells.items()]
    for start in range(0, len(rows), _NUMBER_AT_ONCE):
        some = rows[start : start + _NUMBER_AT_ONCE]
        done = execute(_insertion(len(some)), [value for row in some for value in row])
        if any(number % FOLDED_AT == 0 for (number,) in done.fetchall()):
            fold(account_id)


@lru_cache
def _insertion(number: int) -> str:
    places = f"({', '.join('?' * 12)})"
    return (
        f"INSERT INTO {DELTA} (account_id, {_CELL}, {SUMS})"
        f" VALUES {', '.join([places] * number)} RETURNING number"
    )


@lru_cache
def _upsert(rollup: Rollup) -> str:
    return _adding(rollup, f"VALUES ({', '.join('?' * (4 + len(rollup.key.split(','))))})")


@lru_cache
def _upsert_all(rollup: Rollup) -> str:
    kinds = ["int" if name == "recurring" else "text" for name in rollup.key.split(", ")]
    arrays = ", ".join(f"CAST(? AS {kind}[])" for kind in (*kinds, *["bigint"] * 3))
    return _adding(rollup, f"SELECT ?, * FROM unnest({arrays}) AS cells")


def _adding(rollup: Rollup, rows: str) -> str:
    return (
        f"INSERT INTO {rollup.table} AS r (account_id, {rollup.key}, {SUMS}) {rows}"
        f" ON CONFLICT (account_id, {rollup.key}) DO UPDATE SET nanos = r.nanos + excluded.nanos,"
        " attos = r.attos + excluded.attos, items = r.items + excluded.items"
    )


def _count(cells: Sums, key: Any, change: Iterable[int]) -> None:
    sums = cells.setdefault(key, [0, 0, 0])
    for place, value in enumerate(change):
        sums[place] += value


def _fitting(sums: list[int]) -> list[int]:
    if abs(sums[0]) > MAX_NANOS:
        raise _beyond()
    return sums


def _beyond() -> InvalidRequest:
    return InvalidRequest("The sum of the costs is beyond 64 bits.", code="amount_out_of_range")
