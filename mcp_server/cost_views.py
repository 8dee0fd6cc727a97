"""What tools answer about cost items: what was paid for, line by line and added up.

Texts that people or vendors wrote are cut and cleaned as every name from outside is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from billing_plugin.money import Exact
from billing_plugin.operations import Share
from billing_plugin.operations.breakdowns import Basis, Part, Total
from billing_plugin.periods import Period
from mcp_server.refusals import plain
from mcp_server.views import MOST_LINES, MoneyView, OtherLines, SpendLine, SpendView

MOST_LETTERS = 7_200  # of the lines of a list, so that it stays within 2,000 tokens
MOST_TAGS = 10
# the key of items that say nothing there
NOTHING, NO_CATEGORY = "none", "uncategorized"
IN_TIME = ("day", "week", "month")


class CostLine(BaseModel):
    """One cost; empty text where it says nothing."""

    id: str
    date: str
    name: str
    amount: str
    cents: int
    currency: str
    provider: str
    category: str
    service: str
    tags: list[str]
    source: str


class CostsView(BaseModel):
    """Costs, the latest first; `next` is what to pass as `after` for those that follow."""

    summary: str
    costs: list[CostLine]
    next: str | None


class RecordedView(BaseModel):
    """A cost that was recorded."""

    summary: str
    id: str
    created: bool


def costs_view(items: Sequence[Any], names: Mapping[str, str], *, limit: int) -> CostsView:
    """As many of the items as there is room for, `limit` at most, with categories by name."""
    lines = list(_fitting(items[:limit], names))
    more = len(lines) < len(items)
    last = items[len(lines) - 1] if lines else None
    return CostsView(
        summary=f"{len(lines)} costs{', and there are more' if more else ''}.",
        costs=lines,
        next=f"{last.date.isoformat()} {last.id}" if more and last else None,
    )


def recorded_view(item: Any, *, created: bool) -> RecordedView:
    """A cost in words."""
    done = "was recorded" if created else "was there already"
    return RecordedView(
        summary=f"{item.amount.text(item.currency)} {item.currency} {done}.",
        id=item.id,
        created=created,
    )


def cost_report(
    shares: Sequence[Share], period: Period, *, names: Mapping[str, str], basis: Basis,
    group_by: str, currency: str,
) -> SpendView:  # fmt: skip
    """A report of one currency; of days, weeks and months the latest are shown."""
    total, parts = _share(shares, currency)
    latest = group_by in IN_TIME
    shown = parts[-MOST_LINES:] if latest else parts[:MOST_LINES]
    rest = parts[:-MOST_LINES] if latest else parts[MOST_LINES:]
    return SpendView(
        summary=_words(total, period, group_by),
        period_start=period.start,
        period_end=period.end,
        zone="UTC",
        source=", ".join(basis.sources),
        group_by=group_by,
        total=_money(total),
        count=total.count,
        groups=[_line(part, names, currency) for part in shown],
        others=_others(rest, currency),
        other_currencies=[
            share.total.currency for share in shares if share.total.currency != currency
        ],
        coverage=basis.coverage.text if basis.coverage else "",
    )


def whole(total: Total) -> Share:
    """A total as its own and only part."""
    return Share(total, [Part("", total.amount, total.cents, total.count)])


def _fitting(items: Sequence[Any], names: Mapping[str, str]) -> Iterator[CostLine]:
    letters = 0
    for item in items:
        line = _cost(item, names)
        letters += len(line.model_dump_json())
        if letters > MOST_LETTERS:
            return
        yield line


def _cost(item: Any, names: Mapping[str, str]) -> CostLine:
    return CostLine(
        id=item.id,
        date=item.date.date().isoformat(),
        name=plain(item.name),
        amount=item.amount.text(item.currency),
        cents=item.amount.cents(item.currency),
        currency=item.currency,
        provider=plain(item.provider or ""),
        category=plain(names.get(item.category_id, "")),
        service=plain(item.service_id or ""),
        tags=[plain(tag) for tag in item.tags[:MOST_TAGS]],
        source=item.source,
    )


def _share(shares: Sequence[Share], currency: str) -> tuple[Total, list[Part]]:
    nothing = Share(Total(currency, Exact(0), 0, 0), [])
    share = next((one for one in shares if one.total.currency == currency), nothing)
    return share.total, share.parts


def _words(total: Total, period: Period, group_by: str) -> str:
    amount = f"{total.amount.text(total.currency)} {total.currency}"
    begin, end = f"{period.start:%Y-%m-%d}", f"{period.end:%Y-%m-%d}"
    twice = " A cost counts once for each of its tags." if group_by == "tag" else ""
    return f"{amount} by {total.count} costs from {begin} to before {end} (UTC).{twice}"


def _money(figure: Total) -> MoneyView:
    text = figure.amount.text(figure.currency)
    return MoneyView(amount=text, cents=figure.cents, currency=figure.currency)


def _line(part: Part, names: Mapping[str, str], currency: str) -> SpendLine:
    amount = _money(Total(currency, part.amount, part.cents, part.count))
    return SpendLine(key=plain(names.get(part.key, part.key)), amount=amount, count=part.count)


def _others(rest: Sequence[Part], currency: str) -> OtherLines | None:
    if not rest:
        return None
    amount = sum((part.amount for part in rest), Exact(0))
    cents, count = sum(part.cents for part in rest), sum(part.count for part in rest)
    whole = _money(Total(currency, amount, cents, count))
    return OtherLines(groups=len(rest), amount=whole, count=count)
