"""How fast cost items are taken in where `--items` are stored: a thousand new ones at once, one
after another, and a thousand whose amounts and dates have changed, from anywhere in the stock.

The limit is measured beside it: the same rows by hand, into a table of as many rows with the same
indexes, at once by executemany on SQLite and by COPY on PostgreSQL. The product reads drafts, asks
what is known, and keeps tags, sums, words and the audit trail. There is no goal for that ratio: it
passes where both have the same rows and sums of each day. That new items cost at most 1.6 times as
much beside the largest stock as beside the smallest is a bound of our own, from a million on. What
is changed lies anywhere in the stock and is as slow to reach for rows by hand: that is told alone.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from billing_plugin import ids, operations
from billing_plugin.context import write_transaction
from billing_plugin.models import base, items, search
from billing_plugin.models.items import CostItem
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from billing_plugin.operations.drafts import columns_of, revised, said_in
from billing_plugin.operations.items import blank
from tests.benchmarks import harness
from tests.benchmarks.harness import Comparison, Contestant, Goal, compare, report
from tests.benchmarks.items import DAYS, FIRST_DAY, PROVIDERS, SERVICES, TAGS, Stock, stocked
from tests.benchmarks.raw_items import RawPostgresqlItems, RawSqliteItems
from tests.factories import START

SIZES = "2000,20000"
BATCH, SINGLES = 1_000, 100  # items in a turn
FULL, GROWTH = 1_000_000, 1.6
FIRST_NOON = datetime.fromisoformat(FIRST_DAY).replace(hour=12, tzinfo=UTC)
LATE = 30  # days, the last of the stock, from which new items are
_SOME = "SELECT i, provider, day FROM item ORDER BY hash(i, ?) LIMIT ?"
_SUMS = "SELECT day, currency, SUM(nanos), SUM(attos), COUNT(*) FROM billing_item GROUP BY 1, 2"
Sums = dict[tuple[str, str], tuple[Exact, int]]  # by day and currency
Raw = RawSqliteItems | RawPostgresqlItems


class Bills:
    """What comes in: new items, as unequal as those in stock, and what is said anew of those."""

    def __init__(self, stock: Stock) -> None:
        self.stock, self.chance = stock, random.Random(7)
        self.numbers, self.turns = itertools.count(), itertools.count(1)
        found = operations.list_categories(stock.actor, stock.account_id)
        self.categories = [one.id for one in found]

    def new(self, number: int) -> list[ItemDraft]:
        """So many that never were."""
        return [self._draft(next(self.numbers)) for _ in range(number)]

    def changed(self, number: int) -> list[ItemDraft]:
        """So many that are in stock, each later than ever before."""
        turn = next(self.turns)
        rows = self.stock.duck.execute(_SOME, [turn, number]).fetchall()
        return [
            ItemDraft(
                f"Usage of service {i % 1000}", self._amount(), provider=provider,
                provider_ref=f"ref {i}", date=datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
                + timedelta(days=turn),
            )
            for i, provider, day in rows
        ]  # fmt: skip

    def _draft(self, number: int) -> ItemDraft:
        chance = self.chance.random
        service = int(SERVICES * chance() ** 3)
        provider, day = service % PROVIDERS, DAYS - 1 - int(LATE * chance())
        tags = {f"tag {int(TAGS * chance() ** 2)}" for _ in range(int(4 * chance()))}
        return ItemDraft(
            f"Usage of service {number % 1000}", self._amount(),
            "EUR" if provider == 9 else "USD", FIRST_NOON + timedelta(days=day),
            category=self.categories[service % len(self.categories)], tags=sorted(tags),
            description="A line of a bill", provider=f"provider {provider}",
            provider_ref=f"new {number}", service_id=f"service {service}",
        )  # fmt: skip

    def _amount(self) -> Exact:
        attos = self.chance.choice((0, 0, self.chance.randrange(100)))
        return Exact(int(50_000_000_000 * self.chance.random() ** 6), attos * 10_000_000)


@dataclass(frozen=True)
class Way:
    """One way of taking items in, by the product and by hand."""

    name: str
    by_hand: str
    drafts: Callable[[Bills], list[ItemDraft]]
    ours: Callable[[Stock, list[ItemDraft]], None]
    theirs: Callable[[Raw, Sequence[CostItem]], None]
    grows: float | None = None  # at most, or told alone


@dataclass(frozen=True)
class Side:
    """A stock, what comes in, and the same by hand."""

    stock: Stock
    bills: Bills
    raw: Raw

    def rows(self, drafts: Iterable[ItemDraft]) -> list[CostItem]:
        """What the product stores for new drafts."""
        plain = blank(self.stock.account_id, "USD", source=items.SYNC, at=START)
        found = [revised(plain, columns_of(said_in(draft))) for draft in drafts]
        made = ids.new_ids(items.PREFIX, len(found))
        return [one._replace(id=item_id) for one, item_id in zip(found, made, strict=True)]

    def reported(self) -> Sums:
        """What the product says of each day."""
        found = operations.trend(self.stock.actor, self.stock.account_id, interval="day")
        return {
            (part.key, share.total.currency): (part.amount, part.count)
            for share in found.currencies
            for part in share.parts
            if part.count
        }

    def stored(self) -> Sums:
        """What its rows come to."""
        with self.stock.billing.instance.active():
            return _sums(base.fetch_all(_SUMS))

    def written(self) -> Sums:
        """What the rows by hand come to."""
        return _sums(self.raw.connection.execute(_SUMS).fetchall())

    def number(self) -> int:
        """How many items there are."""
        return sum(number for _, number in self.stored().values())


class Turns:
    """A turn after another, each with the drafts that were made ready for it, and how long."""

    def __init__(self, way: Way, stock: Stock, ready: Iterable[list[ItemDraft]]) -> None:
        self.way, self.stock, self.ready = way, stock, iter(ready)
        self.speeds: list[float] = []

    def __call__(self) -> None:
        drafts, began = next(self.ready), time.perf_counter()
        with self.stock.billing.instance.active():
            self.way.ours(self.stock, drafts)
        self.speeds.append(len(drafts) / (time.perf_counter() - began))

    def speed(self) -> int:
        """Items a second, the median of all turns but the first."""
        return round(median(self.speeds[1:]))


def main() -> int:
    """Measure, check, report."""
    wanted = options()
    sides: list[list[Side]] = []
    comparisons: list[Comparison] = []
    sizes = map(int, wanted.items.split(","))
    with stocked(sizes, *wanted.database) as stocks, ExitStack() as ends:
        for now in stocks:
            sides.append([ends.enter_context(beside(stock)) for stock in now])
            for side in sides[-1]:
                comparisons += [by_hand(side, way, wanted.rounds) for way in ways()]
        if len(sides) > 1:
            for small, large in zip(sides[0], sides[-1], strict=True):
                comparisons += [growth(way, small, large, rounds=wanted.rounds) for way in ways()]
    return report(comparisons, json_wanted=wanted.json)


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object per comparison")
    parser.add_argument("--rounds", type=int, default=harness.DEFAULT_ROUNDS)
    parser.add_argument("--items", default=SIZES, help="sizes, ascending, with commas between")
    parser.add_argument("--database", nargs="*", default=[], choices=("sqlite", "postgresql"))
    return parser.parse_args()


@contextmanager
def beside(stock: Stock) -> Iterator[Side]:
    """The stock with its words in the index, and a table by hand of the same rows."""
    on_sqlite = stock.backend == "sqlite"
    with stock.billing.instance.active():
        with write_transaction():
            search.rebuild(stock.account_id)
        for sql in ["PRAGMA wal_checkpoint(TRUNCATE)"] if on_sqlite else ["VACUUM ANALYZE"]:
            base.execute(sql)
    raw = RawSqliteItems(stock.place) if on_sqlite else RawPostgresqlItems(stock.place)
    try:
        yield Side(stock, Bills(stock), raw)
    finally:
        raw.connection.close()


def ways() -> list[Way]:
    """All of them."""
    return [
        Way(
            f"store_items(), {BATCH} new", "bare rows", lambda bills: bills.new(BATCH),
            _store, lambda raw, rows: raw.store(rows), GROWTH,
        ),
        Way(
            "create_item()", "bare INSERT", lambda bills: bills.new(SINGLES),
            _create, lambda raw, rows: raw.store_each(rows), GROWTH,
        ),
        Way(
            f"store_items(), {BATCH} changed", "bare UPDATE", lambda bills: bills.changed(BATCH),
            _change, lambda raw, rows: raw.move(rows),
        ),
    ]  # fmt: skip


def by_hand(side: Side, way: Way, rounds: int) -> Comparison:
    """The product against the limit, with the same items."""
    said: dict[str, Any] = {"items": side.number()}
    ready = [way.drafts(side.bills) for _ in range(rounds + 1)]
    rows = iter([side.rows(drafts) for drafts in ready])
    turns = Turns(way, side.stock, ready)
    with _kept():
        found = compare(
            _goal(side.stock, None), Contestant(way.name, turns),
            Contestant(way.by_hand, lambda: way.theirs(side.raw, next(rows))), rounds=rounds,
            check=lambda: side.reported() == side.stored() == side.written(), conditions=said,
        )  # fmt: skip
    return replace(found, conditions={**found.conditions, "items_a_second": turns.speed()})


def growth(way: Way, small: Side, large: Side, *, rounds: int) -> Comparison:
    """The same where many more are stored."""
    numbers = [side.number() for side in (small, large)]
    turns = [
        Turns(way, side.stock, [way.drafts(side.bills) for _ in range(rounds + 1)])
        for side in (small, large)
    ]
    with _kept():
        return compare(
            _goal(large.stock, way.grows), Contestant(f"{way.name}, {numbers[1]} items", turns[1]),
            Contestant(f"{numbers[0]} items", turns[0]), rounds=rounds,
            check=lambda: all(side.reported() == side.stored() for side in (small, large)),
        )  # fmt: skip


@contextmanager
def _kept() -> Iterator[None]:
    """What was made ready beforehand is nobody's garbage."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _goal(stock: Stock, bound: float | None) -> Goal:
    """None is no bound, and there is none for a small stock: the answer has only to be right."""
    if bound is None or stock.number < FULL:
        return Goal("intake", stock.backend, 0.0, judged_on="ratio", direction="at_least")
    return Goal("intake", stock.backend, bound, judged_on="ratio")


def _store(stock: Stock, drafts: list[ItemDraft]) -> None:
    done = operations.store_items(stock.actor, stock.account_id, drafts, source=items.SYNC)
    assert done.created == len(drafts), done


def _create(stock: Stock, drafts: list[ItemDraft]) -> None:
    for draft in drafts:
        assert operations.create_item(stock.actor, stock.account_id, draft).created


def _change(stock: Stock, drafts: list[ItemDraft]) -> None:
    done = operations.store_items(stock.actor, stock.account_id, drafts, source=items.SYNC)
    assert done.updated == len(drafts), done


def _sums(rows: Iterable[Sequence[Any]]) -> Sums:
    return {
        (day, currency): (Exact.of_sums(int(nanos), int(attos)), number)
        for day, currency, nanos, attos, number in rows
    }


if __name__ == "__main__":
    raise SystemExit(main())
