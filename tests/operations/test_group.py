"""Callers who meet at one account: written together, each with an answer of its own."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.context import write_transaction
from billing_plugin.errors import BillingError, IdempotencyConflict, InternalError
from billing_plugin.operations import group, quick
from tests.books import complaints, counts, everything
from tests.factories import Clock, account_with, billing_on

ONE = Money.parse("1")


class Crowd:
    """Holds the first caller in the middle of its write until the others wait in the queue."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        self.number, self.sizes, self.go = number, [], Event()
        self.write: Callable[..., Any] = group._charged
        self.queue: Any = None
        real_take = group.Queue.take

        def take(queue: Any) -> Any:
            if not self.sizes:
                self.queue = queue
                self.sizes.append(0)
                deadline = time.monotonic() + 10
                while len(queue.waiting) < number and time.monotonic() < deadline:
                    time.sleep(0.005)
            taken = real_take(queue)
            self.sizes.append(len(taken))
            return taken

        monkeypatch.setattr(group.Queue, "take", take)

    def run(self, calls: list[Callable[[], Any]]) -> list[Any]:
        """Every call in a thread of its own; its answer or its error."""

        def safely(call: Callable[[], Any]) -> Any:
            try:
                return call()
            except BaseException as error:
                return error

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(safely, calls))


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    return Crowd(monkeypatch, 8)


def charging(actor: Actor, **said: Any) -> Callable[[], Any]:
    amount = said.pop("amount", ONE)
    return lambda: operations.charge(actor, str(actor.account_id), amount, model="m", **said)


def test_all_are_written_in_one_transaction_with_an_entry_each(
    billing: Billing, actor: Actor, crowd: Crowd
) -> None:
    answers = crowd.run([charging(actor, idempotency_key=f"k{n}") for n in range(8)])
    assert crowd.sizes[:2] == [0, 8]
    records = [answer.record for answer in answers]
    assert len({record.id for record in records}) == len({r.entry_id for r in records}) == 8
    assert operations.verify_ledger(billing.operator()).broken == []
    assert counts(billing)["usage_record"] == 8
    assert complaints(billing) == []
    for record in records:
        given = operations.reverse_entry(billing.operator(), str(actor.account_id), record.entry_id)
        assert given.amount == ONE


def test_each_has_its_own_fate(billing: Billing, actor: Actor, crowd: Crowd) -> None:
    """The balance fits twelve: some of them fit, some do not, a wrong one is refused by itself."""
    wishes: list[dict[str, Any]] = [{"amount": Money.parse("30")}] * 6
    wishes += [{"amount": Money(1, "EUR")}, {"metadata": {"x": {1, 2}}}]
    answers = crowd.run([charging(actor, **wish) for wish in wishes])
    codes = [a.code if isinstance(a, BillingError) else "ok" for a in answers]
    assert sorted(codes) == [
        "currency_mismatch", *["insufficient_funds"] * 3, "invalid_request", *["ok"] * 3,
    ]  # fmt: skip
    assert complaints(billing) == []


def test_one_key_is_one_charge_and_other_content_a_conflict_for_that_caller_alone(
    billing: Billing, actor: Actor, crowd: Crowd
) -> None:
    same = [charging(actor, idempotency_key="k")] * 5
    other = [charging(actor, idempotency_key="k", amount=Money.parse("2"))] * 2
    answers = crowd.run([*same, *other, charging(actor)])
    kinds = {type(answer) for answer in answers}
    assert kinds == {group.Outcome, IdempotencyConflict}
    done = [a for a in answers if isinstance(a, group.Outcome)]
    assert len({one.record.id for one in done if one.record}) == 2
    assert sum(not one.replayed for one in done) == 2
    assert counts(billing)["usage_record"] == 2


def test_what_was_charged_before_is_replayed_in_a_crowd(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = charging(actor, idempotency_key="k")().record.id
    crowd = Crowd(monkeypatch, 8)
    again = [charging(actor, idempotency_key="k")] * 6
    conflict = charging(actor, idempotency_key="k", amount=Money.parse("3"))
    answers = crowd.run([*again, conflict, charging(actor)])
    assert [a.record.id for a in answers[:6]] == [first] * 6
    assert all(answer.replayed for answer in answers[:6])
    assert isinstance(answers[6], IdempotencyConflict)
    assert not answers[7].replayed


def test_a_limit_is_held_to_the_last_charge(billing: Billing, actor: Actor, crowd: Crowd) -> None:
    operations.set_limit(actor, str(actor.account_id), Money.parse("5"))
    answers = crowd.run([charging(actor)] * 8)
    refused = [answer for answer in answers if isinstance(answer, errors.LimitExceeded)]
    assert len(refused) == 3
    assert len({id(answer) for answer in refused}) == 3
    assert complaints(billing) == []


def test_a_write_that_fails_is_told_to_everybody_and_writes_nothing(
    billing: Billing, actor: Actor, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise errors.StorageUnavailable("The database cannot be written now.")

    monkeypatch.setattr(group, "_charged", full)
    answers = crowd.run([charging(actor)] * 8)
    assert [type(answer) for answer in answers] == [errors.StorageUnavailable] * 8
    assert "usage_record" not in counts(billing)
    monkeypatch.undo()
    assert charging(actor)().record is not None


def test_a_writer_that_is_interrupted_leaves_nobody_waiting(
    billing: Billing, actor: Actor, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(group, "_charged", interrupted)
    answers = crowd.run([charging(actor)] * 8)
    kinds = [type(answer) for answer in answers]
    assert sorted(kinds, key=str) == [KeyboardInterrupt, *[InternalError] * 7]
    assert "usage_record" not in counts(billing)
    monkeypatch.undo()
    assert charging(actor)().record is not None


def test_who_comes_during_a_write_is_written_next(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(monkeypatch, 3)
    answers = crowd.run([charging(actor)] * 12)
    assert sum(crowd.sizes) == 12
    assert all(answer.record for answer in answers)
    assert complaints(billing) == []


def test_the_quick_way_writes_what_the_general_one_does(
    billing: Billing, actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = 'a "quoted" \\ word, {NULL}'
    account_id = str(actor.account_id)
    operations.set_limit(actor, account_id, ONE, partitions=["model"])
    robot = actor._replace(key_id="key_1", agent=odd, request_id="req_1")
    calls = [charging(robot, metadata={"n": odd, "half": 0.5}, provider=odd, amount=Money(n))
             for n in range(1, 9)]  # fmt: skip
    calls[0]()  # the counter is in place
    written = []
    for quickly in (True, False):
        if not quickly:
            monkeypatch.setattr(quick, "charge", lambda _: None)
        before = everything(billing)
        Crowd(monkeypatch, 8).run(calls)
        written.append(
            {table: sorted(map(shape, rows[len(before[table]) :])) for table, rows in
             everything(billing).items() if table in ("ledger_entry", "usage_record")}
        )  # fmt: skip
    assert len(written[0]["usage_record"]) == 8
    assert written[0] == written[1]
    assert complaints(billing) == []
    assert operations.verify_ledger(billing.operator()).broken == []


def shape(row: Any) -> str:
    """What two rows of the same charge have in common."""
    return repr([cell for cell in row if not re.match(r"(led|use)_|[0-9a-f]{64}$", str(cell))][:9])


def test_a_writer_goes_on_for_who_comes_meanwhile_but_not_for_ever(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, first, came = group.Queue(), group.Caller(wish()), []
    queue.join(first)

    def charged(_: str, callers: Any) -> list[group.Outcome]:
        came.append(group.Caller(wish()))
        queue.join(came[-1])
        return [group.Outcome()] * len(callers)

    monkeypatch.setattr(group, "_charged", charged)
    with billing.instance.active():
        group._lead(queue, str(actor.account_id), first)
    assert [one.answer is not None for one in came] == [*[True] * (group.ROUNDS - 1), False]
    assert queue.waiting == [came[-1]]


@pytest.mark.parametrize("turn", [True, False])
def test_who_is_not_woken_looks_for_itself(
    billing: Billing, monkeypatch: pytest.MonkeyPatch, turn: bool
) -> None:
    """A caller that was interrupted wakes nobody."""
    monkeypatch.setattr(group, "PATIENCE_S", 0.01)
    queue, waiting, after = (group.Queue(), *(group.Caller(wish()) for _ in range(2)))
    waiting.is_next, waiting.then = turn, after
    waiting.answer = None if turn else group.Outcome()
    with billing.instance.active():
        group._wait(queue, waiting)
    assert after.bell.acquire(blocking=False)


def wish() -> Any:
    return group.Wish(operations.Usage("m"), Actor(None).signature)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_its_turn", [True, False])
def test_who_is_interrupted_while_waiting_passes_the_turn_on(is_its_turn: bool) -> None:
    queue = group.Queue()
    writer, second, third = (group.Caller(wish()) for _ in range(3))
    assert [queue.join(caller) for caller in (writer, second, third)] == [True, False, False]
    queue.waiting.remove(writer)  # it has taken its own wish and writes
    if is_its_turn:
        queue.hand_over()
    queue.leave(second)
    if not is_its_turn:
        queue.hand_over()
    assert third.bell.acquire(blocking=False)
    assert (queue.waiting, third.is_next) == ([third], True)


def test_an_interrupt_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bell:
        def acquire(self, timeout: float) -> None:
            raise KeyboardInterrupt

    queue, caller = group.Queue(), group.Caller(wish())
    queue.join(group.Caller(wish()))
    queue.join(caller)
    caller.bell = Bell()  # type: ignore[assignment]  # rings for nobody
    with pytest.raises(KeyboardInterrupt):
        group._wait(queue, caller)
    assert caller not in queue.waiting


def test_a_crowd_larger_than_a_batch_is_written_in_several(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    billing = billing_on(database_url, max_batch=3)
    actor = account_with(billing, "100")
    crowd = Crowd(monkeypatch, 8)
    answers = crowd.run([charging(actor)] * 8)
    assert max(crowd.sizes) == 3
    assert all(answer.record for answer in answers)


def test_one_caller_alone_is_written_alone(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(group, "_generally", never)
    assert charging(actor)().record is not None


def test_it_can_be_switched_off(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(operations.usage, "charge_in_turn", never)
    billing = billing_on(database_url, group_commit=False)
    assert charging(account_with(billing, "5"))().record is not None


def test_in_a_hosts_transaction_nobody_waits_for_another(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(operations.usage, "charge_in_turn", never)
    with billing.instance.active(), write_transaction():
        assert charging(actor)().record is not None


def test_a_forked_process_begins_with_empty_queues(billing: Billing, actor: Actor) -> None:
    with billing.instance.active():
        queue = group._queue(str(actor.account_id))
        queue.is_writing = True  # as if another thread were at work at this moment
        child = os.fork()
        if child == 0:
            fresh = group._queue(str(actor.account_id))
            os._exit(0 if fresh is not queue and not fresh.is_writing else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
