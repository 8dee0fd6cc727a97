"""Velocity limits (E-13): who tries many cards is stopped, whoever comes together with whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Charge, Payment
from tests.books import complaints, counts
from tests.factories import Clock, account_with, billing_on

FIVE = Money.parse("5")
FREE = {
    "topup_max_attempts": 0,
    "topup_max_attempts_per_key": 0,
    "topup_max_declined": 0,
    "topup_max_declined_per_method": 0,
}
AT_ONCE = 12


class Counting(FakeProcessor):
    """How often it was asked to charge."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self._lock = 0, Lock()

    def charge(self, charge: Charge) -> Payment:
        """As the fake one, counted."""
        with self._lock:
            self.asked += 1
        return super().charge(charge)


class Shop:
    """An account under velocity limits, all others of which are off."""

    def __init__(self, database_url: str, **limits: int) -> None:
        self.clock = Clock()
        self.billing = billing_on(database_url, clock=self.clock, **FREE | limits)
        self.processor = self.billing.instance.processor = Counting()
        self.buyer = account_with(self.billing)

    def buys(self, method: str = "default", by: Actor | None = None, key: str = "") -> str:
        """What becomes of a top-up: its status, `declined`, or in how many seconds to come back."""
        actor = by or self.buyer
        try:
            return operations.top_up(
                actor, str(actor.account_id), FIVE, payment_method=method,
                idempotency_key=key or None,
            ).status  # fmt: skip
        except errors.PaymentDeclined:
            return "declined"
        except errors.RateLimited as refused:
            return f"{refused.extra['retry_after_s']} s"

    def adds(self, by: Actor | None = None) -> str:
        """The same of a payment method that is being added."""
        actor = by or self.buyer
        try:
            operations.begin_payment_method(actor, str(actor.account_id))
        except errors.RateLimited as refused:
            return f"{refused.extra['retry_after_s']} s"
        return "begun"


Open = Callable[..., Shop]


@pytest.fixture
def shop(database_url: str) -> Open:
    return lambda **limits: Shop(database_url, **limits)


def test_attempts_are_counted_until_they_leave_the_window(shop: Open) -> None:
    found = shop(topup_max_attempts=3, topup_window_s=60)
    assert found.buys() == "succeeded"
    found.clock.forward(seconds=20)
    assert [found.buys() for _ in range(3)] == ["succeeded", "succeeded", "40 s"]
    found.clock.forward(seconds=39)
    assert found.buys() == "1 s"
    found.clock.forward(seconds=1)
    assert [found.buys() for _ in range(2)] == ["succeeded", "20 s"]
    assert found.processor.asked == 4


def test_a_refused_attempt_leaves_nothing(shop: Open) -> None:
    found = shop(topup_max_attempts=1)
    found.buys()
    before = counts(found.billing)
    assert [found.buys() for _ in range(5)] == ["3600 s"] * 5
    assert counts(found.billing) == before
    assert complaints(found.billing) == []


def test_declined_cards_are_counted_apart(shop: Open) -> None:
    found = shop(topup_max_declined=2)
    cards = ["fake_declined", "fake_expired_card", "fake_insufficient_funds", "default"]
    assert [found.buys() for _ in range(4)] == ["succeeded"] * 4
    assert [found.buys(card) for card in cards] == ["declined", "declined", "3600 s", "3600 s"]
    found.clock.forward(hours=1)
    assert found.buys() == "succeeded"


def test_each_method_has_a_count_of_its_own(shop: Open) -> None:
    found = shop(topup_max_declined_per_method=2)
    for method in ("fake_declined", "fake_expired_card"):
        assert [found.buys(method) for _ in range(3)] == ["declined", "declined", "3600 s"]
    assert found.buys("another") == "succeeded"


def test_each_key_has_a_count_of_its_own(shop: Open) -> None:
    found = shop(topup_max_attempts_per_key=2)
    mine = str(found.buyer.account_id)
    keys = [
        operations.authenticate(
            found.billing.instance, operations.create_key(found.billing.operator(), mine).token
        )
        for _ in range(2)
    ]
    for key in keys:
        assert [found.buys(by=key) for _ in range(3)] == ["succeeded", "succeeded", "3600 s"]
        assert [found.adds(by=key) for _ in range(3)] == ["begun", "begun", "3600 s"]
    assert found.buys() == "succeeded"


def test_another_account_is_not_concerned(shop: Open) -> None:
    found = shop(topup_max_attempts=1)
    assert [found.buys() for _ in range(2)] == ["succeeded", "3600 s"]
    assert found.buys(by=account_with(found.billing)) == "succeeded"


def test_the_same_key_is_no_other_attempt(shop: Open) -> None:
    found = shop(topup_max_attempts=1, topup_max_declined=1)
    assert [found.buys("fake_declined", key="once") for _ in range(3)] == ["declined"] * 3
    assert found.buys(key="twice") == "3600 s"


def test_an_answer_that_is_awaited_counts_as_declined_for_a_while(shop: Open) -> None:
    found = shop(topup_max_declined=1)
    assert [found.buys("fake_lost_answer", key="lost") for _ in range(1)] == ["unknown"]
    assert found.buys() == "5 s"
    assert found.buys("fake_lost_answer", key="lost") == "succeeded"
    assert found.buys() == "succeeded"


def test_what_never_arrived_was_not_declined(shop: Open) -> None:
    found = shop(topup_max_declined=1, topup_window_s=7200)
    assert found.buys("fake_never_arrived") == "unknown"
    found.clock.forward(hours=1)
    assert operations.reconcile_topups(found.billing.operator()) == 1
    assert found.buys() == "succeeded"


def test_methods_that_are_added_are_counted_too(shop: Open) -> None:
    found = shop(topup_max_attempts=2)
    assert [found.adds() for _ in range(3)] == ["begun", "begun", "3600 s"]
    assert found.buys() == "succeeded"
    assert found.adds(by=account_with(found.billing)) == "begun"
    found.clock.forward(hours=1)
    assert found.adds() == "begun"


@pytest.mark.parametrize("rule", ["topup_max_attempts", "topup_max_declined"])
def test_nobody_gets_past_by_coming_together(shop: Open, rule: str) -> None:
    found = shop(**{rule: 4})
    together = Barrier(AT_ONCE)

    def one(number: int) -> str:
        together.wait()
        return found.buys("fake_declined", key=f"card {number}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = Counter(answer[-2:] for answer in pool.map(one, range(AT_ONCE)))
    assert told == {"ed": 4, " s": AT_ONCE - 4}
    assert (found.processor.asked, counts(found.billing)["topup"]) == (4, 4)


def test_nobody_adds_more_by_coming_together(shop: Open) -> None:
    found = shop(topup_max_attempts=3)
    together = Barrier(AT_ONCE)

    def one(_: int) -> Any:
        together.wait()
        return found.adds()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = Counter(pool.map(one, range(AT_ONCE)))
    assert told == {"begun": 3, "3600 s": AT_ONCE - 3}
    assert counts(found.billing)["method_setup"] == 3
    assert counts(found.billing)["customer"] == 1


def test_the_limits_stop_who_tests_cards_as_they_are_shipped(database_url: str) -> None:
    billing: Billing = billing_on(database_url, clock=Clock())
    buyer = account_with(billing)
    told = Counter[str]()
    for number in range(100):
        try:
            operations.top_up(
                buyer, str(buyer.account_id), FIVE,
                payment_method=["fake_declined", "fake_expired_card"][number % 2],
            )  # fmt: skip
        except errors.BillingError as refused:
            told[refused.code] += 1
    assert told == {"payment_declined": 10, "rate_limited": 90}
