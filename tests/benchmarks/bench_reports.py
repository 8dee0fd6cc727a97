"""G6: every summary, breakdown and trend over many cost items, against DuckDB on the same rows.

DuckDB holds the rows in its own storage and adds them up with one thread. Both must say the same to
the last decimal, also right after an item was added, changed and deleted. `--items` names sizes. At
ten million items each report may take at most the time of DuckDB, and at most 1.6 times its own at
one million; at other sizes it must be exact.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

from billing_plugin import operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, SpendFilter
from billing_plugin.operations.breakdowns import Share
from tests.benchmarks import harness
from tests.benchmarks.harness import Comparison, Contestant, Goal, Spread, compare, machine, report
from tests.benchmarks.items import Stock, item_id, stocked

SIZES = "2000,20000"
FULL, GROWTH = 10_000_000, 1.6
SPANS: dict[str, SpendFilter] = {
    "all": SpendFilter(),
    "a year": SpendFilter(since=date(2025, 1, 1), until=date(2025, 12, 31)),
    "59 days": SpendFilter(since=date(2025, 7, 10), until=date(2025, 9, 6)),
    "a provider": SpendFilter(provider="provider 3"),
}
MOMENT = datetime(2025, 7, 15, 12, tzinfo=UTC)
Answer = dict[tuple[str, str], tuple[Exact, int]]  # by key and currency
Ask = Callable[[Stock], Answer]
_BY = {
    "provider": "provider", "category": "category_id", "service": "service_id",
    "recurring": "CASE recurring WHEN 1 THEN 'true' ELSE 'false' END", "tag": "tag",
}  # fmt: skip
_EVERY = {
    "day": "day::VARCHAR", "week": "strftime(day, '%G-W%V')", "month": "strftime(day, '%Y-%m')",
}  # fmt: skip
_TAGGED = "(SELECT *, unnest(CASE len(tags) WHEN 0 THEN [''] ELSE tags END) AS tag FROM item)"


@dataclass(frozen=True)
class Report:
    """One report: how the product is asked for it, and how DuckDB is."""

    name: str
    ask: Ask
    sql: str

    def is_exact(self, stock: Stock) -> bool:
        """Whether both say the same."""
        return self.ask(stock) == self.by_hand(stock)

    def by_hand(self, stock: Stock) -> Answer:
        """What DuckDB says."""
        rows = stock.duck.execute(self.sql).fetchall()
        return {
            (key, currency): (Exact.of_sums(nanos, attos), number)
            for key, currency, nanos, attos, number in rows
        }


def main() -> int:
    """Measure, check, report."""
    wanted = options()
    before: list[Stock] = []
    comparisons: list[Comparison] = []
    with stocked(map(int, wanted.items.split(",")), *wanted.database) as stocks:
        for now in stocks:
            for stock in now:
                comparisons += against_duckdb(stock, wanted.rounds)
            for small, large in zip(before, now, strict=False):
                if large.number == 10 * small.number:
                    comparisons += growth(small, large, wanted.rounds)
            before = now
    return report(comparisons, json_wanted=wanted.json)


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object per comparison")
    parser.add_argument("--rounds", type=int, default=harness.MIN_ROUNDS)
    parser.add_argument("--items", default=SIZES, help="sizes, ascending, with commas between")
    parser.add_argument("--database", nargs="*", default=[], choices=("sqlite", "postgresql"))
    return parser.parse_args()


def reports() -> list[Report]:
    """All of them, over every span."""
    found = []
    for span, chosen in SPANS.items():
        where = _where(chosen)
        found.append(Report(f"summary, {span}", _summary(chosen), _sql("''", "item", where)))
        for by, column in _BY.items():
            table = _TAGGED if by == "tag" else "item"
            sql = _sql(column, table, where)
            found.append(Report(f"by {by}, {span}", _breakdown(chosen, by), sql))
        for interval, column in _EVERY.items():
            sql = _sql(column, "item", where)
            found.append(Report(f"trend by {interval}, {span}", _trend(chosen, interval), sql))
    return found


def against_duckdb(stock: Stock, rounds: int) -> list[Comparison]:
    """Every report, by both; and once more after writes."""
    goal = _goal(stock, 1.0)
    found = [
        compare(
            goal, Contestant(one.name, partial(one.ask, stock)),
            Contestant("DuckDB", partial(one.by_hand, stock)), rounds=rounds,
            correct=one.is_exact(stock), conditions={"items": stock.number},
        )
        for one in reports()
    ]  # fmt: skip
    return [*found, after_writes(stock)]


def after_writes(stock: Stock) -> Comparison:
    """An item is added, another moved, a third deleted: every report is exact right after each."""
    wrong = []
    for write in (_add, _move, _delete):
        write(stock)
        wrong += [one.name for one in reports() if not one.is_exact(stock)]
    goal = Goal("G6", stock.backend, 0.0, judged_on="ratio")
    number = Spread(len(wrong), len(wrong), len(wrong))
    said = {**machine(), "items": stock.number, "wrong": wrong}
    return Comparison(
        goal, "reports that are wrong after a write", "DuckDB", 3, ratio=number, cpu_ratio=number,
        conditions=said,
    )  # fmt: skip


def growth(small: Stock, large: Stock, rounds: int) -> list[Comparison]:
    """The same reports at ten times the items."""
    goal = _goal(large, GROWTH)
    return [
        compare(
            goal, Contestant(f"{one.name}, {large.number} items", partial(one.ask, large)),
            Contestant(f"{small.number} items", partial(one.ask, small)), rounds=rounds,
        )
        for one in reports()
    ]  # fmt: skip


def _goal(stock: Stock, bound: float) -> Goal:
    """The bound is meant for the full number of items: below, DuckDB has not much to add up."""
    if stock.number < FULL:
        return Goal("G6", stock.backend, 0.0, judged_on="ratio", direction="at_least")
    return Goal("G6", stock.backend, bound, judged_on="ratio")


def _summary(chosen: SpendFilter) -> Ask:
    def ask(stock: Stock) -> Answer:
        found = operations.summarize(stock.actor, stock.account_id, chosen)
        return {("", one.currency): (one.amount, one.count) for one in found.totals}

    return ask


def _breakdown(chosen: SpendFilter, by: str) -> Ask:
    def ask(stock: Stock) -> Answer:
        found = operations.break_down(stock.actor, stock.account_id, chosen, by=by)
        return _parts(found.currencies)

    return ask


def _trend(chosen: SpendFilter, interval: str) -> Ask:
    def ask(stock: Stock) -> Answer:
        found = operations.trend(stock.actor, stock.account_id, chosen, interval=interval)
        return _parts(found.currencies)

    return ask


def _parts(shares: Sequence[Share]) -> Answer:
    return {
        (part.key, share.total.currency): (part.amount, part.count)
        for share in shares
        for part in share.parts
        if part.count  # a category that has none of its own is named for those below it
    }


def _sql(key: str, table: str, where: str) -> str:
    return (
        f"SELECT {key} AS key, currency, sum(nanos), sum(attos), count(*) FROM {table}"
        f" WHERE {where} GROUP BY 1, 2"
    )


def _where(chosen: SpendFilter) -> str:
    said = ["source IN ('sync', 'focus', 'manual')"]
    if chosen.since:
        said.append(f"day BETWEEN DATE '{chosen.since}' AND DATE '{chosen.until}'")
    if chosen.provider:
        said.append(f"provider = '{chosen.provider}'")
    return " AND ".join(said)


def _add(stock: Stock) -> None:
    draft = ItemDraft(
        "new", Exact(1_234_567_891, 10), date=MOMENT, provider="provider 3", tags=["tag 1", "tag 7"]
    )
    operations.create_item(stock.actor, stock.account_id, draft)
    stock.duck.execute(
        "INSERT INTO item VALUES (-1, 'manual', 1234567891, 10, 'USD', ?, 'provider 3', '', '', 0,"
        " ['tag 1', 'tag 7'])",
        [MOMENT.date()],
    )


def _move(stock: Stock) -> None:
    changes = {"amount": Exact(-5), "date": MOMENT, "tags": ["tag 2"], "recurring": True}
    operations.update_item(stock.actor, stock.account_id, item_id(7), changes=changes)
    stock.duck.execute(
        "UPDATE item SET nanos = -5, attos = 0, day = ?, tags = ['tag 2'], recurring = 1"
        " WHERE i = 7",
        [MOMENT.date()],
    )


def _delete(stock: Stock) -> None:
    operations.delete_item(stock.actor, stock.account_id, item_id(8))
    stock.duck.execute("DELETE FROM item WHERE i = 8")


if __name__ == "__main__":
    raise SystemExit(main())
