"""Recording usage: rated exactly, charged once, refused whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_UP, Decimal, localcontext
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.errors import BillingError
from billing_plugin.operations import Submission, Usage
from billing_plugin.operations.charging import Outcome
from billing_plugin.operations.rating import MAX_TOKENS
from tests.books import complaints, counts, everything, untold
from tests.factories import START, Clock, account_with, billing_on


def use(tokens: int = 1000, **said: Any) -> Usage:
    return Usage(**{"model": "gpt-4o", "provider": "openai", "input_tokens": tokens} | said)


def costing(units: str, **said: Any) -> Usage:
    return Usage(model="anything", cost=Money.parse(units), **said)


def spend(actor: Actor, used: Usage, key: str | None = None) -> Outcome:
    return operations.record_usage(actor, str(actor.account_id), used, idempotency_key=key)


def batch(actor: Actor, *wishes: Usage | tuple[Usage, str], stop: bool = False) -> list[Outcome]:
    pairs = [wish if isinstance(wish, tuple) else (wish, None) for wish in wishes]
    submissions = [Submission(used, key) for used, key in pairs]
    return operations.record_usage_batch(
        actor, str(actor.account_id), submissions, stop_at_refusal=stop
    )


def available(actor: Actor) -> str:
    return operations.check_balance(actor, str(actor.account_id)).available.text


def codes(outcomes: list[Outcome]) -> list[str]:
    return [outcome.error.code if outcome.error else "ok" for outcome in outcomes]


def test_a_use_is_rated_and_charged(billing: Billing, actor: Actor) -> None:
    outcome = spend(actor, use(1000, output_tokens=100))
    assert outcome.record is not None
    assert outcome.record.cost == Money.parse("0.0035")
    assert outcome.record.price["source"].startswith("genai-prices")
    assert available(actor) == "99.9965"
    [entry] = operations.list_entries(actor, str(actor.account_id), limit=1)
    assert (entry.kind, entry.amount.text) == ("usage", "-0.0035")
    assert entry.id == outcome.record.entry_id
    assert entry.metadata == {"model": "gpt-4o", "provider": "openai", "tokens": 1100}
    assert entry.effective_at == entry.recorded_at == START
    assert complaints(billing) == []


def test_the_hosts_decimal_context_changes_no_price(actor: Actor) -> None:
    with localcontext() as hosts:
        hosts.prec, hosts.rounding = 2, ROUND_UP
        outcome = spend(actor, use(123_457, output_tokens=89))
    assert outcome.record is not None
    assert outcome.record.cost.nanos == 123_457 * 2500 + 89 * 10_000


@pytest.mark.parametrize(
    "used", [use(0), costing("0"), use(0, provider="", metadata={"why": "cached"})]
)
def test_a_use_that_costs_nothing_is_recorded(billing: Billing, used: Usage) -> None:
    poor = account_with(billing)
    operations.set_limit(poor, str(poor.account_id), Money.zero())
    outcome = spend(poor, used)
    assert outcome.record is not None
    assert outcome.record.cost == Money.zero()
    assert available(poor) == "0.00"
    assert complaints(billing) == []


def test_the_last_nano_may_be_spent_and_no_more(billing: Billing) -> None:
    actor = account_with(billing, "1")
    spend(actor, costing("0.999999999"))
    with pytest.raises(errors.InsufficientFunds) as refusal:
        spend(actor, costing("0.000000002"))
    assert refusal.value.extra == {
        "available": "0.000000001", "requested": "0.000000002", "currency": "USD",
    }  # fmt: skip
    spend(actor, costing("0.000000001"))
    assert available(actor) == "0.00"


FUTURE = START + timedelta(minutes=6)
LONG_AGO, FAR_AHEAD = (at.replace(tzinfo=UTC) for at in (datetime.min, datetime.max))
MUCH_ELSE = Money(2**63 - 1, "EUR")
REFUSED: dict[str, list[Usage]] = {
    "insufficient_funds": [costing("100.000000001")],
    "limit_exceeded": [costing("60")],
    "unpriced_model": [use(model="no-such-model"), use(provider="nobody")],
    "currency_mismatch": [use(cost=Money(1, "EUR")), use(cost=MUCH_ELSE)],
    "naive_time": [use(effective_at=datetime(2026, 3, 1))],
    "future_time": [use(effective_at=FUTURE)],
    "time_out_of_range": [use(effective_at=LONG_AGO), use(effective_at=FAR_AHEAD)],
    "invalid_request": [
        *(use(model=name) for name in ("", "m" * 201, "gpt\0", "\ud800")),
        *(use(provider=name) for name in ("p" * 201, "\0", "\udfff")),
        *(use(tokens) for tokens in (-1, MAX_TOKENS + 1, 10**30, True)),
        *(use(output_tokens=tokens) for tokens in (1.5, False, "5", "", None, Decimal(5))),
        *(use(metadata={"a": value}) for value in ({1}, float("nan"), object())),
        use(metadata={"a": 1, 2: 3}),
        use(5, cache_read_tokens=6),
        costing("-0.01"),
    ],
}
CASES = [(code, used) for code, uses in REFUSED.items() for used in uses]


@pytest.mark.parametrize(("code", "used"), CASES, ids=map(str, range(len(CASES))))
def test_a_refusal_leaves_no_trace(billing: Billing, actor: Actor, code: str, used: Usage) -> None:
    operations.set_limit(actor, str(actor.account_id), Money.parse("50"))
    if code == "insufficient_funds":
        [state] = operations.list_limits(actor, str(actor.account_id))
        operations.remove_limit(actor, str(actor.account_id), state.limit.id)
    before = untold(billing)
    with pytest.raises(BillingError) as refusal:
        spend(actor, used, "key")
    assert (refusal.value.code, refusal.value.status in (402, 422)) == (code, True)
    assert untold(billing) == before
    assert codes(batch(actor, (used, "key"))) == [code]
    assert untold(billing) == before


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0", "a\nb", "\ud800"])
def test_a_malformed_key_refuses_its_record_alone(actor: Actor, key: str) -> None:
    outcomes = batch(actor, (use(), key), (use(), "good"))
    assert codes(outcomes) == ["invalid_request", "ok"]


def test_no_price_list_is_not_a_price_of_nothing(database_url: str) -> None:
    class Missing:
        def find(self, *_: Any, **__: Any) -> Any:
            raise errors.NotSupported("No price list is installed.")

    billing = billing_on(database_url, price_list=Missing())
    actor = account_with(billing, "1")
    with pytest.raises(errors.NotSupported):
        spend(actor, use())
    assert spend(actor, costing("0.25")).record is not None
    assert available(actor) == "0.75"


def test_another_tenants_account_is_not_found(billing: Billing, actor: Actor) -> None:
    other = account_with(billing, "5")
    before = everything(billing)
    for account_id in (str(other.account_id), "acct_" + "0" * 32, "", "x\0", "\ud800"):
        with pytest.raises(errors.NotFound):
            operations.record_usage(actor, account_id, use())
        with pytest.raises(errors.NotFound):
            operations.record_usage_batch(actor, account_id, [])
    with pytest.raises(errors.NotFound):
        operations.record_usage(billing.operator(), "acct_" + "0" * 32, use())
    assert everything(billing) == before


def test_the_scope_is_needed(actor: Actor) -> None:
    reader = actor._replace(scopes=frozenset({"balance:read"}))
    with pytest.raises(errors.Forbidden) as refusal:
        spend(reader, use())
    assert refusal.value.extra == {"scope": "usage:write"}


def test_the_same_key_replays_the_first_answer(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    first = spend(actor, use(1000), "once")
    before = everything(billing)
    clock.forward(hours=3)
    again = spend(actor, use(1000), "once")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.record is not None
    assert first.record is not None
    assert again.record.id == first.record.id
    assert again.record.cost == first.record.cost
    assert everything(billing) == before


def test_the_same_instant_in_another_zone_is_the_same_content(actor: Actor) -> None:
    at = START - timedelta(hours=1)
    spend(actor, use(effective_at=at), "once")
    elsewhere = at.astimezone(timezone(timedelta(hours=9)))
    assert spend(actor, use(effective_at=elsewhere), "once").replayed


@pytest.mark.parametrize(
    "other",
    [
        use(1001), use(1000, output_tokens=1), use(1000, metadata={"a": 1}),
        use(model="gpt-4o-mini"), use(1000, effective_at=START), use(provider=""),
        use(1000, cost=Money(1)),
    ],
    ids=["tokens", "output", "metadata", "model", "time", "provider", "cost"],
)  # fmt: skip
def test_other_content_under_a_key_is_a_conflict(
    billing: Billing, actor: Actor, other: Usage
) -> None:
    spend(actor, use(1000), "once")
    before = everything(billing)
    with pytest.raises(errors.IdempotencyConflict):
        spend(actor, other, "once")
    for wishes in (
        [(other, "once"), (use(1000), "once")],
        [(use(1000), "once"), (other, "once")],
        [use(5), (other, "once")],
        [(use(1000), "new"), (other, "new")],
        [(other, "new"), use(7), (use(1000), "new")],
    ):
        with pytest.raises(errors.IdempotencyConflict):
            batch(actor, *wishes)
        assert everything(billing) == before


def test_keys_of_two_accounts_are_strangers(billing: Billing, actor: Actor) -> None:
    other = account_with(billing, "5")
    spend(actor, use(1000), "once")
    assert not spend(other, use(5), "once").replayed


def test_a_refused_key_may_be_used_again(billing: Billing) -> None:
    actor = account_with(billing, "1")
    with pytest.raises(errors.InsufficientFunds):
        spend(actor, costing("2"), "once")
    operations.adjust(billing.operator(), str(actor.account_id), Money.parse("5"))
    assert not spend(actor, costing("2"), "once").replayed
    assert spend(actor, costing("2"), "once").replayed
    assert available(actor) == "4.00"


def test_a_key_twice_in_one_batch_is_charged_once(billing: Billing, actor: Actor) -> None:
    first, other, again = batch(actor, (use(1000), "a"), (use(1000), "b"), (use(1000), "a"))
    assert (first.replayed, other.replayed, again.replayed) == (False, False, True)
    assert first.record is not None
    assert again.record is first.record
    assert counts(billing)["usage_record"] == 2
    assert available(actor) == "99.995"


def test_a_batch_charges_what_fits_around_a_refusal(billing: Billing) -> None:
    actor = account_with(billing, "1")
    outcomes = batch(
        actor, costing("0.4"), costing("0.7"), use(model="unheard-of"), costing("0.6"),
        costing("0.000000001"),
    )  # fmt: skip
    assert codes(outcomes) == [
        "ok",
        "insufficient_funds",
        "unpriced_model",
        "ok",
        "insufficient_funds",
    ]
    assert available(actor) == "0.00"
    assert counts(billing)["usage_record"] == 2
    assert complaints(billing) == []


def test_a_batch_can_stop_at_its_first_refusal(billing: Billing) -> None:
    actor = account_with(billing, "1")
    outcomes = batch(actor, costing("0.4"), (costing("0.7"), "k"), costing("0.1"), stop=True)
    assert codes(outcomes) == ["ok", "insufficient_funds"]
    assert available(actor) == "0.60"
    assert "idempotency_key" not in counts(billing)


def test_a_batch_replays_old_records_among_new_ones(billing: Billing, actor: Actor) -> None:
    old = spend(actor, use(1000), "old")
    outcomes = batch(
        actor, (use(2000), "new"), (use(1000), "old"), use(model="unheard-of"), stop=True
    )
    assert [outcome.replayed for outcome in outcomes] == [False, True, False]
    assert old.record is not None
    assert outcomes[1].record is not None
    assert outcomes[1].record.id == old.record.id
    assert counts(billing)["usage_record"] == 2


def test_batches_have_a_size(database_url: str) -> None:
    billing = billing_on(database_url, max_batch=3)
    actor = account_with(billing, "1")
    assert batch(actor) == []
    assert len(batch(actor, *[use(1)] * 3)) == 3
    with pytest.raises(errors.PayloadTooLarge):
        batch(actor, *[use(1)] * 4)
    assert counts(billing)["usage_record"] == 3


def test_past_and_slightly_early_times_are_kept(actor: Actor) -> None:
    for at in (START + timedelta(minutes=5), START - timedelta(days=900)):
        outcome = spend(actor, use(effective_at=at))
        assert outcome.record is not None
        assert outcome.record.effective_at == at
        assert outcome.record.recorded_at == START


def test_a_batch_is_one_transaction(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(billing)
    monkeypatch.setattr("billing_plugin.operations.bulk.Bulk.settle", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        batch(actor, (use(), "a"), (use(), "b"))
    assert everything(billing) == before
