"""Messages of processors: stored once where they are signed, acted on once, tried again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.context import utc_now
from billing_plugin.models import messages
from billing_plugin.processors import fake, signatures
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Charge, Payment
from tests.books import complaints, everything
from tests.deeds import balance
from tests.factories import Clock, account_with, billing_on

TEN = Money.parse("10")


class Silent(FakeProcessor):
    """A processor that may not answer."""

    breaks = False

    def find(self, charge: Charge) -> Payment | None:
        if self.breaks:
            raise errors.ProviderUnavailable("no answer")
        return super().find(charge)


class Post:
    """A billing system that takes messages, and hands them to nobody."""

    def __init__(self, database_url: str) -> None:
        self.clock, self.handed = Clock(), list[str]()
        self.billing = billing_on(
            database_url, clock=self.clock, processor_webhook_secrets="new, old"
        )
        self.processor = self.billing.instance.processor = Silent()
        self.billing.instance.enqueue = lambda _, message_id: self.handed.append(message_id)
        self.buyer = account_with(self.billing)

    def buys(self, method: str = "fake_slow") -> str:
        mine = str(self.buyer.account_id)
        return operations.top_up(self.buyer, mine, TEN, payment_method=method).id

    def takes(self, message_id: Any = "m1", *, secret: str = "new", **said: Any) -> str | None:
        body = json.dumps({"id": message_id, "type": "payment", **said}).encode()
        headers = {"Fake-Signature": signatures.sign(body, secret, utc_now())}
        return operations.receive_message(self.billing.operator(), "fake", body, headers=headers)

    def settles(self, message_id: str = "fake m1") -> bool:
        return operations.settle_message(self.billing.operator(), message_id)

    def stored(self, message_id: str = "fake m1") -> messages.StoredMessage:
        with self.billing.instance.active():
            return messages.get(message_id)


@pytest.fixture
def post(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    monkeypatch.setattr(fake, "WAITS_S", 10_000)
    found = Post(database_url)
    yield found
    assert complaints(found.billing) == []
    found.billing.close()


def test_a_message_is_stored_handed_on_and_settles(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    topup_id = post.buys()
    assert post.takes(reference=topup_id) == "fake m1"
    assert (post.handed, balance(post.buyer)[0]) == (["fake m1"], "0.00")
    monkeypatch.setattr(fake, "WAITS_S", 0)
    assert post.settles()
    assert (post.stored().status, balance(post.buyer)[0]) == ("done", "10.00")
    assert not post.settles()


def test_a_payment_is_known_by_its_own_id(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = str(post.buyer.account_id)
    payment_id = operations.get_topup(post.buyer, mine, post.buys()).payment_id
    post.takes(payment_id=payment_id)
    monkeypatch.setattr(fake, "WAITS_S", 0)
    assert post.settles()


def test_the_same_message_is_taken_once_for_ever(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    topup_id = post.buys()
    monkeypatch.setattr(fake, "WAITS_S", 0)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: post.takes(reference=topup_id), range(50)))
    assert sorted(filter(None, taken)) == post.handed == ["fake m1"]
    post.settles()
    before = everything(post.billing)
    post.clock.forward(days=3650)
    assert post.takes(reference=topup_id, secret="old") is None
    assert everything(post.billing) == before


def test_many_messages_at_once_credit_once(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    topup_id = post.buys()
    monkeypatch.setattr(fake, "WAITS_S", 0)
    ids = [post.takes(f"m{number}", reference=topup_id) for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(post.settles, map(str, ids)))
    assert balance(post.buyer)[0] == "10.00"


@pytest.mark.parametrize("said", [{}, {"reference": "top_x"}, {"payment_id": "pi_of_another"}])
def test_what_is_about_nothing_of_ours_is_ignored(post: Post, said: dict[str, str]) -> None:
    post.takes(**said)
    assert not post.settles()
    assert post.stored().status == "ignored"


def test_a_message_of_another_processor_is_about_nothing_of_ours(post: Post) -> None:
    topup_id = post.buys()
    post.processor.name = "other"
    body = json.dumps({"id": "m1", "reference": topup_id}).encode()
    headers = {"Fake-Signature": signatures.sign(body, "new", utc_now())}
    operations.receive_message(post.billing.operator(), "other", body, headers=headers)
    assert not post.settles("other m1")
    assert post.stored("other m1").status == "ignored"


def test_without_an_answer_it_is_tried_again_and_then_left(post: Post) -> None:
    post.takes(reference=post.buys())
    post.processor.breaks = True
    operator, tried = post.billing.operator(), 0
    while post.stored().status == "received":
        post.clock.forward(days=1)
        assert operations.retry_messages(operator) == ["fake m1"]
        assert not post.settles()
        tried += 1
    assert (tried, post.stored().status, post.stored().error) == (8, "failed", "no_answer")
    assert operations.retry_messages(operator) == []


def test_what_a_worker_left_behind_is_handed_on_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.takes(reference=post.buys())
    assert operations.retry_messages(post.billing.operator()) == []
    post.clock.forward(minutes=1)
    assert operations.retry_messages(post.billing.operator()) == ["fake m1"]
    monkeypatch.setattr(fake, "WAITS_S", 0)
    post.settles()
    post.clock.forward(days=9)
    assert operations.retry_messages(post.billing.operator()) == []


def test_a_processor_that_is_gone_leaves_the_message(post: Post) -> None:
    post.takes(reference=post.buys())
    post.billing.instance.processor = None
    with pytest.raises(errors.NotSupported):
        post.settles()
    assert (post.stored().status, post.stored().error) == ("received", "not_supported")


BAD: list[dict[str, Any]] = [
    {"secret": "other"}, {"message_id": ""}, {"message_id": "x" * 201},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_what_is_wrong_is_refused_and_not_stored(post: Post, bad: dict[str, Any]) -> None:
    before = everything(post.billing)
    with pytest.raises(errors.InvalidRequest):
        post.takes(**bad)
    assert everything(post.billing) == before
    assert post.handed == []


def test_nobody_sends_for_a_processor_that_is_not_set_up(post: Post, billing: Billing) -> None:
    for system, name in ((post.billing, "stripe"), (billing, "fake")):
        with pytest.raises(errors.NotFound):
            operations.receive_message(system.operator(), name, b"{}", headers={})


def test_an_old_message_is_refused(post: Post) -> None:
    body = b'{"id": "m1"}'
    for seconds in (-301, 301):
        signature = signatures.sign(body, "new", utc_now() + timedelta(seconds=seconds))
        with pytest.raises(errors.InvalidRequest):
            operations.receive_message(
                post.billing.operator(), "fake", body, headers={"Fake-Signature": signature}
            )


def test_only_operators_do_this(actor: Actor) -> None:
    with pytest.raises(errors.Forbidden):
        operations.settle_message(actor, "fake m1")
    with pytest.raises(errors.Forbidden):
        operations.retry_messages(actor)
