"""A line of a list says of an item what its shape says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Billing
from billing_plugin.context import write_transaction
from billing_plugin.dialects.native.item_texts import NAMES, shape_of_item, text_of_line
from billing_plugin.dialects.wire import json_text
from billing_plugin.models import item_lines, item_pages, items
from billing_plugin.models.base import dump, stored_time
from billing_plugin.models.item_pages import Wanted
from billing_plugin.models.items import CostItem
from billing_plugin.operations.items import blank
from tests.factories import START

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
MAYBE = st.none() | TEXTS
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))
FACTS = st.none() | st.dictionaries(TEXTS, TEXTS | st.none() | st.booleans(), max_size=2).map(dump)
USAGES = st.none() | st.sampled_from(
    ["{}", '{"amount":1.50,"sku_id":"a"}', '{"amount":"0.1","unit":"h\\u00e9","x":null}']
)
SAID: dict[str, st.SearchStrategy[Any]] = {
    "source": st.sampled_from(items.SOURCES), "name": TEXTS,
    "nanos": st.integers(-(10**17), 10**17), "attos": st.integers(0, 10**9 - 1),
    "currency": st.sampled_from(["USD", "JPY", "KWD"]),
    "tags_text": st.lists(TEXTS, max_size=3, unique=True).map(dump),
    "recurs": st.sampled_from([0, 1]),
    "scope_text": FACTS, "meta_text": FACTS, "usage_text": USAGES,
    **dict.fromkeys(("created", "dated", "updated"), TIMES.map(stored_time)),
    **dict.fromkeys(("category_id", "description", "provider", "adapter", "period"), MAYBE),
    **dict.fromkeys(("service_id", "feature_key", "stage_app_id"), MAYBE),
    **dict.fromkeys(("environment", "author_email"), MAYBE),
}  # fmt: skip
ITEMS = st.lists(st.fixed_dictionaries(SAID), min_size=1, max_size=4)


def test_a_line_says_what_the_shape_says(billing: Billing) -> None:
    @settings(deadline=None, max_examples=100, database=None)
    @given(ITEMS)
    def run(drawn: list[dict[str, Any]]) -> None:
        mine = f"acct_{next(numbers)}"
        base = blank(mine, "USD", source="sync", at=START)
        new = [
            base._replace(id=f"item_{mine}_{number}", **said) for number, said in enumerate(drawn)
        ]
        new = [
            one._replace(
                provider_ref=None if one.provider is None else f'{one.id}"',
                period=one.period if one.recurs else None,
            )
            for one in new
        ]
        with billing.instance.active():
            with write_transaction():
                items.store(new)
            lines = item_lines.page(mine, Wanted(), NAMES, limit=3)
            whole = item_pages.page(mine, Wanted(), limit=3)
        assert [json.loads(text_of_line(line)) for line in lines] == list(map(told, whole))
        assert [(line.id, line.date) for line in lines] == [(one.id, one.date) for one in whole]

    numbers = iter(range(10_000))
    run()


def told(item: CostItem) -> Any:
    """What the shape of an item says, as it is read."""
    return json.loads(json_text(shape_of_item(item)))
