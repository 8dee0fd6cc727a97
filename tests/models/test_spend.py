"""What a span is read from: whole months, and the days at its edges."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.models import spend
from billing_plugin.models.spend import Asked, Span, Sum, pieces
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from tests.deeds import refused


def span(first: str, last: str) -> Span:
    return Span(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("asked", "months", "edges"),
    [
        (("2026-01-01", "2026-01-31"), ("2026-01-01", "2026-01-31"), []),
        (("2026-01-02", "2026-01-31"), None, [("2026-01-02", "2026-01-31")]),
        (("2026-01-01", "2026-01-30"), None, [("2026-01-01", "2026-01-30")]),
        (("2026-01-02", "2026-02-27"), None, [("2026-01-02", "2026-02-27")]),
        (
            ("2026-01-31", "2026-03-01"), ("2026-02-01", "2026-02-28"),
            [("2026-01-31", "2026-01-31"), ("2026-03-01", "2026-03-01")],
        ),
        (
            ("2025-12-02", "2026-02-28"), ("2026-01-01", "2026-02-28"),
            [("2025-12-02", "2025-12-31")],
        ),
        (("2024-02-01", "2024-02-29"), ("2024-02-01", "2024-02-29"), []),
        (("1970-01-01", "9998-12-31"), ("1970-01-01", "9998-12-31"), []),
    ],
)  # fmt: skip
def test_a_span_is_whole_months_and_the_days_around(
    asked: tuple[str, str], months: tuple[str, str] | None, edges: list[tuple[str, str]]
) -> None:
    found = pieces(span(*asked))
    assert found == (months and span(*months), [span(*edge) for edge in edges])


def test_sums_of_nothing_are_none(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    asked = Asked(mine, span("2026-03-01", "2026-03-31"), ["manual", "metered"])
    item = operations.create_item(actor, mine, ItemDraft("n", Exact(5), provider="p")).item
    with billing.instance.active():
        assert spend.sums(asked, spend.PROVIDER) == [Sum("p", "USD", Exact(5), 1)]
        assert spend.sums_by_tag(asked) == [Sum("", "USD", Exact(5), 1)]
    operations.delete_item(actor, mine, item.id)
    with billing.instance.active():
        for group in (spend.WHOLE, spend.PROVIDER, spend.BY_DAY, spend.BY_MONTH):
            assert spend.sums(asked, group) == []
        assert spend.sums_by_tag(asked) == []


def test_a_total_beyond_64_bits_is_refused(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    for month, nanos in ((1, 2**63 - 1), (2, 5)):
        day = datetime(2026, month, 1, tzinfo=UTC)
        operations.create_item(actor, mine, ItemDraft("n", Exact(nanos), date=day))
    both = Asked(mine, span("2026-01-01", "2026-03-31"), ["manual"])
    with billing.instance.active():
        for group in (spend.WHOLE, spend.PROVIDER):
            assert refused(spend.sums, both, group).code == "amount_out_of_range"
        assert refused(spend.sums_by_tag, both).code == "amount_out_of_range"
        last = both._replace(span=span("2026-02-01", "2026-03-31"))
        assert spend.sums(last, spend.WHOLE) == [Sum("", "USD", Exact(5), 1)]
