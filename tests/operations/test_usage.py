"""Recording usage: rated exactly, charged once, refused whole."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations import Submission, Usage


def use(tokens: int = 1000, **said: object) -> Usage:
    return Usage(model="gpt-4o", provider="openai", input_tokens=tokens, **said)


def test_a_use_is_rated_and_charged(actor: Actor) -> None:
    outcome = operations.record_usage(actor, actor.account_id, use(1000))
    assert outcome.record.cost == Money.parse("0.0025")
    balance = operations.check_balance(actor, actor.account_id)
    assert balance.available == Money.parse("99.9975")
