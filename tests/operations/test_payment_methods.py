"""Payment methods: begun, stated, listed, charged and removed, by their account alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations.payment_methods import PaymentMethod, RemovedMethod
from billing_plugin.processors import fake_customers
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Charge, Payment
from tests.books import complaints, everything
from tests.factories import account_with

TEN = Money.parse("10")


class Watched(FakeProcessor):
    """A processor that keeps what it was asked to charge, and may not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.charged: list[Charge] = []
        self.breaks: set[str] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in super().__getattribute__("__dict__").get("breaks", ()):
            raise errors.ProviderUnavailable("no answer")
        return super().__getattribute__(name)

    def charge(self, charge: Charge) -> Payment:
        """As the fake one, kept."""
        self.charged.append(charge)
        return super().charge(charge)


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No payer states anything by itself."""
    monkeypatch.setattr(fake_customers, "CONFIRMS_AFTER_S", 10_000)


@pytest.fixture
def processor(billing: Billing) -> Watched:
    found = billing.instance.processor = Watched()
    return found


@pytest.fixture
def mine(actor: Actor) -> str:
    return str(actor.account_id)


def add(actor: Actor, token: str = "fake_visa") -> str:
    """A payment method, begun and stated."""
    begun = operations.begin_payment_method(actor, str(actor.account_id))
    return str(actor.instance.processor.confirm(begun.client_secret, token))


def listed(actor: Actor) -> dict[str, bool]:
    """The account's methods, and which is the default."""
    found = operations.list_payment_methods(actor, str(actor.account_id))
    return {one.method.id: one.is_default for one in found}


def prefer(actor: Actor, method_id: str) -> PaymentMethod:
    return operations.set_default_payment_method(actor, str(actor.account_id), method_id)


def remove(actor: Actor, method_id: str) -> RemovedMethod:
    return operations.remove_payment_method(actor, str(actor.account_id), method_id)


def buy(actor: Actor, method: str = "default", **said: Any) -> Any:
    return operations.top_up(actor, str(actor.account_id), TEN, payment_method=method, **said)


def test_a_method_is_listed_when_it_is_stated(actor: Actor, mine: str) -> None:
    assert listed(actor) == {}
    begun = operations.begin_payment_method(actor, mine)
    assert listed(actor) == {}
    method_id = actor.instance.processor.confirm(begun.client_secret)
    assert listed(actor) == {method_id: False}
    [found] = operations.list_payment_methods(actor, mine)
    assert (found.method.form, found.method.brand, found.method.last4) == ("card", "visa", "4242")


@pytest.mark.parametrize(
    ("token", "form"), [("fake_bank", "bank"), ("fake_link", "link"), ("fake_3ds", "card")]
)
def test_each_form_is_told(actor: Actor, mine: str, token: str, form: str) -> None:
    add(actor, token)
    [found] = operations.list_payment_methods(actor, mine)
    assert found.method.form == form


def test_a_secret_is_told_and_never_stored(
    billing: Billing, actor: Actor, mine: str, caplog: pytest.LogCaptureFixture
) -> None:
    begun = operations.begin_payment_method(actor, mine, idempotency_key="once")
    assert begun.client_secret.startswith(f"{begun.setup_id}_secret_")
    assert begun.client_secret not in f"{everything(billing)} {begun!r} {caplog.text}"
    again = operations.begin_payment_method(actor, mine, idempotency_key="once")
    assert (again.id, again.client_secret, again.replayed) == (begun.id, begun.client_secret, True)
    assert operations.begin_payment_method(actor, mine).client_secret != begun.client_secret


def test_the_newest_method_comes_first(actor: Actor) -> None:
    made = [add(actor) for _ in range(3)]
    assert list(listed(actor)) == made[::-1]


def test_the_default_is_charged_where_none_is_named(actor: Actor, processor: Watched) -> None:
    first, second = add(actor), add(actor, "fake_mastercard")
    assert buy(actor).payment_method == "default"
    assert prefer(actor, second).is_default
    bought = buy(actor)
    assert (bought.payment_method, bought.status) == (second, "succeeded")
    assert listed(actor) == {first: False, second: True}
    prefer(actor, first)
    assert buy(actor).payment_method == first
    customer = processor.open_customer(str(actor.account_id))
    assert processor.preferred == {customer: first}
    charged = [(charge.payment_method, charge.customer_id) for charge in processor.charged]
    assert charged == [("default", customer), (second, customer), (first, customer)]


def test_without_a_customer_none_is_charged(actor: Actor, processor: Watched) -> None:
    buy(actor)
    assert processor.charged[0].customer_id is None


def test_a_default_that_is_declined_is_declined(actor: Actor) -> None:
    prefer(actor, add(actor, "fake_insufficient_funds"))
    for attended in (True, False):
        with pytest.raises(errors.PaymentDeclined):
            buy(actor, attended=attended)


def test_a_replay_charges_what_it_charged(actor: Actor, processor: Watched) -> None:
    """The same key tells of the same top-up, whatever has become of the default since."""
    prefer(actor, first := add(actor))
    bought = buy(actor, idempotency_key="once")
    remove(actor, first)
    prefer(actor, add(actor))
    assert (buy(actor, idempotency_key="once").id, len(processor.charged)) == (bought.id, 1)


def test_an_intent_is_charged_again_as_it_was_stored(actor: Actor, processor: Watched) -> None:
    """It began before there was a customer: asked again, it says the same, as keys demand."""
    processor.breaks = {"find"}
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(processor, "charge", _lost)
        assert buy(actor, idempotency_key="once").status == "unknown"
    prefer(actor, add(actor))
    with pytest.MonkeyPatch.context() as forgetful:
        processor.breaks = set()
        forgetful.setattr(processor, "find", lambda _: None)
        assert buy(actor, idempotency_key="once").status == "succeeded"
    [charge] = processor.charged
    assert (charge.payment_method, charge.customer_id) == ("default", None)


def test_a_stored_method_may_be_named(actor: Actor, processor: Watched) -> None:
    method_id = add(actor)
    assert buy(actor, method_id).status == "succeeded"
    assert buy(actor, "given_by_hand").status == "succeeded"
    assert len(processor.charged) == 2


def of_another(billing: Billing, actor: Actor) -> str:
    return add(account_with(billing))


def of_another_who_knows_me(billing: Billing, actor: Actor) -> str:
    add(actor)
    return of_another(billing, actor)


def removed(billing: Billing, actor: Actor) -> str:
    remove(actor, method_id := add(actor))
    return method_id


def demand(actor: Actor, method_id: str) -> Any:
    """By a rule that buys at once."""
    five = Money.parse("5")
    return operations.set_auto_topup(
        actor, str(actor.account_id), five, threshold=five, payment_method=method_id
    )


ACTS: dict[str, Callable[[Actor, str], Any]] = {
    "prefer": prefer, "remove": remove, "buy": buy, "demand": demand,
}  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("whose", [of_another, of_another_who_knows_me])
def test_a_method_of_others_is_unknown(
    billing: Billing, actor: Actor, processor: Watched, act: str, whose: Any
) -> None:
    """E-14: it is not found, nothing is written, and nobody is asked to charge it."""
    method_id = whose(billing, actor)
    before = everything(billing)
    with pytest.raises(errors.NotFound) as refused:
        ACTS[act](actor, method_id)
    assert refused.value.message == "There is no such payment method."
    assert (everything(billing), processor.charged) == (before, [])


@pytest.mark.parametrize("act", ["prefer", "remove"])
@pytest.mark.parametrize("name", ["nobody", "default", "fake_visa", "", "x" * 201])
def test_what_is_none_is_unknown(
    billing: Billing, actor: Actor, processor: Watched, act: str, name: str
) -> None:
    for _ in "12":  # without a customer, and with one
        with pytest.raises(errors.NotFound):
            ACTS[act](actor, name)
        add(actor)


def test_what_the_processor_does_not_know_is_not_charged(
    actor: Actor, processor: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "find_method", lambda _: None)
    with pytest.raises(errors.NotFound):
        buy(actor, "pm_of_nobody")
    assert processor.charged == []


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", ["", "x" * 201], ids=["nothing", "too long"])
def test_what_can_be_no_id_is_not_asked_about(
    actor: Actor, processor: Watched, act: str, name: str
) -> None:
    add(actor)
    processor.breaks = {"find_method"}
    with pytest.raises(errors.NotFound):
        ACTS[act](actor, name)
    assert processor.charged == []


def test_a_removed_method_is_gone(billing: Billing, actor: Actor) -> None:
    gone, kept = add(actor), add(actor)
    assert remove(actor, gone) == RemovedMethod(gone, was_default=False)
    assert listed(actor) == {kept: False}
    with pytest.raises(errors.NotFound):
        remove(actor, gone)
    with pytest.raises(errors.NotFound):
        prefer(actor, gone)


def test_the_default_removed_leaves_none(actor: Actor, processor: Watched) -> None:
    """No other takes its place: what names none asks the payer, as before there was one."""
    gone, kept = add(actor), add(actor)
    prefer(actor, gone)
    assert remove(actor, gone) == RemovedMethod(gone, was_default=True)
    assert listed(actor) == {kept: False}
    assert buy(actor).payment_method == "default"


def test_a_default_that_was_removed_elsewhere_is_taken_away(
    billing: Billing, actor: Actor, processor: Watched
) -> None:
    prefer(actor, gone := add(actor))
    processor.remove_method(gone)
    assert listed(actor) == {}
    assert remove(actor, gone) == RemovedMethod(gone, was_default=True)
    with pytest.raises(errors.NotFound):
        remove(actor, gone)


def test_who_chose_another_default_is_kept(billing: Billing, actor: Actor, mine: str) -> None:
    first, second = add(actor), add(actor)
    for method_id in (first, first, second):
        prefer(actor, method_id)
    remove(actor, second)
    changes = operations.list_changes(actor, mine)
    told = [
        (one.before["method"], one.after["method"])
        for one in changes
        if one.action == "payment_method.default" and one.before and one.after
    ]
    assert told == [(second, None), (first, second), (None, first)]
    assert complaints(billing) == []


@pytest.mark.parametrize(
    ("asked", "act"),
    [
        ("open_customer", add),
        ("begin_method", add),
        ("list_methods", listed),
        ("find_method", lambda actor: buy(actor, "by_hand")),
    ],
    ids=["open_customer", "begin_method", "list_methods", "find_method"],
)
def test_a_processor_that_does_not_answer_changes_nothing(
    billing: Billing, processor: Watched, actor: Actor, asked: str, act: Any
) -> None:
    if asked != "open_customer":
        prefer(actor, add(actor))
    before = everything(billing)
    processor.breaks = {asked}
    with pytest.raises(errors.ProviderUnavailable):
        act(actor)
    if asked == "begin_method":
        before |= {"method_setup": everything(billing)["method_setup"]}  # that it was begun
    assert everything(billing) == before


@pytest.mark.parametrize("asked", ["prefer_method", "remove_method"])
def test_a_default_is_changed_where_the_processor_has_done_it(
    billing: Billing, processor: Watched, actor: Actor, asked: str
) -> None:
    first, second = add(actor), add(actor)
    prefer(actor, first)
    before = everything(billing)
    processor.breaks = {asked}
    with pytest.raises(errors.ProviderUnavailable):
        ACTS[asked.partition("_")[0]](actor, {"prefer_method": second}.get(asked, first))
    assert everything(billing) == before


def test_a_replay_needs_no_processor(actor: Actor, processor: Watched) -> None:
    bought = buy(actor, "by_hand", idempotency_key="once")
    processor.breaks = {"find_method", "charge", "find"}
    assert buy(actor, "by_hand", idempotency_key="once").id == bought.id


def test_without_a_processor_there_are_no_methods(
    billing: Billing, actor: Actor, mine: str
) -> None:
    billing.instance.processor = None
    for act in (
        lambda: operations.list_payment_methods(actor, mine),
        lambda: operations.begin_payment_method(actor, mine),
        lambda: prefer(actor, "x"),
        lambda: remove(actor, "x"),
        lambda: buy(actor, "x"),
    ):
        with pytest.raises(errors.NotSupported):
            act()


def test_others_accounts_are_unknown(billing: Billing, actor: Actor) -> None:
    theirs = str(account_with(billing).account_id)
    for act in (
        lambda by: operations.list_payment_methods(by, theirs),
        lambda by: operations.begin_payment_method(by, theirs),
        lambda by: operations.set_default_payment_method(by, theirs, "x"),
        lambda by: operations.remove_payment_method(by, theirs, "x"),
    ):
        with pytest.raises(errors.NotFound):
            act(actor)
    with pytest.raises(errors.NotFound):
        operations.list_payment_methods(billing.operator(), "acct_of_nobody")


def _lost(_: Charge) -> Payment:
    raise errors.ProviderUnavailable("no answer")
