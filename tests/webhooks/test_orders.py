"""H6: whatever happens to a payment, in whatever order its messages come through the real face, and
whichever of them are lost: in the end the books say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.context import utc_now
from billing_plugin.processors import signatures
from billing_plugin.processors.processor import Dispute, Payment, Refund
from tests.books import complaints
from tests.deeds import balance, entries
from tests.factories import START, Clock, account_with, billing_on
from tests.operations.test_settling import Scripted
from worker.schedule import tick

TEN, PATH = Money.parse("10"), "/billing/webhooks/fake"
CREATED, SLOW = Payment("confirm", "pi_1", client_secret="s"), Payment("processing", "pi_1")
DECLINED = Payment("failed", "pi_1", failure="card_declined")


def paid(*refunds: tuple[str, bool], dispute: str = "") -> Payment:
    """Ten units were paid; each refund has an amount and whether it failed."""
    back = tuple(Refund(f"re_{n}", Money.parse(one), bad) for n, (one, bad) in enumerate(refunds))
    taken = (Dispute("dp_1", Money.parse("5"), dispute),) if dispute else ()
    return Payment("succeeded", "pi_1", TEN, refunds=back, disputes=taken)


PART = ("3", False)
# What happens, and what the processor says of the payment from then on.
STORIES: dict[str, list[tuple[str, Payment]]] = {
    "refunded and disputed": [
        ("payment_intent.created", CREATED), ("payment_intent.processing", SLOW),
        ("payment_intent.succeeded", paid()), ("charge.refunded", paid(PART)),
        ("charge.dispute.created", paid(PART, dispute="open")),
    ],
    "dispute won": [
        ("payment_intent.created", CREATED), ("payment_intent.succeeded", paid()),
        ("charge.dispute.created", paid(dispute="open")),
        ("charge.dispute.closed", paid(dispute="won")),
        ("charge.refunded", paid(PART, dispute="won")),
    ],
    "dispute lost": [
        ("payment_intent.processing", SLOW), ("payment_intent.succeeded", paid()),
        ("charge.dispute.created", paid(dispute="open")),
        ("charge.dispute.updated", paid(dispute="open")),
        ("charge.dispute.closed", paid(dispute="lost")),
    ],
    "another card, refund failed": [
        ("payment_intent.created", CREATED), ("payment_intent.payment_failed", DECLINED),
        ("payment_intent.succeeded", paid()), ("charge.refunded", paid(PART)),
        ("refund.failed", paid(("3", True))),
    ],
}  # fmt: skip
LEFT = {
    "refunded and disputed": "2.00", "dispute won": "7.00", "dispute lost": "5.00",
    "another card, refund failed": "10.00",
}  # fmt: skip


@dataclass
class Post:
    """A mounted system whose processor's messages are carried by hand."""

    billing: Billing
    client: FlaskClient
    clock: Clock
    processor: Scripted
    number: int = 0

    def plays(self, story: str, order: Sequence[int], *, live: bool) -> tuple[Any, ...]:
        """What an account and its top-up have come to after those messages, in that order.

        `live`: each comes as soon as it can, so that no more has happened than it says or an
        earlier one did; else all had happened when the first one came, and each comes twice.
        """
        events = STORIES[story]
        self.clock.at = START
        self.processor.says = SLOW
        buyer = account_with(self.billing)
        mine = str(buyer.account_id)
        topup_id = operations.top_up(buyer, mine, TEN).id
        for place, event in enumerate(order):
            happened = max(order[: place + 1]) if live else len(events) - 1
            self._happens(events[happened][1], topup_id)
            self._sends(events[event][0], topup_id, times=1 if live else 2)
        if len(order) < len(events):  # the rest is found out without a message
            self._happens(events[-1][1], topup_id)
            for days in (1, 126):
                self.clock.forward(days=days)
                tick(self.billing)
        return self._state(buyer, topup_id)

    def _happens(self, said: Payment, topup_id: str) -> None:
        refunds = tuple(one._replace(id=f"{one.id} {topup_id}") for one in said.refunds)
        disputes = tuple(one._replace(id=f"{one.id} {topup_id}") for one in said.disputes)
        self.processor.says = Payment(
            said.status, f"pi {topup_id}", said.amount, topup_id, said.failure, said.client_secret,
            refunds, disputes,
        )  # fmt: skip

    def _sends(self, kind: str, topup_id: str, *, times: int) -> None:
        self.number += 1
        said = {"id": f"evt_{self.number}", "type": kind, "payment_id": f"pi {topup_id}"}
        body = json.dumps({**said, "reference": topup_id}).encode()
        header = {"Fake-Signature": signatures.sign(body, "hush", utc_now())}
        for known in (False, True)[:times]:
            answer = self.client.post(PATH, data=body, headers=header)
            assert (answer.status_code, answer.json["known"]) == (200, known)  # type: ignore[index]  # it is JSON

    def _state(self, buyer: Actor, topup_id: str) -> tuple[Any, ...]:
        topup = operations.get_topup(buyer, str(buyer.account_id), topup_id)
        return topup.status, topup.failure, balance(buyer), sorted(entries(buyer))


@pytest.fixture
def post(database_url: str) -> Iterator[Post]:
    clock, app, processor = Clock(), Flask("host"), Scripted()
    billing = billing_on(database_url, clock=clock, processor_webhook_secrets="hush")
    billing.init_app(app)
    billing.instance.processor = processor
    yield Post(billing, app.test_client(), clock, processor)
    assert complaints(billing) == []


ALL = [*((story, True) for story in STORIES), ("refunded and disputed", False)]


@pytest.mark.parametrize(("story", "live"), ALL, ids=[*STORIES, "all of them late and twice"])
def test_all_orders_of_five_messages_end_alike(post: Post, story: str, live: bool) -> None:
    want = post.plays(story, range(5), live=True)
    assert (want[0], want[2][0]) == ("succeeded", LEFT[story])
    ends = [post.plays(story, order, live=live) for order in permutations(range(5))]
    assert len(ends) == 120
    assert all(end == want for end in ends)


def test_whichever_messages_are_lost_it_ends_alike(post: Post) -> None:
    story = "another card, refund failed"
    want = post.plays(story, range(5), live=True)
    orders = [order for size in range(5) for order in permutations(range(5), size)]
    assert len(orders) == 1 + 5 + 20 + 60 + 120
    assert all(post.plays(story, order, live=True) == want for order in orders)
