"""Once for each key: the first answer comes back, other content is a conflict."""

from __future__ import annotations

from itertools import count

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.context import write_transaction
from billing_plugin.errors import IdempotencyConflict
from billing_plugin.operations.once import Once, once
from tests.books import counts
from tests.factories import START


def test_without_a_key_it_is_done_each_time(billing: Billing, actor: Actor) -> None:
    numbers = count()
    with billing.instance.active(), write_transaction():
        found = [
            once("a", Once("op", None, "x"), lambda: f"id_{next(numbers)}", at=START)
            for _ in range(2)
        ]
    assert found == [("id_0", False), ("id_1", False)]
    assert "idempotency_key" not in counts(billing)


def test_with_a_key_it_is_done_once(billing: Billing, actor: Actor) -> None:
    numbers = count()
    with billing.instance.active(), write_transaction():
        for said, answer in (
            (("a", Once("op", "k", ["x", 1])), ("id_0", False)),
            (("a", Once("op", "k", ["x", 1])), ("id_0", True)),
            (("b", Once("op", "k", ["x", 1])), ("id_1", False)),
            (("a", Once("po", "k", ["x", 1])), ("id_2", False)),
        ):
            assert once(*said, lambda: f"id_{next(numbers)}", at=START) == answer
        with pytest.raises(IdempotencyConflict):
            once("a", Once("op", "k", ["x", 2]), lambda: "never", at=START)


def test_what_failed_is_not_remembered(billing: Billing, actor: Actor) -> None:
    said = Once("op", "k", "x")
    with billing.instance.active():
        with pytest.raises(ZeroDivisionError), write_transaction():
            once("a", said, lambda: str(1 / 0), at=START)
        with write_transaction():
            assert once("a", said, lambda: "id", at=START) == ("id", False)
