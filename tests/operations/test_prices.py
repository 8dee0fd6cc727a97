"""Rating: exact products of published prices, rounded once, never silently nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations import Usage
from billing_plugin.providers.price_list import GenaiPrices
from tests.books import everything
from tests.factories import START, account_with, billing_on

PER_TOKEN = {  # published, in dollars for a million tokens: in, out, read from cache
    "gpt-4o": ("2.5", "10", "1.25"),
    "gpt-4o-mini": ("0.15", "0.6", "0.075"),
    "gpt-4.1-nano": ("0.1", "0.4", "0.025"),
}


@dataclass
class FixedPrice:
    """A price list that answers one amount and remembers what it was asked."""

    exact: Decimal
    asked: list[Any] = field(default_factory=list)

    def quote(self, model: str, quantities: dict[str, int], **said: Any) -> FixedPrice:
        self.asked.append((model, quantities, said))
        return self

    provider = "fixed"
    source = "test 1"
    facts: dict[str, Any] = field(default_factory=lambda: {"plan": "x"})


def estimate(actor: Actor, used: Usage) -> Any:
    return operations.estimate_cost(actor, str(actor.account_id), used)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(PER_TOKEN)),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
)
def test_the_price_list_multiplies_exactly(model: str, fresh: int, cached: int, out: int) -> None:
    prices = GenaiPrices()
    counts = {"input_tokens": fresh + cached, "cache_read_tokens": cached, "output_tokens": out}
    quote = prices.quote(model, {k: v for k, v in counts.items() if v}, provider="openai", at=START)
    per_input, per_output, per_read = map(Fraction, PER_TOKEN[model])
    exact = (fresh * per_input + out * per_output + cached * per_read) / 10**6
    assert Fraction(quote.exact) == exact


@pytest.mark.parametrize(
    ("exact", "nanos"),
    [("1E-9", 1), ("5E-10", 0), ("15E-10", 2), ("25E-10", 2), ("2.5000000001E-9", 3), ("0E+5", 0)],
)
def test_the_product_is_rounded_once_half_even(database_url: str, exact: str, nanos: int) -> None:
    prices = FixedPrice(Decimal(exact))
    billing = billing_on(database_url, price_list=prices)
    actor = account_with(billing, "1")
    used = Usage("m", "p", 5, 6, 0, 0)
    assert estimate(actor, used).cost == Money(nanos)
    outcome = operations.record_usage(actor, str(actor.account_id), used)
    assert outcome.record is not None
    stored = operations.list_entries(actor, str(actor.account_id))[0]
    assert stored.amount == Money(-nanos)
    assert outcome.record.price == {"source": "test 1", "exact": Decimal(exact), "plan": "x"}


def test_the_price_list_is_asked_for_the_time_of_use(database_url: str) -> None:
    prices = FixedPrice(Decimal(1))
    billing = billing_on(database_url, price_list=prices)
    actor = account_with(billing, "10")
    at = datetime(2024, 5, 1, tzinfo=START.tzinfo)
    operations.record_usage(
        actor, str(actor.account_id), Usage("m", input_tokens=5, effective_at=at)
    )
    assert prices.asked == [("m", {"input_tokens": 5}, {"provider": None, "at": at})]


@pytest.mark.parametrize("exact", ["-1", "NaN", "Infinity", "1E+10"])
def test_a_price_that_makes_no_sense_charges_nothing(database_url: str, exact: str) -> None:
    billing = billing_on(database_url, price_list=FixedPrice(Decimal(exact)))
    actor = account_with(billing, "1")
    before = everything(billing)
    for ask in (operations.estimate_cost, operations.record_usage):
        with pytest.raises(errors.InvalidRequest):
            ask(actor, str(actor.account_id), Usage("m", input_tokens=1))
    assert everything(billing) == before


def test_a_stated_cost_wins_and_says_so(actor: Actor) -> None:
    rated = estimate(actor, Usage("gpt-4o", input_tokens=10**6, cost=Money.parse("0.1")))
    assert (rated.cost.text, rated.provider, rated.price) == (
        "0.10", "unknown", {"source": "caller"},
    )  # fmt: skip
    with pytest.raises(errors.InvalidRequest):
        estimate(actor, Usage("gpt-4o", cost=Money(-1)))


def test_an_estimate_stores_nothing(billing: Billing, actor: Actor) -> None:
    before = everything(billing)
    assert estimate(actor, Usage("gpt-4o", "openai", 10**6)).cost.text == "2.50"
    with pytest.raises(errors.UnpricedModel):
        estimate(actor, Usage("no-such-model", input_tokens=1))
    assert everything(billing) == before


def test_an_estimate_is_checked_like_a_charge(actor: Actor) -> None:
    for used in (Usage(""), Usage("gpt-4o", input_tokens=-1), Usage("gpt-4o", input_tokens=True)):
        with pytest.raises(errors.InvalidRequest):
            estimate(actor, used)


@pytest.mark.parametrize("model", ["whisper-1", "text-embedding-3-small"])
def test_a_model_without_a_price_for_its_tokens_is_unpriced(actor: Actor, model: str) -> None:
    """Whisper is sold by the minute, an embedding writes nothing: their tokens are not free."""
    with pytest.raises(errors.UnpricedModel):
        estimate(actor, Usage(model, "openai", input_tokens=10, output_tokens=7))
