"""What changes a price: between moments, and between the list and the book."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_plugin import Actor, Billing, errors, operations
from tests.factories import START, Clock, account_with, billing_on
from tests.operations.listings import flat

DAY = timedelta(days=1)


@pytest.fixture
def billing(database_url: str, clock: Clock) -> Billing:
    """A system whose price list knows one model."""
    listed = flat(input_tokens="0.1", output_tokens="0.2")
    return billing_on(database_url, clock=clock, price_list=listed)


def put(billing: Billing, model: str = "m", /, *, options: Any = None, **prices: str) -> Any:
    return operations.set_price(billing.operator(), "p", model, prices=prices, **(options or {}))


def diff(actor: Actor, **said: Any) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (
            change.model,
            change.unit,
            *(None if p is None else str(p) for p in (change.old, change.new)),
        )
        for change in operations.diff_prices(actor, **said)
    ]


def test_the_book_against_the_list(billing: Billing) -> None:
    assert diff(billing.operator()) == []
    put(billing, input_tokens="0.3", output_tokens="0.2")
    put(billing, "own", requests="5")
    assert diff(billing.operator()) == [("m", "input_tokens", "0.1", "0.3"),
                                        ("own", "requests", None, "5")]  # fmt: skip
    assert diff(billing.operator(), model="OWN") == [("own", "requests", None, "5")]


def test_between_two_moments(billing: Billing) -> None:
    put(billing, input_tokens="0.3", output_tokens="0.2")
    put(billing, input_tokens="0.4", options={"valid_from": START + DAY})
    operator = billing.operator()
    assert diff(operator, since=START, until=START + DAY) == [
        ("m", "input_tokens", "0.3", "0.4"), ("m", "output_tokens", "0.2", None),
    ]  # fmt: skip
    assert diff(operator, since=START - DAY, until=START) == [("m", "input_tokens", "0.1", "0.3")]
    assert diff(operator, since=START, until=START + DAY / 2) == []


def test_the_list_itself_between_two_moments(database_url: str) -> None:
    real = billing_on(database_url, clock=Clock()).operator()
    since, until = (datetime(2025, month, 1, tzinfo=UTC) for month in (6, 7))
    found = operations.diff_prices(real, since=since, until=until, model="o3")
    mine = [c for c in found if (c.provider, c.unit) == ("openai", "input_tokens")]
    assert [(c.old, c.new) for c in mine] == [(Decimal("0.00001"), Decimal("0.000002"))]


def test_another_currency_is_another_price(billing: Billing) -> None:
    put(billing, input_tokens="0.1", options={"currency": "EUR"})
    found = operations.diff_prices(billing.operator())
    assert [(c.unit, c.old, c.new, c.currency) for c in found] == [
        ("input_tokens", Decimal("0.1"), None, "USD"),
        ("output_tokens", Decimal("0.2"), None, "USD"),
        ("input_tokens", None, Decimal("0.1"), "EUR"),
    ]


def test_an_account_sees_its_own_and_no_others(billing: Billing) -> None:
    one, other = account_with(billing), account_with(billing)
    put(billing, input_tokens="0.5", output_tokens="0.2", options={"account_id": one.account_id})
    assert diff(one) == [("m", "input_tokens", "0.1", "0.5")]
    assert diff(other) == diff(billing.operator()) == []
    assert diff(billing.operator(), account_id=one.account_id) == diff(one)
    with pytest.raises(errors.NotFound):
        diff(other, account_id=one.account_id)


def test_without_a_price_list_the_book_is_compared_with_nothing(billing: Billing) -> None:
    billing.instance.price_list = None
    put(billing, input_tokens="1")
    assert diff(billing.operator()) == [("m", "input_tokens", None, "1")]
    assert diff(billing.operator(), since=START, until=START + DAY) == []
