"""Reports of cost items as anybody would reckon them: over a list of all items, in Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction

from billing_plugin import Actor, operations
from billing_plugin.models.items import CostItem
from billing_plugin.operations import SpendFilter

Found = dict[str, dict[str, tuple[Decimal, int]]]  # currency -> key -> exact amount, count


def every_item(actor: Actor, page: int = 1000) -> list[CostItem]:
    """All items of the account, by pages of a list."""
    found: list[CostItem] = []
    while True:
        before = found[-1].id if found else None
        some = operations.list_items(actor, str(actor.account_id), before=before, limit=page)
        found += some
        if len(some) < page:
            return found


def below(actor: Actor, category: str) -> set[str]:
    """The ids of a category and of all that have it above them."""
    account_id = str(actor.account_id)
    parents = {one.id: one.parent_id for one in operations.list_categories(actor, account_id)}
    top = operations.get_category(actor, account_id, category).id

    def path(one: str | None) -> Iterable[str]:
        while one is not None:
            yield one
            one = parents[one]

    return {one for one in parents if top in path(one)}


def fits(item: CostItem, chosen: SpendFilter, categories: set[str] | None) -> bool:
    """Whether a report with the filter is about the item."""
    day = item.date.date()
    return (
        (categories is None or (item.category_id or "") in categories)
        and chosen.provider in (None, item.provider or "")
        and chosen.service in (None, item.service_id or "")
        and (chosen.since is None or chosen.since <= day)
        and (chosen.until is None or day <= chosen.until)
        and item.source in chosen.sources
    )


def chosen_items(actor: Actor, chosen: SpendFilter) -> list[CostItem]:
    """The items that a report with the filter is about."""
    categories = None
    if chosen.category is not None:
        categories = below(actor, chosen.category) if chosen.category else {""}
    return [item for item in every_item(actor) if fits(item, chosen, categories)]


def week(item: CostItem) -> str:
    """Its ISO week."""
    return item.date.strftime("%G-W%V")


KEYS: dict[str, Callable[[CostItem], list[str]]] = {
    "total": lambda item: [""],
    "provider": lambda item: [item.provider or ""],
    "category": lambda item: [item.category_id or ""],
    "service": lambda item: [item.service_id or ""],
    "recurring": lambda item: [str(item.recurring).lower()],
    "tag": lambda item: item.tags or [""],
    "day": lambda item: [item.date.strftime("%Y-%m-%d")],
    "week": lambda item: [week(item)],
    "month": lambda item: [item.date.strftime("%Y-%m")],
}


def summed(items: Iterable[CostItem], by: str) -> Found:
    """Exact sums and counts."""
    found: Found = defaultdict(dict)
    for item in items:
        for key in KEYS[by](item):
            amount, count = found[item.currency].get(key, (Decimal(0), 0))
            found[item.currency][key] = (amount + item.amount.amount, count + 1)
    return dict(found)


def reported(actor: Actor, chosen: SpendFilter, by: str) -> Found:
    """The same as the reports say it; what they say besides is checked."""
    account_id = str(actor.account_id)
    if by == "total":
        totals = operations.summarize(actor, account_id, chosen).totals
        return {one.currency: {"": (one.amount.amount, one.count)} for one in totals}
    if by in ("day", "week", "month"):
        trend = operations.trend(actor, account_id, chosen, interval=by)
        shares = trend.currencies
        for share in shares:
            assert [part.key for part in share.parts] == sorted(part.key for part in share.parts)
            assert sum(part.cents for part in share.parts) == share.total.cents
    else:
        breakdown = operations.break_down(actor, account_id, chosen, by=by)
        shares = breakdown.currencies
        assert breakdown.partitions == (by != "tag")
        for share in shares:
            order = [(-part.amount.amount, part.key) for part in share.parts]
            assert order == sorted(order)
            check_shares(share, partitions=breakdown.partitions)
            if by == "category":
                check_below(actor, share, chosen_items(actor, chosen))
    return {
        share.total.currency: {
            part.key: (part.amount.amount, part.count)
            for part in share.parts
            if part.count or by != "category"  # else it is there for those below it
        }
        for share in shares
    }


def check_below(actor: Actor, share: operations.Share, items: Iterable[CostItem]) -> None:
    """Each category with all below it adds up; one without an item has one below it."""
    own = [item for item in items if item.currency == share.total.currency]
    for part in share.parts:
        inside = below(actor, part.key) if part.key else {""}
        found = [item.amount.amount for item in own if (item.category_id or "") in inside]
        assert part.with_below is not None
        assert found
        assert part.with_below.amount == sum(found)


def check_shares(share: operations.Share, *, partitions: bool) -> None:
    """Cents and percentages stand within one unit of the exact ones, and add up where they must."""
    whole = Fraction(share.total.amount.amount)
    for part in share.parts:
        assert abs(part.amount.amount * 100 - part.cents) < 1
        if whole == 0:
            assert part.percentage is None
        else:
            exact = 100 * Fraction(part.amount.amount) / whole
            assert part.percentage is not None
            assert abs(exact - Fraction(part.percentage)) < Fraction(1, 10)
    if partitions:
        assert sum(part.cents for part in share.parts) == share.total.cents
        said = [part.percentage for part in share.parts if part.percentage is not None]
        assert not said or sum(said) == Decimal("100.0")
