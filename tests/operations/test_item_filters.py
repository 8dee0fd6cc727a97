"""Filters in a caller's words become ids and days."""

from __future__ import annotations

from datetime import date

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.models.spend import Span
from billing_plugin.operations import ItemFilter, SpendFilter
from billing_plugin.operations.item_filters import FIRST_DAY, LAST_DAY, asked, span_of, wanted
from tests.deeds import refused
from tests.factories import account_with

DAY = date(2026, 1, 31)


def test_a_span_without_ends_has_every_day() -> None:
    assert span_of(None, None) == Span(FIRST_DAY, LAST_DAY)
    assert span_of(DAY, None) == Span(DAY, LAST_DAY)
    assert span_of(None, DAY) == Span(FIRST_DAY, DAY)
    assert refused(span_of, DAY, date(2026, 1, 30)).status == 422


def test_a_category_is_itself_and_all_below(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    top = operations.create_category(actor, mine, "top").id
    low = operations.create_category(actor, mine, "low", parent="top").id
    with billing.instance.active():
        assert wanted(mine, ItemFilter(category="TOP")).categories == sorted([top, low])
        assert asked(mine, SpendFilter(category=low)).categories == [low]
        assert asked(mine, SpendFilter(category="")).categories == [""]
        assert asked(mine, SpendFilter()).categories is None
        other = str(account_with(billing).account_id)
        assert refused(asked, other, SpendFilter(category=top)).status == 404


def test_sources_are_each_named_once(billing: Billing) -> None:
    with billing.instance.active():
        chosen = SpendFilter(sources=("sync", "metered", "sync"))
        assert asked("acct_x", chosen).sources == ["metered", "sync"]


@pytest.mark.parametrize(
    "chosen",
    [
        ItemFilter(source="metered"), ItemFilter(tags=[]), ItemFilter(tags=["x"] * 101),
        ItemFilter(tags=["\0"]), ItemFilter(author="\ud800"), ItemFilter(since=date(1969, 1, 1)),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(billing: Billing, chosen: ItemFilter) -> None:
    with billing.instance.active():
        assert refused(wanted, "acct_x", chosen).status == 422
