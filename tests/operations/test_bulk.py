"""Many uses in one pass: all of them, or a hand-over to the general way that leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.context import write_transaction
from billing_plugin.operations import Submission, Usage, bulk
from billing_plugin.operations.price_book import book
from billing_plugin.operations.till import open_till
from tests.books import complaints, counts, everything
from tests.deeds import balance, limit
from tests.factories import START, account_with

NUMBER = 40  # rows; enough for COPY
HOUR = timedelta(hours=1)


def uses(number: int = NUMBER, **said: Any) -> list[Submission]:
    return [
        Submission(Usage("m", "p", turn, cost=Money(turn), **said), f"key {turn}")
        for turn in range(number)
    ]


def in_bulk(actor: Actor, submissions: list[Submission]) -> None:
    """Charges them in one pass or raises Unusual."""
    with actor.instance.active(), write_transaction():
        bulk.charge(open_till(actor, str(actor.account_id)), actor, submissions)


@pytest.fixture
def bounded(actor: Actor) -> Actor:
    """With a limit whose window has its counter."""
    limit(actor, "9", partitions=["model"])
    operations.charge(actor, str(actor.account_id), Money(1), model="m", provider="p")
    return actor


def test_what_nothing_speaks_against_is_charged_in_one_pass(
    billing: Billing, bounded: Actor
) -> None:
    before = counts(billing)
    in_bulk(bounded, uses())
    after = counts(billing)
    assert {name: new for name in after if (new := after[name] - before.get(name, 0))} == {
        "ledger_entry": 1, "usage_record": NUMBER, "idempotency_key": NUMBER,
    }  # fmt: skip
    assert complaints(billing) == []
    assert operations.verify_ledger(billing.operator()).broken == []


def dearer(wishes: list[Submission]) -> list[Submission]:
    return [*wishes, Submission(Usage("m", "p", cost=Money.parse("10")))]


def poorer(wishes: list[Submission]) -> list[Submission]:
    return [*wishes, Submission(Usage("elsewhere", "p", cost=Money.parse("101")))]


UNUSUAL: dict[str, Callable[[list[Submission]], list[Submission]]] = {
    "past the limit": dearer,
    "past the balance": poorer,
    "another currency": lambda found: [*found, Submission(Usage("m", cost=Money(1, "EUR")))],
    "no counts": lambda found: [*found, Submission(Usage("m", "p", -1, cost=Money(1)))],
    "no name": lambda found: [Submission(Usage("\0", "p", cost=Money(1))), *found],
    "no price": lambda found: [*found, Submission(Usage("nameless", "nobody", 1))],
    "no key": lambda found: [*found, Submission(Usage("m", cost=Money(1)), "\n")],
    "a key twice": lambda found: [*found, found[0]],
    "a window not counted before": lambda found: [
        *found, Submission(Usage("m", "p", cost=Money(1), effective_at=START - 40 * 24 * HOUR))
    ],
    "a time that is none": lambda found: [
        *found, Submission(Usage("m", "p", 1, effective_at=START.replace(tzinfo=None)))
    ],
}  # fmt: skip


@pytest.mark.parametrize("change", UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_is_left_to_the_general_way(
    billing: Billing, bounded: Actor, change: Callable[[list[Submission]], list[Submission]]
) -> None:
    before = everything(billing)
    wishes = change(uses())
    with pytest.raises(bulk.Unusual):
        in_bulk(bounded, wishes)
    assert everything(billing) == before
    outcomes = operations.record_usage_batch(bounded, str(bounded.account_id), wishes)
    assert sum(one.record is not None for one in outcomes) >= NUMBER
    assert complaints(billing) == []


@pytest.mark.parametrize("which", [0, NUMBER - 1])
def test_a_key_that_is_known_is_unusual(bounded: Actor, which: int) -> None:
    wishes = uses()
    in_bulk(bounded, wishes[which : which + 1])
    with pytest.raises(bulk.Unusual):
        in_bulk(bounded, wishes)
    outcomes = operations.record_usage_batch(bounded, str(bounded.account_id), wishes)
    assert [one.replayed for one in outcomes] == [turn == which for turn in range(NUMBER)]


@pytest.mark.parametrize("about", [{"action": "soft"}, {"partitions": ["metadata.team"]}])
def test_a_limit_that_looks_at_single_uses_is_unusual(actor: Actor, about: dict[str, Any]) -> None:
    limit(actor, "9", **about)
    with pytest.raises(bulk.Unusual):
        in_bulk(actor, uses(2))


def test_prices_are_looked_up_before_the_database_is_busy(billing: Billing, actor: Actor) -> None:
    wishes = [Submission(Usage("gpt-4o", "openai", turn, 7)) for turn in range(NUMBER)]
    with billing.instance.active():
        book().forget()
    in_bulk(actor, wishes)
    assert balance(actor)[0] == "99.99525"  # 780 tokens in at 2.5, 280 out at 10 dollars/million
    assert complaints(billing) == []


def test_a_price_that_changes_between_two_uses_is_unusual(billing: Billing) -> None:
    actor = account_with(billing, "100")
    for hours, price in ((-2, "1"), (-1, "2")):
        operations.set_price(
            billing.operator(), "p", "m", prices={"requests": price}, retroactive=True,
            valid_from=START + hours * HOUR,
        )  # fmt: skip
    wishes = [Submission(Usage("m", "p", effective_at=START - n * HOUR / 2)) for n in (1, 3)]
    with pytest.raises(bulk.Unusual):
        in_bulk(actor, wishes)
    operations.record_usage_batch(actor, str(actor.account_id), wishes)
    assert balance(actor)[0] == "97.00"
