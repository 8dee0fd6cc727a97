"""Rating: exact products, rounded once, and what becomes of a use that has no price."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing_plugin import Billing, Money, errors, operations
from billing_plugin.models.usage import Usage
from billing_plugin.operations.rating import Rated, check_usage, rate
from tests.factories import START, Clock, account_with, billing_on
from tests.operations.listings import flat


def rated(billing: Billing, usage: Usage, account_id: str | None = None) -> Rated:
    with billing.instance.active():
        return rate(usage, START, account_id)


def test_a_use_is_rated_with_all_that_is_stored(billing: Billing) -> None:
    found = rated(billing, Usage("gpt-4o", "", 1_000, 100))
    assert (found.provider, found.model, found.cost) == ("openai", "gpt-4o", Money(3_500_000))
    assert not found.flagged
    facts = json.loads(found.price)
    assert facts.pop("source").startswith("genai-prices 0.")
    assert facts == {
        "provider": "openai", "model": "gpt-4o", "currency": "USD",
        "prices": {"input_tokens": "0.0000025", "output_tokens": "0.00001",
                   "cache_read_tokens": "0.00000125"},
    }  # fmt: skip
    assert rated(billing, Usage("gpt-4o", "", 7)).price is found.price


@pytest.mark.parametrize(
    ("price", "nanos"),
    [("1E-9", 1), ("5E-10", 0), ("15E-10", 2), ("25E-10", 2), ("2.5000000001E-9", 3), ("0", 0)],
)
def test_the_product_is_rounded_once_half_even(database_url: str, price: str, nanos: int) -> None:
    billing = billing_on(database_url, price_list=flat(input_tokens=price, output_tokens="0"))
    assert rated(billing, Usage("m", "p", 1)).cost == Money(nanos)


def test_a_stated_cost_wins_and_says_so(billing: Billing) -> None:
    found = rated(billing, Usage("gpt-4o", input_tokens=10**6, cost=Money.parse("0.1")))
    assert found == Rated("unknown", "gpt-4o", 10**8, "USD", '{"source":"caller"}')
    with pytest.raises(errors.InvalidRequest):
        rated(billing, Usage("gpt-4o", cost=Money(-1)))


@pytest.mark.parametrize("model", ["whisper-1", "text-embedding-3-small", "no-such-model"])
def test_what_has_no_price_is_refused(billing: Billing, model: str) -> None:
    """Whisper is sold by the minute, an embedding writes nothing: their tokens are not free."""
    with pytest.raises(errors.UnpricedModel):
        rated(billing, Usage(model, "openai", input_tokens=10, output_tokens=7))


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": 5, "cache_read_tokens": 6},
        {"input_tokens": 5, "cache_write_tokens": 6},
        {"input_tokens": 10, "cache_read_tokens": 6, "cache_write_tokens": 6},
    ],
)
def test_counts_that_contradict_are_refused(billing: Billing, counts: dict[str, int]) -> None:
    with pytest.raises(errors.InvalidRequest, match="contradict"):
        rated(billing, Usage("claude-sonnet-4-5", "anthropic", **counts))  # type: ignore[arg-type]


def policy(database_url: str, unpriced: str) -> Billing:
    return billing_on(database_url, clock=Clock(), unpriced=unpriced)


@pytest.mark.parametrize("model", ["no-such-model", "whisper-1"])
def test_the_fallback_price_is_taken_where_it_may_be(database_url: str, model: str) -> None:
    billing = policy(database_url, "fallback")
    used = Usage(model, "openai", 1_000, 100)
    with pytest.raises(errors.UnpricedModel):
        rated(billing, used)
    prices = {"input_tokens": "0.00001", "output_tokens": "0.00003"}
    price = operations.set_price(billing.operator(), "*", "*", prices=prices)
    found = rated(billing, used)
    assert (found.provider, found.model, found.cost.text) == ("openai", model, "0.013")
    assert found.flagged
    assert json.loads(found.price)["id"] == price.id
    assert not rated(billing, Usage("gpt-4o", "openai", 1)).flagged


def test_the_accounts_own_fallback_comes_first(database_url: str) -> None:
    billing = policy(database_url, "fallback")
    account_id = str(account_with(billing).account_id)
    for cents, whose in (("0.01", None), ("0.02", account_id)):
        operations.set_price(
            billing.operator(), "*", "*", prices={"input_tokens": cents}, account_id=whose
        )
    used = Usage("no-such-model", input_tokens=1)
    assert [rated(billing, used, whose).cost.text for whose in (account_id, None)] == [
        "0.02", "0.01",
    ]  # fmt: skip


def test_the_fallback_price_is_nobodys_where_it_may_not_be(billing: Billing) -> None:
    operations.set_price(billing.operator(), "*", "*", prices={"input_tokens": "1"})
    with pytest.raises(errors.UnpricedModel):
        rated(billing, Usage("no-such-model", input_tokens=1))
    assert rated(billing, Usage("*", "*", 1)).flagged


def test_what_is_allowed_without_a_price_costs_nothing_and_is_flagged(database_url: str) -> None:
    billing = policy(database_url, "allow")
    account = operations.create_account(billing.operator(), "E", currency="EUR")
    found = rated(billing, Usage("no-such-model", input_tokens=5), account.id)
    assert (found.cost, found.flagged, found.provider) == (Money(0, "EUR"), True, "unknown")
    assert json.loads(found.price)["source"] == "none"
    assert rated(billing, Usage("no-such-model", "x")).cost == Money(0)
    with pytest.raises(errors.InvalidRequest, match="contradict"):
        rated(billing, Usage("claude-sonnet-4-5", "", 1, cache_read_tokens=2))


@pytest.mark.parametrize(
    "said",
    [{"model": ""}, {"model": "x" * 201}, {"input_tokens": -1}, {"output_tokens": True},
     {"reasoning_tokens": 10**12 + 1}],
)  # fmt: skip
def test_a_use_that_is_none_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        check_usage(Usage(**{"model": "m", **said}))
    assert check_usage(Usage("m", "p", 1)) == '{"input_tokens":1}'
