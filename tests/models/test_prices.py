"""The price book's rows: stored, found, ended, and the number of the last change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import peewee
import pytest

from billing_plugin import Billing
from billing_plugin.errors import Conflict, NotFound
from billing_plugin.models import prices
from billing_plugin.models.prices import Price
from tests.factories import START, account_with

DAY = timedelta(days=1)


def added(**values: Any) -> Price:
    given = {
        "account_id": None, "provider": "p", "model": "m", "currency": "USD",
        "prices": {"input_tokens": "0.0000025"}, "valid_from": START, "valid_until": None,
        "source": "test", "created_by": "operator",
    }  # fmt: skip
    return prices.add(START, **{**given, **values})


def test_a_row_goes_round(billing: Billing) -> None:
    with billing.instance.active():
        made = added(valid_until=START + DAY)
        found = prices.get(made.id)
    assert found.id.startswith("price_")
    assert found.prices == {"input_tokens": "0.0000025"}
    assert (found.valid_from, found.valid_until) == (START, START + DAY)
    assert (found.account_id, found.source, found.created_by) == (None, "test", "operator")


def test_what_is_not_there_is_not_found(billing: Billing) -> None:
    with billing.instance.active(), pytest.raises(NotFound):
        prices.get("price_" + "0" * 32)


def test_a_price_holds_from_its_beginning_to_just_before_its_end(billing: Billing) -> None:
    with billing.instance.active():
        price = added(valid_until=START + DAY)
    moments = (START - DAY, START, START + DAY / 2, START + DAY)
    assert [price.in_force(at) for at in moments] == [False, True, True, False]


def test_every_change_has_a_number(billing: Billing) -> None:
    with billing.instance.active():
        assert prices.version() == 0
        price = added()
        assert prices.version() == 1
        prices.end(price.id, START + DAY)
        assert prices.version() == 2


def test_an_end_is_set_once_and_only_ever_earlier(billing: Billing) -> None:
    with billing.instance.active():
        price = added()
        assert prices.end(price.id, START + 2 * DAY).valid_until == START + 2 * DAY
        assert prices.end(price.id, START + DAY).valid_until == START + DAY
        with pytest.raises(Conflict):
            prices.end(price.id, START + DAY)
        coming = added(valid_from=START + DAY)
        assert prices.end(coming.id, START).valid_until == START + DAY
        assert not coming.in_force(START + DAY) or prices.get(coming.id).valid_until == START + DAY


def test_an_account_sees_its_own_and_everybodys(billing: Billing) -> None:
    one, other = (str(account_with(billing).account_id) for _ in range(2))
    with billing.instance.active():
        ours = added()
        mine = added(account_id=one)
        added(account_id=other, model="x")
        assert [price.id for price in prices.seen_by(one)] == [ours.id, mine.id]
        assert [price.id for price in prices.seen_by(None)] == [ours.id]
        assert [price.id for price in prices.page(one, limit=1)] == [mine.id]
        assert [price.id for price in prices.page(one, before=mine.id)] == [ours.id]
        assert prices.page(one, at=START - DAY) == []
        assert prices.get(mine.id, whose=one).id == mine.id
        assert prices.get(ours.id, whose=other).id == ours.id
        with pytest.raises(NotFound):
            prices.get(mine.id, whose=other)
        assert {price.id for price in prices.matching(one, ["m"])} == {ours.id, mine.id}
        assert prices.matching(one, ["x"]) == []
        assert prices.accounts_with_own() == {one, other}


def test_the_database_keeps_nonsense_out(billing: Billing) -> None:
    nonsense: list[dict[str, Any]] = [
        {"provider": "*"}, {"valid_until": START - DAY}, {"account_id": "nobody"},
    ]  # fmt: skip
    with billing.instance.active():
        for values in nonsense:
            with pytest.raises(peewee.IntegrityError), billing.instance.database.atomic():
                added(**values)
