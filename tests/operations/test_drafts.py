"""What a draft says becomes columns of an item, and what cannot be is refused."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_plugin.models.items import MANUAL, CostItem
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from billing_plugin.operations.drafts import columns_of, known, revised, said_in, text_within
from billing_plugin.operations.items import blank
from tests.deeds import refused
from tests.factories import START

BASE = blank("acct_x", "USD", source=MANUAL, at=START)


def item(**said: Any) -> CostItem:
    return revised(BASE, columns_of(said_in(ItemDraft("n", Exact(1), **said))))


def test_only_what_was_said_is_said() -> None:
    assert said_in(ItemDraft("n", Exact(1))) == {"name": "n", "amount": Exact(1)}
    assert item()._replace(name="", nanos=0) == BASE


def test_tags_are_kept_once_each_in_their_order() -> None:
    assert item(tags=("b", "a", "b")).tags == ["b", "a"]
    assert item(tags=()).tags == []


def test_a_day_is_a_utc_day() -> None:
    east = START.replace(hour=1).astimezone(None) - timedelta(hours=2)
    assert item(date=east).day == "2026-03-08"


def test_facts_keep_what_they_are() -> None:
    said = {"text": "t", "flag": True, "number": 3, "exact": Decimal("1.50")}
    assert item(meta=said).meta == {**said, "exact": "1.50"}
    assert item(usage={"amount": Decimal("0.1"), "unit": "h"}).usage == {
        "amount": "0.1", "unit": "h",
    }  # fmt: skip


def test_a_period_goes_with_what_recurs() -> None:
    monthly = item(recurring=True, period="monthly")
    assert revised(monthly, columns_of({"recurring": False})).period is None
    assert revised(monthly, columns_of({"period": "yearly"})).period == "yearly"
    assert item(recurring=True).period is None


@pytest.mark.parametrize(
    "said",
    [
        {"recurring": 2}, {"recurring": "yes"}, {"tags": [1]}, {"meta": {"": 1}}, {"meta": ["a"]},
        {"meta": {str(n): n for n in range(51)}}, {"meta": {"a": "x" * 4_001}},
        {"meta": {"a": "\0"}}, {"meta": {"a": Decimal("NaN")}, "usage": {"a": 1}},
        {"date": "2026-01-01"}, {"period": "daily", "recurring": False}, {"provider_ref": "r"},
        {"category": ""},
    ],
)  # fmt: skip
def test_what_cannot_be_said(said: dict[str, Any]) -> None:
    assert refused(item, **said).status == 422


def test_an_amount_is_exact() -> None:
    assert refused(columns_of, {"amount": 5}).status == 422
    assert refused(columns_of, {"amount": None}).status == 422


def test_a_key_sees_everything_that_was_said() -> None:
    contents = {repr(ItemDraft("n", Exact(1)).content)}
    for name in ItemDraft._fields:
        other = {"date": START, "amount": Exact(0, 1)}.get(name, "other")
        contents.add(repr(ItemDraft("n", Exact(1))._replace(**{name: other}).content))
    assert len(contents) == 1 + len(ItemDraft._fields)


def test_names_and_text_have_bounds() -> None:
    assert known({"a": 1}, ["a", "b"]) == {"a": 1}
    assert "There is no c" in refused(known, {"c": 1}, ["a"]).message
    assert text_within("name", "ü", 1) == "ü"
    for value in ("", " ", "xx", None, 1, "\ud800"):
        assert refused(text_within, "name", value, 1).status == 422
