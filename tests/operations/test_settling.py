"""Whatever the processor says, in whatever order: one payment is one credit, and what goes back is
taken back once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models import topups
from billing_plugin.operations.topups import ask
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Charge, Dispute, Payment, Refund
from tests.books import complaints
from tests.deeds import balance, limit, spend
from tests.factories import START, Clock, account_with, billing_on

TEN = Money.parse("10")
PAID = Payment("succeeded", "pi_1", TEN)
CONFIRM = Payment("confirm", "pi_1", client_secret="hush")
SLOW, DECLINED = Payment("processing", "pi_1"), Payment("failed", "pi_1", failure="card_declined")


class Scripted(FakeProcessor):
    """A processor that says what it is told to say."""

    def __init__(self) -> None:
        super().__init__()
        self.says: Payment | errors.BillingError | None = SLOW

    def charge(self, charge: Charge) -> Payment:
        found = self.find(charge)
        assert found is not None
        return found

    def find(self, charge: Charge) -> Payment | None:
        del charge
        if isinstance(self.says, errors.BillingError):
            raise self.says
        return self.says


class Purchase:
    """A top-up of ten units under way."""

    def __init__(self, billing: Billing) -> None:
        self.billing, self.buyer = billing, account_with(billing)
        self.processor = billing.instance.processor = Scripted()
        self.mine = str(self.buyer.account_id)
        self.id = operations.top_up(self.buyer, self.mine, TEN).id

    def learns(self, *said: Payment | errors.BillingError | None) -> None:
        """Asks the processor once for each of its answers."""
        for one in said:
            self.processor.says = self.own(one)
            with self.billing.instance.active():
                ask(self.billing.operator(), topups.get(self.mine, self.id))

    def own(self, said: Payment | errors.BillingError | None) -> Any:
        """The same, of ids that no other purchase has."""
        if not isinstance(said, Payment):
            return said
        refunds = tuple(one._replace(id=f"{one.id} {self.id}") for one in said.refunds)
        disputes = tuple(one._replace(id=f"{one.id} {self.id}") for one in said.disputes)
        return replace(said, refunds=refunds, disputes=disputes)

    @property
    def state(self) -> tuple[Any, ...]:
        """Its status, what the account has, and what was entered."""
        topup = operations.get_topup(self.buyer, self.mine, self.id)
        entries = operations.list_entries(self.buyer, self.mine, limit=100)
        told = sorted(
            (one.kind, one.amount.text, one.metadata.get("id", "").replace(self.id, ""))
            for one in entries
        )
        return topup.status, topup.failure, balance(self.buyer)[0], told


@pytest.fixture
def purchase(billing: Billing) -> Purchase:
    return Purchase(billing)


def refunded(*parts: str, failed: bool = False) -> Payment:
    found = tuple(Refund(f"re_{n}", Money.parse(one), failed) for n, one in enumerate(parts))
    return Payment("succeeded", "pi_1", TEN, refunds=found)


def disputed(status: str) -> Payment:
    return Payment("succeeded", "pi_1", TEN, disputes=(Dispute("dp_1", TEN, status),))


ENDS: dict[str, tuple[list[Payment], str, str]] = {
    "paid": ([PAID], "succeeded", "10.00"),
    "declined": ([DECLINED], "failed", "0.00"),
    "confirmed": ([CONFIRM, PAID], "succeeded", "10.00"),
    "paid after days": ([SLOW, SLOW, PAID], "succeeded", "10.00"),
    "another card": ([DECLINED, CONFIRM, PAID], "succeeded", "10.00"),
    "refunded in part": ([PAID, refunded("4"), refunded("4", "1")], "succeeded", "5.00"),
    "refunded whole": ([PAID, refunded("10")], "succeeded", "0.00"),
    "refund failed": ([PAID, refunded("4"), refunded("4", failed=True)], "succeeded", "10.00"),
    "dispute open": ([PAID, disputed("open")], "succeeded", "0.00"),
    "dispute won": ([PAID, disputed("open"), disputed("won")], "succeeded", "10.00"),
    "dispute lost": ([PAID, disputed("open"), disputed("lost")], "succeeded", "0.00"),
}


@pytest.mark.parametrize("story", ENDS)
def test_what_happens_is_entered_once(purchase: Purchase, story: str) -> None:
    said, status, left = ENDS[story]
    purchase.learns(*said)
    assert (purchase.state[0], purchase.state[2]) == (status, left)
    before = purchase.state
    purchase.learns(said[-1], said[-1])
    assert purchase.state == before
    assert complaints(purchase.billing) == []


LONG = [SLOW, PAID, refunded("3"), refunded("3", "2"), Payment(
    "succeeded", "pi_1", TEN, refunds=refunded("3", "2").refunds,
    disputes=(Dispute("dp_1", Money.parse("5"), "won"),),
)]  # fmt: skip


def test_messages_in_any_order_end_alike(billing: Billing) -> None:
    """Five things happen; each message, whenever it comes, asks what has happened by then."""
    in_order = Purchase(billing)
    in_order.learns(*LONG)
    want = in_order.state
    assert want[2] == "5.00"
    for order in permutations(range(len(LONG))):
        purchase = Purchase(billing)
        purchase.learns(*_known(order))
        assert purchase.state == want, order
    assert complaints(billing) == []


def test_messages_that_come_after_all_end_alike(billing: Billing) -> None:
    in_order = Purchase(billing)
    in_order.learns(*LONG)
    for number in range(1, 6):
        purchase = Purchase(billing)
        purchase.learns(*[LONG[-1]] * number)
        assert purchase.state == in_order.state


def _known(order: Sequence[int]) -> list[Payment]:
    """What the processor answers at each message: all that had happened when it was sent."""
    return [LONG[max(order[: place + 1])] for place in range(len(order))]


def test_an_old_answer_undoes_nothing(purchase: Purchase) -> None:
    purchase.learns(PAID)
    want = purchase.state
    purchase.learns(SLOW, DECLINED, CONFIRM, None, errors.ProviderUnavailable("no answer"))
    assert purchase.state == want


@pytest.mark.parametrize(
    "other",
    [
        Payment("succeeded", "pi_1", Money.parse("9.99")),
        Payment("succeeded", "pi_1", Money.parse("10", "EUR")),
        Payment("succeeded", "pi_1"),
        Payment("succeeded", "pi_1", TEN, "top_of_another"),
        Payment("succeeded", "pi_1", TEN, refunds=(Refund("re", Money(1, "EUR")),)),
        Payment("succeeded", "pi_1", TEN, disputes=(Dispute("dp", Money(1, "EUR")),)),
    ],
    ids=["amount", "currency", "none", "reference", "refund", "dispute"],
)
def test_what_was_not_asked_for_is_never_credited(purchase: Purchase, other: Payment) -> None:
    purchase.learns(other)
    assert purchase.state == ("review", None, "0.00", [])
    purchase.learns(PAID)
    assert purchase.state[:3] == ("succeeded", None, "10.00")
    purchase.learns(other)
    assert purchase.state[:3] == ("succeeded", None, "10.00")


def test_what_another_paid_is_never_credited(purchase: Purchase) -> None:
    with purchase.billing.instance.active():
        topups.change(topups.get(purchase.mine, purchase.id), START, customer_id="cus_1")
    purchase.learns(replace(PAID, customer_id="cus_2"))
    assert purchase.state == ("review", None, "0.00", [])
    purchase.learns(replace(PAID, customer_id="cus_1"))
    assert purchase.state[:3] == ("succeeded", None, "10.00")


def test_what_was_spent_before_it_went_back_is_owed(purchase: Purchase) -> None:
    purchase.learns(PAID)
    spend(purchase.buyer, "7")
    purchase.learns(disputed("open"))
    assert purchase.state[2] == "-7.00"
    with pytest.raises(errors.InsufficientFunds):
        spend(purchase.buyer, "0.01")
    purchase.learns(disputed("won"))
    assert purchase.state[2] == "3.00"
    spend(purchase.buyer, "3")
    assert complaints(purchase.billing) == []


def test_what_goes_back_is_no_spending(purchase: Purchase) -> None:
    limit(purchase.buyer, "5")
    purchase.learns(PAID, refunded("6"))
    spend(purchase.buyer, "4")
    assert purchase.state[2] == "0.00"


def test_a_secret_is_told_and_never_stored(purchase: Purchase) -> None:
    purchase.processor.says = CONFIRM
    found = operations.check_topup(purchase.buyer, purchase.mine, purchase.id)
    assert (found.status, found.client_secret) == ("processing", "hush")
    assert operations.get_topup(purchase.buyer, purchase.mine, purchase.id).client_secret == ""


def test_it_is_asked_again_by_itself_until_it_is_known(database_url: str) -> None:
    clock = Clock()
    billing = billing_on(database_url, clock=clock)
    purchase = Purchase(billing)
    operator = billing.operator()
    assert operations.reconcile_topups(operator) == 0
    for minutes in (1, 5, 15, 30, 30):
        clock.forward(minutes=minutes)
        assert operations.reconcile_topups(operator) == 1
        assert operations.reconcile_topups(operator) == 0
    purchase.processor.says = PAID
    clock.forward(minutes=30)
    assert operations.reconcile_topups(operator) == 1
    assert purchase.state[:3] == ("succeeded", None, "10.00")


def test_a_lost_message_of_a_dispute_is_made_up_for(database_url: str) -> None:
    clock = Clock()
    billing = billing_on(database_url, clock=clock)
    purchase = Purchase(billing)
    purchase.learns(PAID)
    days = 0
    for number in (1, 2, 4, 8, 16, 32, 64):
        clock.forward(days=number)
        days += number
        purchase.processor.says = disputed("open") if number == 64 else PAID
        assert operations.reconcile_topups(billing.operator()) == 1
    assert (days, purchase.state[2]) == (127, "0.00")
    clock.forward(days=1000)
    assert operations.reconcile_topups(billing.operator()) == 0


@pytest.mark.parametrize("said", [PAID, DECLINED], ids=["paid", "declined"])
def test_many_messages_use_up_none_of_its_times(database_url: str, said: Payment) -> None:
    """A payment of whom many messages came is asked about like any other."""
    clock = Clock()
    billing = billing_on(database_url, clock=clock)
    purchase = Purchase(billing)
    purchase.learns(*[said] * 20)
    for number in (1, 2, 4):
        clock.forward(days=number, seconds=-1)
        assert operations.reconcile_topups(billing.operator()) == 0
        clock.forward(seconds=1)
        purchase.processor.says = disputed("open") if number == 4 else said
        assert operations.reconcile_topups(billing.operator()) == 1
    assert (purchase.state[0], purchase.state[2]) == ("succeeded", "0.00")


def test_what_never_arrived_has_failed_after_an_hour(database_url: str) -> None:
    clock = Clock()
    billing = billing_on(database_url, clock=clock)
    purchase = Purchase(billing)
    purchase.learns(None)
    assert purchase.state[0] == "unknown"
    clock.forward(hours=1)
    assert operations.reconcile_topups(billing.operator()) == 1
    assert purchase.state == ("failed", "never_arrived", "0.00", [])
    purchase.learns(PAID)
    assert purchase.state[:3] == ("succeeded", None, "10.00")


@pytest.mark.parametrize(("said", "days"), [(DECLINED, 7), (PAID, 127)], ids=["failed", "paid"])
def test_what_nobody_knows_of_any_more_is_not_asked_about_for_ever(
    database_url: str, said: Payment, days: int
) -> None:
    """Declined before it was a payment there, or forgotten since."""
    clock = Clock()
    billing = billing_on(database_url, clock=clock)
    purchase = Purchase(billing)
    purchase.learns(said)
    before, asked = purchase.state, 0
    purchase.processor.says = None
    for _ in range(days):
        clock.forward(days=1)
        asked += operations.reconcile_topups(billing.operator())
        assert operations.reconcile_topups(billing.operator()) == 0
    assert asked == {7: 3, 127: 7}[days]
    clock.forward(days=1000)
    assert operations.reconcile_topups(billing.operator()) == 0
    assert purchase.state == before


def test_a_processor_that_does_not_answer_is_asked_again(database_url: str) -> None:
    clock = Clock()
    billing = billing_on(database_url, clock=clock)
    purchase = Purchase(billing)
    purchase.processor.says = errors.ProviderUnavailable("no answer")
    for minutes in (1, 5, 15):
        clock.forward(minutes=minutes)
        assert operations.reconcile_topups(billing.operator()) == 0
    assert purchase.state[0] == "processing"
    purchase.learns(PAID)
    clock.forward(days=1)
    purchase.processor.says = errors.ProviderUnavailable("no answer")
    assert operations.reconcile_topups(billing.operator()) == 0
    clock.forward(minutes=30)
    purchase.processor.says = disputed("lost")
    assert operations.reconcile_topups(billing.operator()) == 1
    assert purchase.state[2] == "0.00"


def test_nobody_but_an_operator_reconciles(actor: Actor) -> None:
    with pytest.raises(errors.Forbidden):
        operations.reconcile_topups(actor)
