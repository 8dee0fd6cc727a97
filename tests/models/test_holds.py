"""Holds as rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import peewee
import pytest

from billing_plugin import Actor, Billing, Money, context
from billing_plugin.context import Signature
from billing_plugin.errors import NotFound
from billing_plugin.models import holds
from billing_plugin.models.holds import CAPTURED, OPEN, Hold
from billing_plugin.models.usage import Dims
from tests.books import run_sql
from tests.factories import START, account_with

HOUR, INSTANT = timedelta(hours=1), timedelta(microseconds=1)
DIMS = Dims("key_1", "robot", "openai", "gpt-4o", {"team": "red"})
BY = Signature("key", "key_1", "req_1")


def made(actor: Actor, cents: int = 5, at: datetime = START) -> Hold:
    amount = Money.from_cents(cents)
    made = holds.new(str(actor.account_id), amount, DIMS, by=BY, span=(at, at + HOUR))
    holds.store(made)
    return made


def test_a_hold_goes_round(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        found = holds.get(str(actor.account_id), made(actor).id)
    assert (found.amount, found.status, found.dims) == (Money.from_cents(5), OPEN, DIMS)
    assert (found.actor, found.key_id, found.request_id) == BY
    assert (found.created_at, found.expires_at) == (START, START + HOUR)
    assert (found.captured, found.record_id, found.resolved_at) == (None, None, None)


def test_a_hold_that_is_resolved_says_how(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        one = made(actor)
        holds.resolve(one, CAPTURED, START, record=(7, "use_1"))
        found = holds.get(str(actor.account_id), one.id)
    assert (found.status, found.captured, found.record_id) == (CAPTURED, Money(7), "use_1")
    assert found.resolved_at == START


def test_time_is_over_at_the_deadline_itself(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        first, second = made(actor), made(actor, at=START + HOUR)
        before, then = START + HOUR - INSTANT, START + HOUR
        assert (first.is_over(before), first.is_over(then)) == (False, True)
        assert (holds.has_overdue(mine, before), holds.overdue(mine, before)) == (False, [])
        assert holds.has_overdue(mine, then)
        assert [one.id for one in holds.overdue(mine, then)] == [first.id]
        holds.prolong(first, then + 2 * HOUR)
        assert not holds.has_overdue(mine, then)
        assert [one.id for one in holds.overdue(mine, then + HOUR)] == [second.id]
        holds.resolve(second, CAPTURED, START)
        assert holds.overdue(mine, then + HOUR) == []


def test_open_holds_are_found_by_when_they_were_made(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        first, second, third = (made(actor, at=START + n * HOUR) for n in range(3))
        holds.resolve(second, CAPTURED, START)
        within = holds.open_within(mine, START, START + 2 * HOUR)
        assert [one.id for one in within] == [first.id]
        within = holds.open_within(mine, START + INSTANT, START + 2 * HOUR + INSTANT)
        assert [one.id for one in within] == [third.id]


def test_holds_are_listed_newest_first_and_by_status(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        ids = [made(actor).id for _ in range(3)]
        holds.resolve(holds.get(mine, ids[1]), CAPTURED, START)
        assert [one.id for one in holds.page(mine)] == ids[::-1]
        assert [one.id for one in holds.page(mine, before=ids[2], limit=1)] == [ids[1]]
        assert [one.id for one in holds.page(mine, status=OPEN)] == [ids[2], ids[0]]


def test_holds_of_others_are_not_found(billing: Billing, actor: Actor) -> None:
    other = str(account_with(billing).account_id)
    with billing.instance.active():
        one = made(actor)
        assert holds.page(other) == holds.overdue(other, START + 9 * HOUR) == []
        for account_id, hold_id in ((other, one.id), (str(actor.account_id), "hold_x")):
            with pytest.raises(NotFound):
                holds.get(account_id, hold_id)


def test_a_hold_is_recalled_from_memory_once_and_by_its_own_account(
    billing: Billing, actor: Actor
) -> None:
    mine, other = str(actor.account_id), str(account_with(billing).account_id)
    with billing.instance.active():
        one = made(actor)
        assert holds.recall(mine, one.id) == one
        holds.keep(one)
        run_sql(billing, "UPDATE billing_hold SET status = 'released'")
        assert holds.recall(mine, one.id) == one  # as it was made
        assert holds.recall(mine, one.id).status == "released"
        holds.keep(one)
        with pytest.raises(NotFound):
            holds.recall(other, one.id)


def test_memory_of_holds_is_bounded(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "_KEPT_HOLDS", 2)
    with billing.instance.active():
        ids = [made(actor) for _ in range(3)]
        for one in ids:
            holds.keep(one)
        assert list(context.current().kept["holds"]) == [ids[2].id]


def test_the_tables_refuse_negative_reservations(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        made(actor)
    for sql in (
        "UPDATE billing_hold SET amount_nanos = -1",
        "UPDATE billing_account SET held_nanos = -1",
    ):
        with pytest.raises(peewee.IntegrityError):
            run_sql(billing, sql)
