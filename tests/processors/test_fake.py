"""The fake processor keeps the contract of every processor."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from billing_plugin import Money
from billing_plugin.config import Settings
from billing_plugin.errors import ConfigurationError, InvalidRequest, ProviderUnavailable
from billing_plugin.ids import new_id
from billing_plugin.processors import fake, load, signatures
from billing_plugin.processors.fake import DECLINES, LOST_ANSWER, NEVER_ARRIVED, FakeProcessor
from billing_plugin.processors.processor import Charge, Message

MONEY, HALF = Money.parse("25"), Money.parse("12.50")
NOW = datetime(2026, 3, 9, tzinfo=UTC)


def charge(method: str = "default", reference: str = "top_1", *, attended: bool = True) -> Charge:
    return Charge(reference, MONEY, method, attended=attended)


def test_the_same_reference_is_the_same_payment() -> None:
    first, again = FakeProcessor().charge(charge()), FakeProcessor().charge(charge())
    assert (first.status, first.amount, first.reference) == ("succeeded", MONEY, "top_1")
    assert (first, first.payment_id[:8]) == (again, "pi_fake_")


def test_another_reference_is_another_payment() -> None:
    first = FakeProcessor().charge(charge())
    assert first.payment_id != FakeProcessor().charge(charge(reference="top_2")).payment_id


@pytest.mark.parametrize(("method", "failure"), DECLINES.items())
def test_declines_say_why_and_have_no_payment(method: str, failure: str) -> None:
    payment = FakeProcessor().charge(charge(method))
    assert (payment.status, payment.failure, payment.payment_id) == ("failed", failure, "")
    assert FakeProcessor().find(charge(method)) == payment


def test_a_lost_answer_is_found_by_its_reference() -> None:
    with pytest.raises(ProviderUnavailable):
        FakeProcessor().charge(charge(LOST_ANSWER))
    found = FakeProcessor().find(charge(LOST_ANSWER))
    assert found is not None
    assert found.status == "succeeded"


def test_what_never_arrived_is_not_found() -> None:
    with pytest.raises(ProviderUnavailable):
        FakeProcessor().charge(charge(NEVER_ARRIVED))
    assert FakeProcessor().find(charge(NEVER_ARRIVED)) is None


def test_what_find_says_is_what_charge_did() -> None:
    assert FakeProcessor().find(charge()) == FakeProcessor().charge(charge())


BECOMES = {
    "fake_slow": ("processing", "succeeded"),
    "fake_slow_declined": ("processing", "failed"),
    "fake_3ds": ("confirm", "succeeded"),
    "fake_3ds_abandoned": ("confirm", "confirm"),
    "fake_refunded": ("succeeded", "succeeded"),
}


@pytest.mark.parametrize("method", BECOMES)
def test_some_become_something_else(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    asked, found = charge(method, new_id("top")), []
    for waits_s in (10_000, 0):
        monkeypatch.setattr(fake, "WAITS_S", waits_s)
        found.append(FakeProcessor().charge(asked))
    assert tuple(one.status for one in found) == BECOMES[method]
    assert [bool(one.client_secret) for one in found] == [one.status == "confirm" for one in found]


def test_money_goes_back_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    made = new_id("top")
    monkeypatch.setattr(fake, "WAITS_S", 10_000)
    assert FakeProcessor().charge(charge("fake_refunded", made)).refunds == ()
    assert FakeProcessor().charge(charge("fake_disputed", made)).disputes == ()
    monkeypatch.setattr(fake, "WAITS_S", 0)
    for method, failed in fake.REFUNDS.items():
        [refund] = FakeProcessor().charge(charge(method, made)).refunds
        assert (refund.amount, refund.failed) == (HALF, failed)
    for method, status in fake.DISPUTES.items():
        [dispute] = FakeProcessor().charge(charge(method, made)).disputes
        assert (dispute.amount, dispute.status) == (MONEY, status)


def test_nobody_confirms_what_nobody_attends() -> None:
    payment = FakeProcessor().charge(charge("fake_3ds", attended=False))
    assert (payment.status, payment.failure) == ("failed", "authentication_required")


def test_a_wrong_amount_is_one_too_much() -> None:
    assert FakeProcessor().charge(charge("fake_wrong_amount")).amount == Money.parse("25.01")


def test_its_messages_are_signed() -> None:
    body = json.dumps({"id": "m1", "type": "payment", "payment_id": "pi_1"}).encode()
    headers = {"Fake-Signature": signatures.sign(body, "s", NOW)}
    read = FakeProcessor().read_message(body, headers, secrets=["s"], at=NOW)
    assert read == Message("m1", "payment", "pi_1", "")
    with pytest.raises(InvalidRequest):
        FakeProcessor().read_message(body, {}, secrets=["s"], at=NOW)


def test_a_processor_is_loaded_by_name() -> None:
    own, settings = FakeProcessor(), Settings()
    assert [load(one, settings) for one in (own, None, "")] == [own, None, None]
    assert isinstance(load("fake", settings), FakeProcessor)
    with pytest.raises(ConfigurationError, match="BILLING_PROCESSOR"):
        load("strype", settings)
