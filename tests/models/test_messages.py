"""Messages are stored once, and found when they are due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Billing
from billing_plugin.context import write_transaction
from billing_plugin.errors import NotFound
from billing_plugin.models import messages
from tests.factories import START

HOUR = timedelta(hours=1)


def add(name: str, at: int = 0) -> str | None:
    said = (name, "payment", "pi_1", "top_1")
    return messages.add("fake", said, START + at * HOUR, try_at=START + (at + 1) * HOUR)


def test_a_message_is_stored_once(billing: Billing) -> None:
    with billing.instance.active(), write_transaction():
        assert (add("m1"), add("m1", 5), add("m2")) == ("fake m1", None, "fake m2")
        found = messages.get("fake m1")
        assert (found.kind, found.payment_id, found.reference) == ("payment", "pi_1", "top_1")
        assert (found.status, found.attempts, found.received_at) == ("received", 0, START)
        with pytest.raises(NotFound):
            messages.get("fake m3")


def test_messages_are_due_until_they_are_settled(billing: Billing) -> None:
    with billing.instance.active(), write_transaction():
        for number in range(3):
            add(f"m{number}", number)
        assert messages.due(START, 9) == []
        assert messages.due(START + 3 * HOUR, 2) == ["fake m0", "fake m1"]
        messages.settle(messages.get("fake m0"), messages.DONE, START)
        messages.put_off(messages.get("fake m1"), "no_answer", try_at=None)
        messages.put_off(messages.get("fake m2"), "no_answer", try_at=START)
        assert messages.due(START + 9 * HOUR, 9) == ["fake m2"]
        told = [(one.id, one.status, one.attempts) for one in messages.page()]
        assert told == [
            ("fake m2", "received", 1), ("fake m1", "failed", 1), ("fake m0", "done", 0),
        ]  # fmt: skip
        assert [one.id for one in messages.page(before=START + HOUR, limit=1)] == ["fake m0"]
