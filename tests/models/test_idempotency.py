"""Idempotency keys as rows of hashes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Billing
from billing_plugin.context import write_transaction
from billing_plugin.errors import IdempotencyConflict, InvalidRequest
from billing_plugin.models import idempotency
from billing_plugin.models.idempotency import Intent, KnownKey, claim, intent, remember, replays
from tests.factories import START


def meant(key: str, content: object = "x", *, account: str = "a", operation: str = "o") -> Intent:
    return intent(account, operation, key=key, content=content)


def test_what_was_done_is_found_again(billing: Billing) -> None:
    many = [meant(str(number)) for number in range(1_201)]
    with billing.instance.active():
        assert replays(many) == {}
        remember([(one, f"use_{number}") for number, one in enumerate(many)], START)
        found = replays([*many, meant("new")])
        assert replays([]) == {}
    assert found == {one.digest: f"use_{number}" for number, one in enumerate(many)}


@pytest.mark.parametrize("where", [0, 600, 1_200])
def test_other_content_is_a_conflict_wherever_it_stands(billing: Billing, where: int) -> None:
    many = [meant(str(number)) for number in range(1_201)]
    with billing.instance.active():
        remember([(many[where], "r")], START)
        changed = [*many]
        changed[where] = meant(str(where), "y")
        with pytest.raises(IdempotencyConflict):
            replays(changed)


def test_one_key_with_two_contents_is_a_conflict_before_it_is_stored(billing: Billing) -> None:
    with billing.instance.active():
        assert replays([meant("k"), meant("k")]) == {}
        with pytest.raises(IdempotencyConflict):
            replays([meant("k"), meant("k", "y")])


def test_accounts_and_operations_have_keys_of_their_own() -> None:
    digests = {
        meant("k").digest,
        meant("k", account="b").digest,
        meant("k", operation="p").digest,
        meant("K").digest,
        meant("o\u00a0k".replace("\u00a0", "-"), account="a").digest,
    }
    assert len(digests) == 5
    assert all(len(digest) == 16 for digest in digests)


def test_the_order_of_content_does_not_matter() -> None:
    assert meant("k", {"a": 1, "b": 2}) == meant("k", {"b": 2, "a": 1})
    assert meant("k", {"a": 1}).content != meant("k", {"a": "1"}).content


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "\0", "\ud800", "\u202e"])
def test_malformed_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        meant(key)
    assert meant("x" * idempotency.MAX_KEY_LENGTH)


def test_a_key_is_remembered_once(billing: Billing) -> None:
    with billing.instance.active():
        remember([(meant("k"), "first")], START)
        for others in ([], [(meant("l"), "third")]):
            for done in ([(meant("k"), "second"), *others], [*others, (meant("k"), "second")]):
                with pytest.raises(KnownKey), write_transaction():
                    remember(done, START)
        assert replays([meant("k"), meant("l")]) == {meant("k").digest: "first"}


def test_a_result_may_be_any_text(billing: Billing) -> None:
    said = '{"run":"x, y","path":"\\\\"}'
    with billing.instance.active():
        remember([(meant("k"), said), (meant("l"), "use_1")], START)
        assert set(replays([meant("k"), meant("l")]).values()) == {said, "use_1"}


def test_keys_are_kept_for_their_days_and_then_pruned_in_steps(billing: Billing) -> None:
    def left(day: int) -> int:
        with billing.instance.active():
            return len(replays([meant(f"{day} {number}") for number in range(5)]))

    with billing.instance.active():
        for day in (0, 1, 2):
            at = START + timedelta(days=day)
            remember([(meant(f"{day} {number}"), "r") for number in range(5)], at)
        end = START + timedelta(days=idempotency.KEPT_DAYS)
        assert idempotency.prune(end) == 0
        assert idempotency.prune(end + timedelta(days=2), size=3) == 3
        assert idempotency.prune(end + timedelta(days=2)) == 7
        assert idempotency.prune(end + timedelta(days=2)) == 0
    assert [left(day) for day in (0, 1, 2)] == [0, 0, 5]


def test_many_keys_are_remembered_as_few_are(billing: Billing) -> None:
    """Many take another way into PostgreSQL."""
    with billing.instance.active(), write_transaction():
        for number in (1, 60):
            done = [(meant(f"{number} {n}"), f"r{n}") for n in range(number)]
            remember(done, START)
            assert len(replays(one for one, _ in done)) == number
        remember([], START)


def test_a_claim_answers_with_what_stands(billing: Billing) -> None:
    with billing.instance.active(), write_transaction():
        said = intent("nobody", "op", key="k", content="a")
        assert claim(said, "first", START) == "first"
        assert claim(said, "second", START) == "first"
        with pytest.raises(IdempotencyConflict):
            claim(intent("nobody", "op", key="k", content="b"), "third", START)
