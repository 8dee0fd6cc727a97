"""Categories with all that is below them: exact, by currency, whatever the tree."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing_plugin import Actor, operations
from billing_plugin.models.spend import Sum
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, SpendFilter
from billing_plugin.operations.category_totals import filled, with_below

NAMES = [str(number) for number in range(8)]
# each is in one before it, or stands at the top
TREES = st.tuples(*(st.none() | st.sampled_from(NAMES[:n]) if n else st.none() for n in range(8)))
AMOUNTS = st.builds(Exact, st.integers(-(10**12), 10**12), st.integers(0, 10**9 - 1))
SUMS = st.dictionaries(
    st.tuples(st.sampled_from([*NAMES, ""]), st.sampled_from(["USD", "EUR"])), AMOUNTS
).map(lambda found: [Sum(*place, amount, 1) for place, amount in found.items()])


@given(TREES, SUMS, st.none() | st.sets(st.sampled_from(NAMES)))
def test_each_is_what_anybody_would_add_up(
    above: tuple[str | None, ...], sums: list[Sum], within: set[str] | None
) -> None:
    parents = dict(zip(NAMES, above, strict=True))

    def is_in(one: str, top: str) -> bool:
        return one == top or (parents.get(one) is not None and is_in(str(parents[one]), top))

    naive = {}
    for top in [*NAMES, ""] if within is None else within:
        for currency in ("USD", "EUR"):
            own = [one for one in sums if one.currency == currency and is_in(one.key, top)]
            if own:
                naive[top, currency] = sum(one.amount.amount for one in own)
    found = with_below(sums, parents, within)
    assert {place: exact.amount for place, exact in found.items()} == naive
    every = filled(sums, found)
    assert {(one.key, one.currency) for one in every} == {*found, *(one[:2] for one in sums)}
    assert [one for one in every if one.items] == sums


def test_a_breakdown_tells_both(actor: Actor) -> None:
    mine = str(actor.account_id)
    top = operations.create_category(actor, mine, "top").id
    low = operations.create_category(actor, mine, "low", parent="top").id
    deep = operations.create_category(actor, mine, "deep", parent="low").id
    for category, units in (("top", "4"), ("deep", "2.5"), (None, "1"), ("deep", "-0.5")):
        draft = ItemDraft("n", Exact.from_decimal(Decimal(units)), category=category)
        operations.create_item(actor, mine, draft)
    operations.create_item(actor, mine, ItemDraft("n", Exact(7), category="low", currency="EUR"))

    def lines(category: str | None = None) -> list[tuple[str, str, str, str | None]]:
        chosen = SpendFilter(category=category)
        found = operations.break_down(actor, mine, chosen, by="category").currencies[-1]
        return [
            (part.key, part.amount.text("USD"), part.with_below.text("USD"), str(part.percentage))
            for part in found.parts
            if part.with_below is not None
        ]

    low_line = (low, "0.00", "2.00", "0.0")
    assert lines() == [
        (top, "4.00", "6.00", "57.1"), (deep, "2.00", "2.00", "28.6"), ("", "1.00", "1.00", "14.3"),
        low_line,
    ]  # fmt: skip
    assert lines("low") == [(deep, "2.00", "2.00", "100.0"), low_line]
    [share] = operations.break_down(actor, mine, SpendFilter(category=""), by="provider").currencies
    assert [part.with_below for part in share.parts] == [None]
