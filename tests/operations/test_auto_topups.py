"""Buying credit by itself: one charge for a crossing, one at a time, within its caps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.context import write_transaction
from billing_plugin.models import accounts
from billing_plugin.models.topups import TopUp
from billing_plugin.operations import AutoTopUpState, Caps, group
from billing_plugin.processors import fake
from tests.books import complaints, everything
from tests.deeds import adjust, balance, capture, give, hold, limit, newest, refused, release, spend
from tests.factories import START, Clock, account_with, billing_on
from worker.schedule import tick

CAPPED = Caps(daily_count=2, monthly_count=3)


def rule(actor: Actor, amount: str = "10", threshold: str = "5", **said: Any) -> AutoTopUpState:
    mine, below = str(actor.account_id), Money.parse(threshold)
    made = operations.set_auto_topup(actor, mine, Money.parse(amount), threshold=below, **said)
    assert made
    return made


def state(actor: Actor) -> AutoTopUpState:
    found = operations.get_auto_topup(actor, str(actor.account_id))
    assert found
    return found


def bought(actor: Actor) -> list[TopUp]:
    """The account's top-ups, the oldest first."""
    return operations.list_topups(actor, str(actor.account_id))[::-1]


def amounts(actor: Actor) -> list[str]:
    return [one.amount.text for one in bought(actor)]


def marks(billing: Billing, actor: Actor) -> tuple[int | None, Any]:
    """Below how much the account is to be marked, and since when it is."""
    with billing.instance.active():
        account = accounts.get(str(actor.account_id))
    return account.topup_below_nanos, account.topup_due_at


@pytest.fixture
def buyer(billing: Billing) -> Actor:
    """An account of 20, which buys 10 whenever it has less than 5."""
    found = account_with(billing, "20")
    rule(found)
    return found


def test_a_charge_that_leaves_too_little_buys(billing: Billing, buyer: Actor) -> None:
    spend(buyer, "15")
    assert (amounts(buyer), balance(buyer)[0]) == ([], "5.00")
    spend(buyer, "0.000000001")
    assert (amounts(buyer), balance(buyer)[0]) == (["10.00"], "14.999999999")
    [topup] = bought(buyer)
    assert (topup.status, topup.attended, topup.automatic) == ("succeeded", 0, 1)
    assert newest(buyer).reference_id == topup.id
    assert complaints(billing) == []


def test_one_charge_closes_the_whole_shortfall(billing: Billing, buyer: Actor) -> None:
    operations.set_postpaid_limit(billing.operator(), str(buyer.account_id), Money.parse("100"))
    spend(buyer, "57.5")
    assert (amounts(buyer), balance(buyer)[0]) == (["50.00"], "12.50")


WAYS = {
    "charge": lambda _, actor: spend(actor, "16"),
    "hold": lambda _, actor: hold(actor, "16"),
    "capture": lambda _, actor: capture(actor, hold(actor, "1"), "16", "if_available"),
    "batch": lambda _, actor: operations.record_usage_batch(
        actor, str(actor.account_id),
        [operations.Submission(operations.Usage("m", cost=Money.parse("8"))) for _ in range(2)],
    ),
    "adjustment": lambda billing, actor: adjust(billing, actor, "-16"),
    "limited": lambda _, actor: (limit(actor, "100"), spend(actor, "1"), spend(actor, "15")),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_whatever_leaves_too_little_buys(billing: Billing, buyer: Actor, way: str) -> None:
    WAYS[way](billing, buyer)
    assert amounts(buyer) == ["10.00"]
    assert complaints(billing) == []


def test_what_is_held_is_not_available(buyer: Actor) -> None:
    held = hold(buyer, "15.01")
    assert amounts(buyer) == ["10.00"]
    release(buyer, held)
    assert (amounts(buyer), balance(buyer)[0]) == (["10.00"], "30.00")


def test_credit_that_expires_leaves_too_little(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    give(billing, buyer, "10", expires_at=START + timedelta(hours=1))
    spend(buyer, "6")
    rule(buyer, threshold="22")
    clock.forward(hours=2)
    hold(buyer, "0.01")
    assert (amounts(buyer), balance(buyer)[0]) == (["10.00"], "30.00")


def test_only_the_debit_that_crosses_leaves_the_quick_way(
    buyer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A charge costs no statement more, with a rule or without one."""
    asked, generally = list[str](), group._generally

    def noted(account_id: str, wishes: Any) -> Any:
        asked.append(account_id)
        return generally(account_id, wishes)

    monkeypatch.setattr(group, "_generally", noted)
    ways = []
    for units in ("10", "5", "1", "1", "10"):
        spend(buyer, units)
        ways.append(len(asked))
    assert ways == [0, 0, 1, 1, 2]  # bought at the third, below again at the fifth
    assert amounts(buyer) == ["10.00"]
    spend(buyer, "1")
    assert len(asked) == 2  # marked: it waits for the cool-down


def test_a_debit_of_the_hosts_own_transaction_buys_after_its_commit(
    billing: Billing, buyer: Actor
) -> None:
    with billing.instance.active(), write_transaction():
        spend(buyer, "16")
        assert amounts(buyer) == []
    assert amounts(buyer) == ["10.00"]


def test_a_debit_that_is_rolled_back_buys_nothing(billing: Billing, buyer: Actor) -> None:
    with billing.instance.active(), pytest.raises(ZeroDivisionError), write_transaction():
        spend(buyer, "16")
        raise ZeroDivisionError
    assert (amounts(buyer), marks(billing, buyer)) == ([], (5 * 10**9, None))


def test_a_hundred_debits_at_once_buy_once(database_url: str) -> None:
    """The wall's clock: on PostgreSQL the debits take the way of one statement."""
    billing = billing_on(database_url)
    buyer = account_with(billing, "150")
    rule(buyer, "200", "100")
    together = Barrier(20)

    def debits(_: int) -> None:
        together.wait()
        for _ in range(5):
            spend(buyer, "1")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(debits, range(20)))
    assert (amounts(buyer), balance(buyer)[0]) == (["200.00"], "250.00")
    assert marks(billing, buyer) == (100 * 10**9, None)
    assert complaints(billing) == []


def test_many_jobs_and_sweeps_at_once_buy_once(
    billing: Billing, buyer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, enqueue = list[str](), billing.instance.enqueue
    monkeypatch.setattr(billing.instance, "enqueue", lambda _, found: kept.append(found))
    spend(buyer, "16")
    assert (kept, amounts(buyer)) == ([buyer.account_id], [])
    monkeypatch.setattr(billing.instance, "enqueue", enqueue)
    together = Barrier(16)

    def work(number: int) -> None:
        together.wait()
        if number % 2:
            operations.sweep_auto_topups(billing.operator())
        else:
            operations.run_auto_topup(billing.operator(), str(buyer.account_id))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert amounts(buyer) == ["10.00"]


def test_a_lost_job_is_made_up_for(
    billing: Billing, buyer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue = billing.instance.enqueue
    monkeypatch.setattr(billing.instance, "enqueue", lambda *_: None)
    spend(buyer, "16")
    assert (amounts(buyer), marks(billing, buyer)) == ([], (None, START))
    monkeypatch.setattr(billing.instance, "enqueue", enqueue)
    assert tick(billing) == [buyer.account_id]
    assert (amounts(buyer), tick(billing)) == (["10.00"], [])


def test_nothing_is_bought_within_the_cool_down(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    spend(buyer, "16")
    spend(buyer, "10")
    assert (amounts(buyer), state(buyer).due_at) == (["10.00"], START + timedelta(minutes=1))
    clock.forward(seconds=59)
    assert tick(billing) == []
    clock.forward(seconds=1)
    assert tick(billing) == [buyer.account_id]
    assert (amounts(buyer), balance(buyer)[0]) == (["10.00"] * 2, "14.00")


def test_what_came_by_other_ways_is_not_bought(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    spend(buyer, "16")
    spend(buyer, "10")
    operations.top_up(buyer, str(buyer.account_id), Money.parse("10"))
    clock.forward(minutes=1)
    assert tick(billing) == [buyer.account_id]
    assert (len(amounts(buyer)), marks(billing, buyer)) == (2, (5 * 10**9, None))


def test_a_price_above_the_top_up_is_stopped_by_the_caps(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    """E-12: a loop that spends more each time than one top-up brings."""
    rule(buyer, caps=Caps(daily_count=3, monthly_count=5))
    operations.set_postpaid_limit(billing.operator(), str(buyer.account_id), Money.parse("10000"))
    for _ in range(30):
        spend(buyer, "12")
        clock.forward(minutes=2)
        tick(billing)
    assert len(amounts(buyer)) == 3
    found = state(buyer)
    assert found.rule.error == "The daily cap is reached: 3 of 3 auto top-ups."
    assert (found.rule.enabled, found.due_at) == (1, START.replace(day=10, hour=0, minute=0))
    clock.forward(days=1)
    tick(billing)
    assert (len(amounts(buyer)), state(buyer).rule.error) == (4, None)
    for _ in range(30):
        spend(buyer, "12")
        clock.forward(minutes=2)
        tick(billing)
    assert len(amounts(buyer)) == 5
    assert state(buyer).rule.error == "The monthly cap is reached: 5 of 5 auto top-ups."
    assert state(buyer).due_at == START.replace(month=4, day=1, hour=0, minute=0)


def test_the_sum_is_capped_too(billing: Billing, buyer: Actor, clock: Clock) -> None:
    rule(buyer, caps=Caps(daily=Money.parse("25")))
    operations.set_postpaid_limit(billing.operator(), str(buyer.account_id), Money.parse("100"))
    spend(buyer, "55")
    assert (amounts(buyer), balance(buyer)[0]) == (["20.00"], "-15.00")
    clock.forward(minutes=1)
    tick(billing)
    found = state(buyer).rule
    assert (len(amounts(buyer)), found.error) == (
        1, "The daily cap is reached: 20.00 USD of 25.00 USD, and one more is 10.00 USD.",
    )  # fmt: skip


def test_the_settings_cap_whatever_a_rule_says(database_url: str, clock: Clock) -> None:
    billing = billing_on(
        database_url, clock=clock, auto_topup_monthly_cents=1_500, auto_topup_cooldown_s=0
    )
    buyer = account_with(billing, "5")
    rule(buyer, caps=Caps(monthly=Money.parse("1000"), monthly_count=100))
    for _ in range(2):
        spend(buyer, "10") if amounts(buyer) else spend(buyer, "1")
        tick(billing)
    assert amounts(buyer) == ["10.00"]
    assert "15.00 USD" in str(state(buyer).rule.error)


def test_a_top_up_is_no_larger_than_one_may_be(database_url: str, clock: Clock) -> None:
    billing = billing_on(database_url, clock=clock, topup_maximum_cents=3_500)
    buyer = account_with(billing, "20")
    operations.set_postpaid_limit(billing.operator(), str(buyer.account_id), Money.parse("100"))
    rule(buyer)
    spend(buyer, "60")
    assert (amounts(buyer), balance(buyer)[0]) == (["30.00"], "-10.00")
    clock.forward(minutes=1)
    tick(billing)
    assert (amounts(buyer), balance(buyer)[0]) == (["30.00", "20.00"], "10.00")


def test_where_the_answer_is_lost_nothing_more_is_bought(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    rule(buyer, payment_method="fake_lost_answer")
    spend(buyer, "16")
    assert [one.status for one in bought(buyer)] == ["unknown"]
    spend(buyer, "4")
    clock.forward(seconds=30)
    tick(billing)
    assert len(amounts(buyer)) == 1
    clock.forward(minutes=1)
    tick(billing)
    assert [one.status for one in bought(buyer)] == ["succeeded"]
    assert balance(buyer)[0] == "10.00"


def test_what_takes_days_is_waited_for(
    billing: Billing, buyer: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "WAITS_S", 10_000)
    rule(buyer, payment_method="fake_slow")
    spend(buyer, "16")
    for _ in range(3):
        clock.forward(days=1)
        tick(billing)
    assert [one.status for one in bought(buyer)] == ["processing"]
    assert (state(buyer).topup_id, state(buyer).due_at) == (bought(buyer)[0].id, None)
    monkeypatch.setattr(fake, "WAITS_S", 0)
    clock.forward(days=1)
    tick(billing)
    assert (balance(buyer)[0], marks(billing, buyer)) == ("14.00", (5 * 10**9, None))


def test_what_was_begun_before_a_crash_is_gone_on_with(
    billing: Billing, buyer: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing_plugin.operations.auto_topups.charged", lambda *_: None)
    spend(buyer, "16")
    assert [one.status for one in bought(buyer)] == ["created"]
    monkeypatch.undo()
    clock.forward(minutes=1)
    tick(billing)
    assert [one.status for one in bought(buyer)] == ["succeeded"]


def test_a_rule_below_whose_threshold_the_account_is_buys_at_once(billing: Billing) -> None:
    buyer = account_with(billing, "1")
    assert rule(buyer).rule.error is None
    assert amounts(buyer) == ["10.00"]


def test_a_rule_that_is_taken_away_or_switched_off_buys_nothing(
    billing: Billing, buyer: Actor
) -> None:
    rule(buyer, enabled=False)
    spend(buyer, "16")
    assert (amounts(buyer), marks(billing, buyer)) == ([], (None, None))
    rule(buyer)
    assert amounts(buyer) == ["10.00"]
    assert operations.remove_auto_topup(buyer, str(buyer.account_id))
    spend(buyer, "10")
    assert (len(amounts(buyer)), marks(billing, buyer)) == (1, (None, None))
    assert operations.get_auto_topup(buyer, str(buyer.account_id)) is None
    assert not operations.remove_auto_topup(buyer, str(buyer.account_id))


def test_taking_a_rule_away_and_setting_it_again_changes_no_cap_and_no_flight(
    billing: Billing, buyer: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "WAITS_S", 10_000)
    for method, want in (("fake_slow", 1), ("default", 1)):
        rule(buyer, payment_method=method, caps=CAPPED)
        spend(buyer, "4") if bought(buyer) else spend(buyer, "16")
        operations.remove_auto_topup(buyer, str(buyer.account_id))
        rule(buyer, payment_method=method, caps=CAPPED)
        assert len(amounts(buyer)) == want
    monkeypatch.setattr(fake, "WAITS_S", 0)
    for _ in range(9):
        clock.forward(minutes=2)
        tick(billing)
        rule(buyer, caps=CAPPED)
        spend(buyer, balance(buyer)[2])
    assert len(amounts(buyer)) == 2


def test_without_a_processor_there_is_no_rule_and_no_purchase(
    billing: Billing, buyer: Actor, clock: Clock
) -> None:
    billing.instance.processor, kept = None, billing.instance.processor
    assert refused(rule, buyer).code == "not_supported"
    spend(buyer, "16")
    assert (amounts(buyer), state(buyer).rule.error) == ([], "No payment processor is set up.")
    billing.instance.processor = kept
    clock.forward(minutes=30)
    tick(billing)
    assert (amounts(buyer), state(buyer).rule.error) == (["10.00"], None)


EURO = Money.parse("10", "EUR")
BAD: list[dict[str, Any]] = [
    {"amount": "0.99"}, {"amount": "10000.01"}, {"amount": "1.001"}, {"threshold": "-1"},
    {"caps": Caps(daily_count=-1)}, {"caps": Caps(monthly_count=10_001)},
    {"caps": Caps(daily=Money.parse("-1"))}, {"caps": Caps(monthly=EURO)},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_what_is_no_rule_is_refused_and_not_stored(
    billing: Billing, buyer: Actor, bad: dict[str, Any]
) -> None:
    before = everything(billing)
    assert isinstance(refused(rule, buyer, **bad), errors.InvalidRequest)
    assert everything(billing) == before


def test_a_rule_of_another_currency_is_refused(buyer: Actor) -> None:
    mine = str(buyer.account_id)
    with pytest.raises(errors.InvalidRequest):
        operations.set_auto_topup(buyer, mine, EURO, threshold=EURO)


def test_whose_rule_it_is(billing: Billing, buyer: Actor) -> None:
    other = account_with(billing)
    for act in (operations.get_auto_topup, operations.remove_auto_topup):
        with pytest.raises(errors.NotFound):
            act(other, str(buyer.account_id))
    with pytest.raises(errors.Forbidden):
        operations.run_auto_topup(buyer, str(buyer.account_id))
    with pytest.raises(errors.Forbidden):
        operations.sweep_auto_topups(buyer)


def test_who_may_write_need_not_read(buyer: Actor) -> None:
    writer = buyer._replace(scopes=frozenset({"topups:write"}))
    assert rule(writer, "20").rule.amount == Money.parse("20")
    assert operations.remove_auto_topup(writer, str(buyer.account_id))


def test_who_changed_a_rule_is_kept(buyer: Actor) -> None:
    rule(buyer, "20")
    operations.remove_auto_topup(buyer, str(buyer.account_id))
    found = operations.list_changes(buyer, str(buyer.account_id))[:2]
    assert [one.action for one in found] == ["auto_topup.removed", "auto_topup.set"]
    assert (found[1].before or {})["amount"] == "10.00"
    assert (found[1].after or {})["amount"] == "20.00"
