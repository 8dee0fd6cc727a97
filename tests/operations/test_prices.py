"""The operations on prices: estimating, listing, setting and ending them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_plugin import Actor, Billing, errors, operations
from billing_plugin.operations import Usage
from tests.books import everything
from tests.factories import START, Clock, account_with

DAY = timedelta(days=1)
PRICES = {"input_tokens": "0.0000025"}


def put(billing: Billing, **said: Any) -> Any:
    given = {"provider": "p", "model": "m", "prices": PRICES, **said}
    return operations.set_price(billing.operator(), **given)


def estimate(actor: Actor, used: Usage) -> Any:
    return operations.estimate_cost(actor, str(actor.account_id), used)


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


def test_an_estimate_is_at_the_accounts_own_price(billing: Billing, actor: Actor) -> None:
    put(billing, account_id=actor.account_id, prices={"input_tokens": Decimal("1E-3")})
    assert estimate(actor, Usage("m", "p", 7)).cost.text == "0.007"


def test_a_price_is_kept_as_it_was_set(billing: Billing) -> None:
    until = START + DAY
    price = put(billing, provider=" OpenAI ", model="GPT-X", valid_until=until, source="contract 7")
    assert (price.provider, price.model, price.prices) == ("openai", "gpt-x", PRICES)
    assert (price.valid_from, price.valid_until, price.created_at) == (START, until, START)
    assert (price.source, price.created_by, price.currency) == ("contract 7", "operator", "USD")
    [listed] = operations.list_prices(billing.operator())
    assert (listed.id, listed.prices) == (price.id, PRICES)


@pytest.mark.parametrize(
    "said",
    [
        {"prices": {}}, {"prices": {"tokens": "1"}}, {"prices": {"input_tokens": "-1"}},
        {"prices": {"input_tokens": "1e3"}}, {"prices": {"input_tokens": 0.1}},
        {"prices": {"input_tokens": Decimal("NaN")}}, {"prices": {"input_tokens": "1" * 13}},
        {"provider": "*"}, {"model": "*"}, {"model": " "}, {"model": "x" * 201},
        {"valid_until": START}, {"valid_from": START - DAY}, {"currency": "dollars"},
        {"valid_from": START.replace(tzinfo=None)}, {"source": "\0"},
    ],
)  # fmt: skip
def test_a_price_that_is_none_is_refused(billing: Billing, said: dict[str, Any]) -> None:
    before = everything(billing)
    with pytest.raises(errors.InvalidRequest):
        put(billing, **said)
    assert everything(billing) == before


def test_a_price_may_begin_in_the_past_if_that_is_meant(billing: Billing, actor: Actor) -> None:
    price = put(billing, valid_from=START - DAY, retroactive=True)
    assert price.valid_from == START - DAY


def test_an_account_pays_in_its_own_currency(billing: Billing) -> None:
    account = operations.create_account(billing.operator(), "E", currency="EUR")
    assert put(billing, account_id=account.id).currency == "EUR"
    with pytest.raises(errors.InvalidRequest) as caught:
        put(billing, account_id=account.id, currency="USD")
    assert caught.value.code == "currency_mismatch"
    with pytest.raises(errors.NotFound):
        put(billing, account_id="acct_" + "0" * 32)


def test_a_price_ends_once_and_never_in_the_past(billing: Billing, clock: Clock) -> None:
    operator, price = billing.operator(), put(billing)
    clock.forward(days=1)
    with pytest.raises(errors.InvalidRequest):
        operations.end_price(operator, price.id, at=START)
    assert operations.end_price(operator, price.id).valid_until == START + DAY
    with pytest.raises(errors.Conflict):
        operations.end_price(operator, price.id)
    with pytest.raises(errors.NotFound):
        operations.end_price(operator, "price_" + "0" * 32)


def test_a_price_is_set_once_for_a_key(billing: Billing, clock: Clock) -> None:
    one, other = (str(account_with(billing).account_id) for _ in range(2))
    said = {"valid_from": START, "account_id": one, "idempotency_key": "k"}
    made = put(billing, **said)
    clock.forward(days=1)  # so that it would begin in the past
    before = everything(billing)
    again = put(billing, **said)
    assert (made.replayed, again.replayed, again.id) == (False, True, made.id)
    with pytest.raises(errors.IdempotencyConflict):
        put(billing, **{**said, "prices": {"input_tokens": "1"}})
    assert everything(billing) == before
    with pytest.raises(errors.InvalidRequest):
        put(billing, **{**said, "account_id": other})
    assert not put(billing, account_id=other, idempotency_key="k").replayed


def test_a_price_is_ended_once_for_a_key(billing: Billing) -> None:
    operator, mine = billing.operator(), str(account_with(billing).account_id)
    price, other = put(billing, account_id=mine), str(account_with(billing).account_id)
    for account_id, found in ((other, False), (mine, True)):
        said = {"account_id": account_id, "idempotency_key": "k"}
        if not found:
            with pytest.raises(errors.NotFound):
                operations.end_price(operator, price.id, **said)
            continue
        assert not operations.end_price(operator, price.id, **said).replayed
        assert operations.end_price(operator, price.id, **said).replayed
        with pytest.raises(errors.IdempotencyConflict):
            operations.end_price(operator, price.id, at=START + DAY, **said)


def test_prices_are_listed_for_a_moment_and_for_whom_they_concern(billing: Billing) -> None:
    one, other = account_with(billing), account_with(billing)
    ours, later = put(billing), put(billing, valid_from=START + DAY)
    mine = put(billing, account_id=one.account_id)

    def listed(actor: Actor, **said: Any) -> list[str]:
        return [price.id for price in operations.list_prices(actor, **said)]

    assert listed(one) == [mine.id, later.id, ours.id]
    assert listed(other) == listed(billing.operator()) == [later.id, ours.id]
    assert listed(billing.operator(), account_id=one.account_id, at=START) == [mine.id, ours.id]
    assert listed(one, limit=2) == [mine.id, later.id]
    assert listed(one, limit=2, before=later.id) == [ours.id]
    with pytest.raises(errors.InvalidRequest):
        listed(one, limit=0)
    with pytest.raises(errors.NotFound):
        listed(other, account_id=one.account_id)


def test_only_operators_change_prices(billing: Billing, actor: Actor) -> None:
    assert "prices:write" not in operations.account_scopes()
    price = put(billing)
    for attempt in (
        lambda: operations.set_price(actor, "p", "m", prices=PRICES),
        lambda: operations.end_price(actor, price.id),
    ):
        with pytest.raises(errors.Forbidden):
            attempt()
