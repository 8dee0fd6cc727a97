"""What somebody wants to be charged, before anything is locked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Money, errors
from billing_plugin.operations import Submission, Usage
from billing_plugin.operations.wishes import CLOCK_SKEW, check_usage, wishes_of
from tests.factories import START


def test_a_wish_is_rated_or_says_why_not(actor: Actor) -> None:
    account_id = str(actor.account_id)
    said = [
        Submission(Usage("m", "p", 3, cost=Money(7)), "k"),
        Submission(Usage("", cost=Money(7))),
        Submission(Usage("m", cost=Money(7)), ""),
    ]
    with actor.instance.active():
        good, nameless, keyless = wishes_of(actor, account_id, said, at=START)
    assert good.rated == ("p", "m", 7, "USD", '{"source":"caller"}', False)
    assert (good.counts, good.digest) == ('{"input_tokens":3}', good.intent and good.intent.digest)
    for wrong in (nameless, keyless):
        assert isinstance(wrong.rated, errors.InvalidRequest)
        assert wrong.digest is None


def test_equal_submissions_mean_the_same_and_accounts_are_apart() -> None:
    one, other = (Submission(Usage("m", cost=Money(cost)), "k") for cost in (1, 2))
    meant = one.intent("a", "{}")
    assert meant is not None
    assert meant == Submission(Usage("m", cost=Money(1)), "k").intent("a", "{}")
    for different in (one.intent("b", "{}"), one.intent("a", '{"input_tokens":1}')):
        assert different is not None
        assert different != meant
    apart = other.intent("a", "{}")
    assert apart is not None
    assert (apart.digest, apart.content != meant.content) == (meant.digest, True)
    assert Submission(one.usage).intent("a", "{}") is None


def test_a_use_may_lie_as_far_ahead_as_clocks_differ() -> None:
    def used(ahead: timedelta) -> Usage:
        return Usage("m", input_tokens=1, effective_at=START + ahead)

    assert check_usage(used(CLOCK_SKEW), START) == '{"input_tokens":1}'
    with pytest.raises(errors.InvalidRequest, match="future"):
        check_usage(used(CLOCK_SKEW + timedelta(microseconds=1)), START)
