"""Faults between us and a processor that no other test is about; docs/payments-faults.md has all
of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.context import utc_now
from billing_plugin.processors import signatures
from tests.books import complaints, everything
from tests.deeds import balance
from tests.factories import Clock, account_with, billing_on
from tests.operations.test_settling import PAID, Scripted
from tests.operations.test_topups import Recording
from tests.processors.test_stripe import intent, processor
from worker.schedule import tick

TEN, PATH, SECRET = Money.parse("10"), "/billing/webhooks/fake", "hush"


class Desk:
    """A mounted system with a buyer, and a processor that sends messages."""

    def __init__(self, database_url: str) -> None:
        self.clock, app = Clock(), Flask("host")
        self.billing: Billing = billing_on(
            database_url, clock=self.clock, processor_webhook_secrets=SECRET
        )
        self.billing.init_app(app)
        self.client: FlaskClient = app.test_client()
        self.buyer: Actor = account_with(self.billing)
        self.mine = str(self.buyer.account_id)

    def buys(self, **said: Any) -> Any:
        return operations.top_up(self.buyer, self.mine, TEN, **said)

    def sends(self, body: bytes, **said: Any) -> Any:
        headers = {"Fake-Signature": signatures.sign(body, SECRET, utc_now())}
        return self.client.post(PATH, data=body, headers=headers, **said)

    @property
    def statuses(self) -> list[str]:
        return [one.status for one in operations.list_topups(self.buyer, self.mine)]


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    found = Desk(database_url)
    yield found
    assert complaints(found.billing) == []


@pytest.mark.parametrize("arrived", [True, False])
def test_the_same_key_long_after_the_processor_forgot_it_charges_nothing_blindly(
    desk: Desk, arrived: bool
) -> None:
    """E-3: keys live a day at processors. It is asked by our id first; what never came is given up,
    never charged later."""
    there = desk.billing.instance.processor = Recording()
    there.breaks, there.forgets = errors.ProviderUnavailable("no answer"), not arrived
    assert desk.buys(idempotency_key="k").status == "unknown"
    there.breaks = None
    desk.clock.forward(days=2)
    if arrived:
        assert desk.buys(idempotency_key="k").status == "succeeded"
    else:
        with pytest.raises(errors.PaymentDeclined):
            desk.buys(idempotency_key="k")
    assert len(there.charged) == 1
    assert balance(desk.buyer)[0] == ("10.00" if arrived else "0.00")


def test_messages_that_are_lost_for_days_are_made_up_for_at_once(desk: Desk) -> None:
    """E-6: nobody took messages and no worker ran for four days; the first tick credits."""
    there = desk.billing.instance.processor = Scripted()
    desk.buys()
    there.says = PAID
    desk.clock.forward(days=4)
    assert balance(desk.buyer)[0] == "0.00"
    tick(desk.billing)
    assert (desk.statuses, balance(desk.buyer)[0]) == (["succeeded"], "10.00")


def test_while_a_worker_runs_a_lost_message_costs_half_an_hour_at_most(desk: Desk) -> None:
    """E-6: however long a payment has been open."""
    there = desk.billing.instance.processor = Scripted()
    desk.buys()
    for _ in range(3 * 24 * 60 // 10):
        desk.clock.forward(minutes=10)
        tick(desk.billing)
    there.says = PAID
    for _ in range(3):
        desk.clock.forward(minutes=10)
        tick(desk.billing)
    assert balance(desk.buyer)[0] == "10.00"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300) | st.dictionaries(st.text(), st.text()).map(json.dumps))
def test_whatever_is_signed_is_answered_and_stored_only_where_it_is_a_message(
    desk: Desk, body: bytes | str
) -> None:
    """E-8: a body of anything, signed as it should be."""
    said = body.encode() if isinstance(body, str) else body
    before = everything(desk.billing)
    answer = desk.sends(said, content_type="application/json")
    if answer.status_code == 200:
        assert json.loads(said)["id"]
    else:
        assert answer.status_code == 400
        assert everything(desk.billing) == before


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_a_body_in_chunks_is_read_to_its_limit(desk: Desk, size: int) -> None:
    """E-8: without a length, it is no longer than others may be."""
    body = json.dumps({"id": "m1", "more": "x" * size}).encode()
    stream = BytesIO(body)
    headers = {"Fake-Signature": signatures.sign(body, SECRET, utc_now())}
    answer = desk.client.post(
        PATH, input_stream=stream, headers={**headers, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )  # fmt: skip
    assert answer.status_code == (200 if size == 100 else 400)  # what is cut off is not signed
    most = desk.billing.instance.settings.max_body_bytes
    assert stream.tell() <= most + 2**17


STATES: dict[str, tuple[Any, str]] = {
    "held for review": (intent("requires_capture"), "processing"),
    "takes days": (intent("processing"), "processing"),
    "to be confirmed": (intent("requires_action"), "processing"),
    "canceled": (intent("canceled"), "failed"),
    "captured in part": (intent("succeeded", amount_received=1000), "review"),
    "captured": (intent("succeeded"), "succeeded"),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_payment_is_one_of_a_top_up(
    desk: Desk, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    """E-9, E-10: as Stripe's client tells it, to what stands in the books."""
    there = desk.billing.instance.processor = Scripted()
    said: Any = STATES[state][0]
    topup = operations.top_up(desk.buyer, desk.mine, Money.parse("12.34"))
    said.metadata.reference = topup.id
    there.says = processor()._payment(said)
    found = operations.check_topup(desk.buyer, desk.mine, topup.id)
    assert found.status == STATES[state][1]
    assert balance(desk.buyer)[0] == ("12.34" if state == "captured" else "0.00")
    assert ("is not what was asked for" in caplog.text) is (state == "captured in part")


def test_a_message_is_answered_before_anybody_is_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E-15: with a queue, taking a message is one row; the processor is asked in the job."""
    there = desk.billing.instance.processor = Recording()
    topup = desk.buys()
    handed = list[str]()
    monkeypatch.setattr(desk.billing.instance, "enqueue", lambda _, found: handed.append(found))
    said = {"id": "m1", "type": "payment", "reference": topup.id}
    assert desk.sends(json.dumps(said).encode()).json == {"received": True, "known": False}
    assert (there.found, handed) == ([], ["fake m1"])
    assert operations.settle_message(desk.billing.operator(), handed[0])
    assert there.found == [topup.id]
