"""Real input: 19,366 requests of a public trace, charged to the nano against exact fractions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pytest
from genai_prices.data import providers

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models.base import fetch_one
from billing_plugin.operations import ImportSummary
from tests.books import complaints, counts
from tests.factories import account_with

TRACE = Path(__file__).parents[2] / "shared" / "data" / "azure-llm-trace-conv-2023.csv"
ROWS = 19_366
HEAD = 4_000  # as many are enough where a limit stops in the middle
# Dollars for a million tokens, in and out, as published. A token of the second costs 37.5 nanos:
# each record is rounded once, and every other one is a tie.
MODELS = {
    ("openai", "gpt-4o"): ("2.5", "10"),
    ("cohere", "command-r7b"): ("0.0375", "0.15"),
}
pytestmark = pytest.mark.skipif(
    not TRACE.exists(), reason=f"The public trace {TRACE.name} is not beside this project."
)


@pytest.fixture
def rich(billing: Billing) -> Actor:
    """An account that can pay for the whole trace."""
    return account_with(billing, "1000")


def tokens() -> Iterator[tuple[str, int, int]]:
    for line in TRACE.read_text().splitlines()[1:]:
        stamp, read, written = line.split(",")
        yield stamp, int(read), int(written)


def half_even(exact: Fraction) -> int:
    floor = math.floor(exact)
    rest = exact - floor
    return floor + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and floor % 2 == 1))


def exact_costs(model: tuple[str, str]) -> list[int]:
    """Nanos of each request: exact product, rounded once. Shares no code with the product."""
    per_read, per_written = (Fraction(price) / 10**6 for price in MODELS[model])
    return [
        half_even((read * per_read + written * per_written) * 10**9)
        for _, read, written in tokens()
    ]


def imported(actor: Actor, model: tuple[str, str], rows: int = ROWS) -> ImportSummary:
    """Imports the trace, or its beginning."""
    with TRACE.open(encoding="utf-8", newline="") as lines:
        return operations.import_usage(
            actor, str(actor.account_id), islice(lines, rows + 1), provider=model[0], model=model[1]
        )


def spent(billing: Billing) -> int:
    """What the ledger says was spent, in nanos."""
    sums = "SELECT COALESCE(SUM(-amount_nanos), 0) FROM billing_ledger_entry WHERE kind = 'usage'"
    with billing.instance.active():
        row = fetch_one(sums)
    assert row is not None
    return int(row[0])


def test_the_trace_is_the_one_that_is_meant() -> None:
    rows = list(tokens())
    sums = [sum(row[column] for row in rows) for column in (1, 2)]  # type: ignore[misc]
    assert (len(rows), *sums) == (ROWS, 22_361_870, 4_088_665)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model[1])
def test_the_prices_are_the_published_ones(model: tuple[str, str]) -> None:
    [found] = [
        entry.prices
        for provider in providers
        for entry in provider.models
        if (provider.id, entry.id) == model
    ]
    published = (found.input_mtok, found.output_mtok)  # type: ignore[union-attr]
    assert published == tuple(map(Decimal, MODELS[model]))


def test_half_the_costs_of_the_odd_model_are_ties() -> None:
    """So that rounding half-up instead of half-even, or twice, would show."""
    odd = sum(read % 2 for _, read, _ in tokens())
    assert odd > 9_000
    upwards = sum((read * 75 + written * 300 + 1) // 2 for _, read, written in tokens())
    assert upwards != sum(exact_costs(("cohere", "command-r7b")))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model[1])
def test_every_request_is_charged_to_the_nano(
    billing: Billing, rich: Actor, model: tuple[str, str]
) -> None:
    done = imported(rich, model)
    expected = sum(exact_costs(model))
    assert (done.read, done.recorded, done.replayed, done.refusal) == (ROWS, ROWS, 0, None)
    assert done.charged.nanos == spent(billing) == expected
    balance = operations.check_balance(rich, str(rich.account_id))
    assert balance.posted == Money.parse("1000") - Money(expected)
    assert complaints(billing) == []
    before = counts(billing)
    again = imported(rich, model)
    assert (again.recorded, again.replayed, again.charged) == (0, ROWS, Money.zero())
    assert (counts(billing), spent(billing)) == (before, expected)


def test_a_limit_set_in_the_middle_stops_exactly_there(billing: Billing, rich: Actor) -> None:
    model, account_id = ("openai", "gpt-4o"), str(rich.account_id)
    costs = exact_costs(model)[:HEAD]
    ceiling = Money(sum(costs) // 2)
    operations.set_limit(rich, account_id, ceiling, window="total")
    done = imported(rich, model, HEAD)
    assert isinstance(done.refusal, errors.LimitExceeded)
    assert done.charged.nanos == spent(billing) == sum(costs[: done.recorded])
    assert spent(billing) <= ceiling.nanos < spent(billing) + costs[done.recorded]
    assert done.line == done.recorded + 2  # the header is line 1
    assert done.refusal.extra["spent"] == done.charged.text
    assert complaints(billing) == []
    [state] = operations.list_limits(rich, account_id)
    operations.remove_limit(rich, account_id, state.limit.id)
    rest = imported(rich, model, HEAD)
    assert (rest.replayed, rest.recorded) == (done.recorded, HEAD - done.recorded)
    assert spent(billing) == sum(costs)
