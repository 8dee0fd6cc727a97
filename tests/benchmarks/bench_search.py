"""G7: a search by its words against a LIKE scan over the same rows, and against itself over a tenth
of them. Rare, middling and frequent words, the beginning of a frequent one, two words, a phrase.

The tenth is promised of a million items. A scan grows with them and a search does not: of fewer
than a hundred thousand it only has to be no slower.

LIKE names all items that have the words, in order, as a scan that knows no newest first must; its
first 20 are the answer of the search. One that stops there is as fast where a word is frequent.
It reads name and description alone, the search all that is searched.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from billing_plugin import operations
from billing_plugin.context import write_transaction
from billing_plugin.models import items, search
from billing_plugin.models.base import execute, fetch_all, insert_many
from billing_plugin.models.items import CostItem
from billing_plugin.operations.items import blank
from tests.benchmarks.books import Busy, busy, postgresql
from tests.benchmarks.harness import Comparison, Contestant, Goal, compare, report
from tests.factories import START

LARGE = 100_000
WORDS, VOCABULARY, AT_ONCE, FIRST, TIMES = 14, 20_000, 10_000, 20, 5
QUESTIONS = {
    "rare": ["needle"],
    "middling": ["middling"],
    "frequent": ["frequent"],
    "beginning": ["freq"],
    "none": ["nowhere"],
    "two words": ["middling", "frequent"],
    "phrase": ["frequent common"],
}
OFTEN = {"needle": 10_000, "middling": 500, "frequent common": 3}  # in one of so many
LIKE = "lower(name || ' ' || coalesce(description, '')) LIKE ?"


def main() -> int:
    """Fill, measure, check, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object per comparison")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    wanted = parser.parse_args()
    backends = tuple(wanted.database or ("sqlite", "postgresql"))
    sizes = (wanted.items, wanted.items // 10)
    found: list[Comparison] = []
    with tempfile.TemporaryDirectory() as folder, postgresql(backends) as server:
        if "sqlite" in backends:
            urls = [f"sqlite:///{Path(folder) / name}.db" for name in ("all", "tenth")]
            found += measured("sqlite", urls, sizes=sizes, rounds=wanted.rounds)
        if server:
            with server.database() as every, server.database() as tenth:
                urls = [every, tenth]
                found += measured("postgresql", urls, sizes=sizes, rounds=wanted.rounds)
    return report(found, json_wanted=wanted.json)


def measured(
    backend: str, urls: list[str], *, sizes: tuple[int, int], rounds: int
) -> Iterator[Comparison]:
    """Each question against LIKE, then against the same one in the smaller books."""
    every, tenth = (busy(url) for url in urls)
    bound = 0.1 if sizes[0] >= LARGE else 1.0
    for books, number in zip((every, tenth), sizes, strict=True):
        load(books, number)
    for name, parts in QUESTIONS.items():
        question = " ".join(f'"{part}"' if " " in part else part for part in parts)
        ours = Contestant(f"search, {name}", searching(every, question))
        like = Contestant("LIKE", scanning(every, parts))
        smaller = Contestant(f"in {sizes[1]:,} items", searching(tenth, question))
        said: dict[str, Any] = {"items": sizes[0], "hits": len(hits(every, parts))}
        right = names_found(every, question) == names_liked(every, parts)
        yield compare(
            Goal("G7", backend, bound=bound, judged_on="ratio"), ours, like,
            rounds=rounds, correct=right, conditions=said,
        )  # fmt: skip
        yield compare(
            Goal("G7", backend, bound=3.0, judged_on="ratio"), ours, smaller,
            rounds=rounds, correct=right, conditions=said,
        )  # fmt: skip
    for books in (every, tenth):
        books.billing.close()


def load(books: Busy, number: int) -> None:
    """Lays so many items, of words that are as unequal as those of a language, past the product;
    their words go into the index as the product says them."""
    chance = random.Random(7)
    weights = list(itertools.accumulate(1 / place for place in range(1, VOCABULARY + 1)))
    vocabulary = [f"w{place:x}x" for place in range(VOCABULARY)]
    plain = blank(books.account_id, "USD", source="sync", at=START)
    with books.billing.instance.active():
        for start in range(0, number, AT_ONCE):
            new = []
            for n in range(start, min(start + AT_ONCE, number)):
                said = chance.choices(vocabulary, cum_weights=weights, k=WORDS)
                said += [word for word, often in OFTEN.items() if chance.randrange(often) == 0]
                new.append(item(plain, n, said))
            with write_transaction():
                insert_many(items.TABLE, items.COLUMNS, map(tuple, new), number=len(new))
                search.add([one.searched for one in new])
        execute("ANALYZE")


def item(plain: CostItem, number: int, said: list[str]) -> CostItem:
    """An item whose description says those words."""
    return plain._replace(
        id=f"item_{number:032x}", name=f"Line {number % 1000}", description=" ".join(said),
        provider="openai", provider_ref=f"ref-{number}",
    )  # fmt: skip


def searching(books: Busy, question: str) -> Callable[[], object]:
    """A few searches."""

    def ask() -> None:
        for _ in range(TIMES):
            operations.search_items(books.actor, books.account_id, question, limit=FIRST)

    return ask


def names_found(books: Busy, question: str) -> list[str]:
    """The ids of what is found."""
    found = operations.search_items(books.actor, books.account_id, question, limit=FIRST)
    return [one.id for one in found]


def scanning(books: Busy, parts: list[str]) -> Callable[[], object]:
    """As many scans by LIKE."""

    def scan() -> None:
        for _ in range(TIMES):
            hits(books, parts)

    return scan


def hits(books: Busy, parts: list[str]) -> list[str]:
    """The ids of all items that LIKE finds, the newest first."""
    where = " AND ".join([LIKE] * len(parts))
    sql = f"SELECT id FROM {items.TABLE} WHERE account_id = ? AND {where} ORDER BY id DESC"
    with books.billing.instance.active():
        rows = fetch_all(sql, (books.account_id, *[f"%{part}%" for part in parts]))
    return [row[0] for row in rows]


def names_liked(books: Busy, parts: list[str]) -> list[str]:
    """The first of them."""
    return hits(books, parts)[:FIRST]


if __name__ == "__main__":
    raise SystemExit(main())
