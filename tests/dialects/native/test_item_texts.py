"""The quick text of an item is what its shape says, to the byte."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from billing_plugin.dialects.native.item_texts import shape_of_item, text_of_item
from billing_plugin.dialects.wire import json_text
from billing_plugin.models.base import dump, stored_time
from billing_plugin.models.items import CostItem

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
MAYBE = st.none() | TEXTS
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))
STORED = TIMES | TIMES.map(stored_time)  # as PostgreSQL gives it, and as SQLite does


@st.composite
def items(draw: st.DrawFn) -> CostItem:
    """Any item."""
    facts = draw(st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2))
    said: dict[str, Any] = {
        name: draw(MAYBE)
        for name in (
            "category_id", "description", "provider", "provider_ref", "adapter", "period",
            "service_id", "feature_key", "stage_app_id", "environment", "author_email",
        )
    }  # fmt: skip
    return CostItem(
        id="item_1", account_id="acct_1", source="sync", created=draw(STORED), name=draw(TEXTS),
        nanos=draw(st.integers(-(10**17), 10**17)), attos=draw(st.integers(0, 10**9 - 1)),
        currency=draw(st.sampled_from(["USD", "JPY", "KWD"])),
        tags_text=dump(draw(st.lists(TEXTS, max_size=3))), dated=draw(STORED), day="2026-03-05",
        recurs=draw(st.sampled_from([0, 1])), scope_text=None if facts is None else dump(facts),
        usage_text=None, meta_text=draw(st.none() | st.just('{"a":1.50}')), updated=draw(STORED),
        **said,
    )  # fmt: skip


@given(items())
def test_the_text_is_that_of_the_shape(item: CostItem) -> None:
    assert text_of_item(item) == json_text(shape_of_item(item))
