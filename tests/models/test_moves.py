"""The happy path: carried out only if all that it was made for is still true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.context import is_sqlite, now, write_transaction
from billing_plugin.models import idempotency, moves
from billing_plugin.models.base import fetch_all
from billing_plugin.models.moves import Move
from billing_plugin.operations import Submission, Usage, group, quick
from billing_plugin.operations.wishes import wishes_of
from tests.books import complaints, everything
from tests.factories import START, Clock

TEN = Money.parse("10")


@pytest.fixture
def account_id(actor: Actor) -> str:
    """An account of 100 with a monthly limit whose counter is in place."""
    operations.set_limit(actor, str(actor.account_id), Money.parse("50"))
    operations.charge(actor, str(actor.account_id), Money.parse("1"), provider="p", model="m")
    return str(actor.account_id)


@contextmanager
def seen(monkeypatch: pytest.MonkeyPatch, change: Callable[[Move], Move]) -> Iterator[list[Any]]:
    """Every move is changed on its way; collects what became of each."""
    real, answers = moves.carry_out, []

    def carried(move: Move) -> datetime | None:
        answers.append(real(change(move)))
        return answers[-1]  # type: ignore[no-any-return]  # what the real one said

    monkeypatch.setattr(moves, "carry_out", carried)
    yield answers
    monkeypatch.undo()


def charge(actor: Actor, units: str = "10", **said: Any) -> str:
    """The general path answers where the happy one does not; the books are the same."""
    amount = Money.parse(units)
    done = operations.charge(actor, str(actor.account_id), amount, provider="p", model="m", **said)
    assert done.record is not None
    return done.record.id


def test_an_ordinary_charge_takes_it(
    billing: Billing, actor: Actor, account_id: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with seen(monkeypatch, lambda move: move) as answers:
        record_id = charge(actor, idempotency_key="k")
    assert answers == [clock.at]
    record = operations.get_usage(actor, account_id, record_id)
    assert (record.effective_at, record.recorded_at) == (clock.at, clock.at)
    assert complaints(billing) == []
    assert operations.verify_ledger(billing.operator()).broken == []


CHANGES: dict[str, Callable[[Move], Move]] = {
    "another version of the limits": lambda move: replace(move, version=move.version + 1),
    "another currency": lambda move: replace(move, currency="EUR"),
    "a window that is over": lambda move: replace(move, until=move.since + timedelta(seconds=1)),
    "a window to come": lambda move: replace(move, since=move.until - timedelta(seconds=1)),
    "no such account": lambda move: replace(move, account_id="acct_none"),
    "no room under the limit": lambda move: replace(
        move, counts=[one._replace(ceiling=10) for one in move.counts]
    ),
    "no such counter": lambda move: replace(
        move, counts=[one._replace(bucket="x") for one in move.counts]
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_out_of_the_ordinary_is_left_to_the_general_path(
    billing: Billing, actor: Actor, account_id: str, monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Move], Move],
) -> None:  # fmt: skip
    before = everything(billing)
    with seen(monkeypatch, change) as answers:
        monkeypatch.setattr(group, "charge_all", nothing)
        with pytest.raises(NothingError):
            charge(actor, idempotency_key="k")
    assert answers == [None]
    assert everything(billing) == before


def together(actor: Actor, *keys: str | None, units: str = "10") -> list[Move]:
    """Charges made ready."""
    used = Usage("m", "p", cost=Money.parse(units))
    account_id, at = str(actor.account_id), now()
    wishes = wishes_of(actor, account_id, [Submission(used, key) for key in keys], at=at)
    ready = [quick.prepare(account_id, wish, at) for wish in wishes]
    return [one.move for one in ready if one]


def test_several_are_carried_out_together_where_the_database_can(
    billing: Billing, actor: Actor, account_id: str, clock: Clock
) -> None:
    with billing.instance.active():
        moved = moves.carry_out_all(together(actor, "a", "b", None, None))
        if is_sqlite():
            assert moved is None
            return
        assert moved == clock.at
    assert operations.get_account(actor, account_id).available.text == "59.00"
    assert complaints(billing) == []
    assert operations.verify_ledger(billing.operator()).broken == []


ODD: dict[str, Callable[[Actor], list[Move]]] = {
    "one of them is out of the ordinary": lambda actor: [
        *together(actor, "a"), replace(together(actor, "b")[0], currency="EUR")
    ],
    "limits of two versions": lambda actor: [
        *together(actor, "a"), replace(together(actor, "b")[0], version=7)
    ],
    "no room for all under the limit": lambda actor: together(actor, *"abcde"),
    "no balance for all": lambda actor: [
        replace(one, counts=[]) for one in together(actor, *"ab", units="60")
    ],
    "a key twice": lambda actor: together(actor, "a", "a"),
    "a known key": lambda actor: together(actor, "a", "known"),
    "a window that is over for one": lambda actor: [
        *together(actor, "a"), replace(together(actor, "b")[0], until=START - timedelta(days=9))
    ],
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_all_or_none_of_several_are_carried_out(
    billing: Billing, actor: Actor, account_id: str, odd: Callable[[Actor], list[Move]]
) -> None:
    charge(actor, "1", idempotency_key="known")
    before = everything(billing)
    with billing.instance.active():
        assert moves.carry_out_all(odd(actor)) is None
        with write_transaction():
            assert moves.carry_out_all(together(actor, "y", "z")) is None
    assert everything(billing) == before


def test_no_table_is_read_through_however_small_it_was_at_first(
    billing: Billing, actor: Actor, account_id: str
) -> None:
    """A session keeps the plans that it made while the tables were almost empty."""
    with billing.instance.active():
        if is_sqlite():
            return
        before = read_through()
        for number in range(3):
            charge(actor, "1", idempotency_key=f"alone {number}")
            together_now = together(actor, f"{number}", f"{number} too", units="1")
            assert moves.carry_out_all(together_now) is not None
            operations.hold(actor, account_id, Money.parse("1"), provider="p", model="m")
        assert read_through() == before


def read_through() -> list[Any]:
    """How often each table was read from end to end so far."""
    fetch_all("SELECT pg_stat_force_next_flush()")
    return fetch_all("SELECT relname, seq_scan FROM pg_stat_user_tables ORDER BY relname")


class NothingError(Exception):
    """Stands for the general path, to see what the happy one left behind."""


def nothing(*_: Any, **__: Any) -> None:
    raise NothingError


def test_a_known_key_is_left_alone(
    actor: Actor, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = charge(actor, idempotency_key="k")
    with seen(monkeypatch, lambda move: move) as answers:
        assert charge(actor, idempotency_key="k") == first
    assert answers == [None]


def test_too_little_money_is_left_alone(
    actor: Actor, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.update_limit(
        actor, account_id, operations.list_limits(actor, account_id)[0].limit.id,
        amount=Money.parse("5000"),
    )  # fmt: skip
    charge(actor)
    with seen(monkeypatch, lambda move: move) as answers, pytest.raises(Exception, match="balance"):
        charge(actor, "90")
    assert answers == [None]


def test_due_work_is_done_first(
    billing: Billing, actor: Actor, account_id: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = clock.at + timedelta(hours=1)
    operations.grant_credit(billing.operator(), account_id, TEN, expires_at=until)
    clock.forward(hours=2)
    with seen(monkeypatch, lambda move: move) as answers:
        charge(actor)
        charge(actor)
    assert answers == [None, clock.at]
    assert complaints(billing) == []


@pytest.mark.parametrize(
    "limit", [{"action": "soft"}, {"action": "shadow"}, {"window": 60, "technique": "sliding"}]
)
def test_limits_that_need_a_look_are_never_quick(
    actor: Actor, account_id: str, monkeypatch: pytest.MonkeyPatch, limit: dict[str, Any]
) -> None:
    operations.set_limit(actor, account_id, Money.parse("40"), **limit)
    charge(actor)  # from now on this process knows the limit
    with seen(monkeypatch, lambda move: move) as answers:
        charge(actor)
    assert answers == []


def test_a_limit_about_something_else_is_no_matter(
    actor: Actor, account_id: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations.set_limit(
        actor, account_id, Money.parse("40"), action="soft", filters={"model": ["other"]}
    )
    charge(actor)
    with seen(monkeypatch, lambda move: move) as answers:
        charge(actor)
    assert answers == [clock.at]


def test_a_raise_holds_until_its_moment(
    billing: Billing, actor: Actor, account_id: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    [state] = operations.list_limits(actor, account_id)
    wish = operations.request_limit_raise(
        actor, account_id, state.limit.id, amount=Money.parse("30"), lasts_s=60
    )
    operations.approve_limit_raise(billing.operator(), account_id, wish.id)
    charge(actor, "45")
    with seen(monkeypatch, lambda move: move) as answers:
        charge(actor, "5")
        clock.forward(seconds=61)
        with pytest.raises(Exception, match="limit"):
            charge(actor, "1")
    assert answers == [clock.at - timedelta(seconds=61), None]


def test_in_a_hosts_transaction_it_is_the_hosts(
    billing: Billing, actor: Actor, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(billing)
    with (
        seen(monkeypatch, lambda move: move) as answers,
        billing.instance.active(),
        pytest.raises(NothingError),
        write_transaction(),
    ):
        charge(actor)
        raise NothingError
    assert answers in ([], [None])
    assert everything(billing) == before


def test_a_hold_and_its_capture_take_it(
    billing: Billing, actor: Actor, account_id: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with seen(monkeypatch, lambda move: move) as answers:
        held = operations.hold(actor, account_id, TEN, provider="p", model="m", expires_in_s=60)
        clock.forward(seconds=30)
        done = operations.capture(actor, account_id, held.hold.id, taken=Money.parse("4"))
    assert answers == [clock.at - timedelta(seconds=30), clock.at]
    assert held.hold.expires_at == clock.at + timedelta(seconds=30)
    assert (done.hold.status, done.hold.captured) == ("captured", Money.parse("4"))
    stored = operations.get_hold(actor, account_id, held.hold.id)
    assert (stored.status, stored.record_id) == ("captured", done.record.id)
    assert (done.record.effective_at, done.record.recorded_at) == (
        held.hold.created_at, clock.at,
    )  # fmt: skip
    assert complaints(billing) == []


@pytest.mark.parametrize("why", ["expired", "more", "another model", "again", "released"])
def test_a_capture_out_of_the_ordinary_is_left_alone(
    billing: Billing, actor: Actor, account_id: str, clock: Clock, why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    held = operations.hold(actor, account_id, TEN, provider="p", model="m", expires_in_s=60)
    taken: Money | Usage = Money.parse("11" if why == "more" else "4")
    if why == "expired":
        clock.forward(minutes=2)
    if why == "another model":
        taken = Usage("other", "p", cost=Money.parse("4"))
    if why == "again":
        operations.capture(actor, account_id, held.hold.id, taken=taken)
    if why == "released":
        operations.release(actor, account_id, held.hold.id)
    with seen(monkeypatch, lambda move: move) as answers:
        try:
            operations.capture(actor, account_id, held.hold.id, taken=taken, policy="overdraft")
        except errors.Conflict:
            assert why == "released"
    assert answers in ([None], [])
    assert complaints(billing) == []


def test_a_capture_with_a_known_key_changes_nothing(
    billing: Billing, actor: Actor, account_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asks for it today; whoever does must not leave a hold captured without a record."""
    charge(actor, idempotency_key="k")
    known = idempotency.intent(account_id, "usage", key="k", content="x")
    held = operations.hold(actor, account_id, TEN, provider="p", model="m")
    with seen(monkeypatch, lambda move: replace(move, intent=known)) as answers:
        operations.capture(actor, account_id, held.hold.id, taken=Money.parse("4"))
    assert answers == [None]
    assert complaints(billing) == []


def test_text_goes_into_an_array_as_it_is(actor: Actor, billing: Billing) -> None:
    """On PostgreSQL rows travel as texts of arrays; nothing in a text may end its element."""
    odd = 'a "quoted" \\ {brace}, NULL \N{SNOWMAN}'
    account_id = str(actor.account_id)
    done = operations.charge(
        actor, account_id, Money.parse("1"), provider=odd, model=odd, metadata={odd: odd}
    )
    assert done.record is not None
    read = operations.get_usage(actor, account_id, done.record.id)
    assert (read.provider, read.model, read.metadata) == (odd, odd, {odd: odd})
    held = operations.hold(actor, account_id, TEN, provider=odd, model=odd, metadata={odd: odd})
    assert operations.get_hold(actor, account_id, held.hold.id).metadata == {odd: odd}
    assert operations.verify_ledger(billing.operator()).broken == []
