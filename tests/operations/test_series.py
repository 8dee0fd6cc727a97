"""Days in a row: none is left out, none is counted that recurs."""

from __future__ import annotations

from datetime import date

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.errors import InvalidRequest
from billing_plugin.models.recurring import occurrences
from billing_plugin.models.spend import Asked, Span
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from billing_plugin.operations.series import Line, attos, daily, dense, exact, total
from tests.factories import START

TODAY = START.date()
DAYS = {date(2026, 2, 27): 3, date(2026, 3, 2): 4}


def test_a_row_begins_where_something_was_and_has_every_day() -> None:
    assert dense(DAYS, date(2026, 1, 1), date(2026, 3, 4)) == [3, 0, 0, 4, 0]
    assert dense(DAYS, date(2026, 2, 28), date(2026, 3, 3)) == [4]
    assert dense({date(2026, 3, 1): 0}, date(2026, 1, 1), date(2026, 3, 4)) == []
    assert dense({}, date(2026, 1, 1), date(2026, 3, 4)) == []


def test_a_total_is_half_open() -> None:
    assert total(DAYS, date(2026, 2, 27), date(2026, 3, 2)) == 3
    assert total(DAYS, date(2026, 2, 27), date(2026, 3, 3)) == 7


@pytest.mark.parametrize("amount", [Exact(0), Exact(-3, 999_999_999), Exact(5, 1)])
def test_attos_and_back(amount: Exact) -> None:
    assert exact(attos(amount)) == amount
    with pytest.raises(InvalidRequest, match="64 bits"):
        exact(10**9 * 2**63)


def test_days_by_currency_and_provider_without_what_recurs(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    for amount, said in (
        (Exact(1, 5), {"provider": "a"}),
        (Exact(2), {"provider": "b c", "recurring": True}),
        (Exact(4), {"currency": "EUR"}),
        (Exact(8), {"provider": "a", "recurring": True, "period": "monthly"}),
    ):
        operations.create_item(actor, mine, ItemDraft("n", amount, **said))
    asked = Asked(mine, Span(TODAY, TODAY), ["manual"])
    with billing.instance.active():
        items = occurrences(asked)
        whole = daily(asked, items, by_provider=False)
        parts = daily(asked, items, by_provider=True)
    assert whole == {
        Line("USD"): {TODAY: attos(Exact(3, 5))}, Line("EUR"): {TODAY: attos(Exact(4))},
    }  # fmt: skip
    assert parts == {
        Line("USD", "a"): {TODAY: attos(Exact(1, 5))}, Line("USD", "b c"): {TODAY: 2 * 10**9},
        Line("EUR", ""): {TODAY: 4 * 10**9},
    }  # fmt: skip
