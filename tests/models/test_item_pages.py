"""Lists of items: conditions that the indexes know, the latest first."""

from __future__ import annotations

from datetime import timedelta

from billing_plugin import Billing
from billing_plugin.context import write_transaction
from billing_plugin.models import item_pages, items
from billing_plugin.models.base import stored_time
from billing_plugin.models.item_pages import Place, Wanted, among, same
from billing_plugin.operations.items import blank
from billing_plugin.periods import Period
from tests.factories import START

DAY = timedelta(days=1)


def test_pages_go_on_where_the_last_one_ended(billing: Billing) -> None:
    made = [
        blank("acct_x", "USD", source="sync", at=START)._replace(
            name=str(number), dated=stored_time(START - (number % 3) * DAY)
        )
        for number in range(7)
    ]
    with billing.instance.active(), write_transaction():
        items.store(made)
        found = item_pages.page("acct_x", Wanted(), limit=7)
        assert "".join(one.name for one in found) == "6304152"
        for number in range(1, 7):
            last = Place(found[number - 1].date, found[number - 1].id)
            rest = item_pages.page("acct_x", Wanted(), before=last, limit=9)
            assert rest == found[number:]
        span = Wanted(period=Period(START - DAY, START))
        assert "".join(one.name for one in item_pages.page("acct_x", span)) == "41"
        assert item_pages.page("acct_y", Wanted()) == []


def test_nothing_said_is_a_condition_of_its_own() -> None:
    assert same("provider", None) == ("", ())
    assert same("provider", "") == ("provider IS NULL", ())
    assert same("provider", "p") == ("provider = ?", ("p",))
    assert among("category_id", None) == ("", ())
    assert among("category_id", [""]) == ("category_id IS NULL", ())
    assert among("category_id", ["a", "b"]) == ("category_id IN (?, ?)", ["a", "b"])
