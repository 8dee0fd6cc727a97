"""The rows behind a report: all of them, once, in order of time, whatever the size of a page."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from billing_plugin import Actor, Money, operations
from billing_plugin.models import spend_rows
from billing_plugin.models.spend import Asked, Span
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, Usage
from tests.factories import START

DAY = timedelta(days=1)
EVERY = ["focus", "manual", "metered", "sync"]


def asked(actor: Actor, *, sources: list[str] = EVERY, **said: str) -> Asked:
    span = Span(date(2026, 3, 1), date(2026, 3, 9))
    return Asked(str(actor.account_id), span, sources, **said)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_rows_come_once_and_in_order(
    actor: Actor, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(spend_rows, "PAGE", page)
    account = str(actor.account_id)
    for number in range(5):
        at = START - (number % 3) * DAY
        draft = ItemDraft(str(number), Exact(1), date=at, provider="p" if number else None)
        operations.create_item(actor, account, draft)
        used = Usage(str(number), cost=Money.parse("0.01"), effective_at=at)
        operations.record_usage(actor, account, used)
    operations.create_item(actor, account, ItemDraft("late", Exact(1), date=START + DAY))
    with actor.instance.active():
        names = [item.name for item in spend_rows.cost_items(asked(actor))]
        models = [record.model for record in spend_rows.records(asked(actor))]
        assert "".join(names) == "".join(models) == "21403"
        assert [item.name for item in spend_rows.cost_items(asked(actor, provider=""))] == ["0"]
        assert [one.model for one in spend_rows.records(asked(actor, service_id="4"))] == ["4"]


def test_a_source_that_is_not_named_has_no_rows(actor: Actor) -> None:
    account = str(actor.account_id)
    operations.create_item(actor, account, ItemDraft("a", Exact(1)))
    operations.record_usage(actor, account, Usage("m", cost=Money.parse("0.01")))
    with actor.instance.active():
        for sources, items, records in ((["manual"], 1, 0), (["metered"], 0, 1), (["sync"], 0, 0)):
            question = asked(actor, sources=sources)
            found = (spend_rows.cost_items(question), spend_rows.records(question))
            assert tuple(len(list(rows)) for rows in found) == (items, records)
        of_a_category = asked(actor)._replace(categories=["cat_x"])
        assert list(spend_rows.records(of_a_category)) == []
