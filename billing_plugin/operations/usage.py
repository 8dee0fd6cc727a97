"""Recording usage: rated, checked against balance and limits, charged and stored as one change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import BillingError, InvalidRequest, PayloadTooLarge
from billing_plugin.models import idempotency, limits, usage
from billing_plugin.models.idempotency import Intent
from billing_plugin.models.ledger import Book, Movement
from billing_plugin.models.limits import Ceilings
from billing_plugin.models.usage import Usage, UsageRecord
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.ledger import open_book
from billing_plugin.operations.prices import Rated, rate

CLOCK_SKEW = timedelta(minutes=5)
MAX_TOKENS = 10**12


@dataclass(frozen=True, slots=True)
class Submission:
    """One use to be charged, with the caller's idempotency key for it."""

    usage: Usage
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one submission: a record (perhaps replayed) or the error that refused it."""

    record: UsageRecord | None = None
    replayed: bool = False
    error: BillingError | None = None


@dataclass(slots=True)
class _Charge:
    """Charging many submissions in one transaction, under the account's lock."""

    book: Book
    ceilings: Ceilings
    at: datetime
    replays: dict[str, str]
    done: dict[str, UsageRecord] = field(default_factory=dict)
    records: list[UsageRecord] = field(default_factory=list)
    remembered: list[tuple[Intent, str]] = field(default_factory=list)


@operation(scope="usage:write", effect="spends")
def record_usage(
    actor: Actor, account_id: str, used: Usage, *, idempotency_key: str | None = None
) -> Outcome:
    """Charges one use to the account: record, ledger entry and limit counters, or nothing at all.

    Raises LimitExceeded, InsufficientFunds, UnpricedModel, IdempotencyConflict, InvalidRequest.
    The cost lands in the limit windows of its `effective_at`.
    """
    [outcome] = record_usage_batch(actor, account_id, [Submission(used, idempotency_key)])
    if outcome.error:
        raise outcome.error
    return outcome


@operation(scope="usage:write", effect="spends")
def record_usage_batch(
    actor: Actor,
    account_id: str,
    submissions: Sequence[Submission],
    *,
    stop_at_refusal: bool = False,
) -> list[Outcome]:
    """Charges many uses in order, in one transaction; each is charged whole or refused whole.

    With `stop_at_refusal` nothing after the first refusal is tried and the list ends with it.
    Raises PayloadTooLarge beyond the setting max_batch, IdempotencyConflict for the whole batch.
    """
    if len(submissions) > current().settings.max_batch:
        raise PayloadTooLarge(f"A batch has at most {current().settings.max_batch} records.")
    at = now()
    rated = [_rated(submission.usage, at) for submission in submissions]
    intents = [_intent(account_id, submission) for submission in submissions]
    with write_transaction():
        charge = _opened(actor, account_id, intents, at)
        outcomes: list[Outcome] = []
        for submission, price, intent in zip(submissions, rated, intents, strict=True):
            outcomes.append(_outcome(charge, submission.usage, price, intent=intent))
            if stop_at_refusal and outcomes[-1].error:
                break
        _store(charge)
        return _with_replayed(account_id, outcomes, charge, intents)


def _opened(
    actor: Actor, account_id: str, intents: Iterable[Intent | None], at: datetime
) -> _Charge:
    book = open_book(actor, account_id)
    known = idempotency.replays(intent for intent in intents if intent)
    return _Charge(book, limits.ceilings(account_id), at, known)


def _outcome(
    charge: _Charge, used: Usage, price: Rated | BillingError, *, intent: Intent | None
) -> Outcome:
    if intent and intent.digest in charge.replays:
        return Outcome(replayed=True)
    if intent and intent.digest in charge.done:
        return Outcome(charge.done[intent.digest], replayed=True)
    if isinstance(price, BillingError):
        return Outcome(error=price)
    try:
        return Outcome(_charged(charge, used, price, intent=intent))
    except BillingError as error:
        return Outcome(error=error)


def _charged(charge: _Charge, used: Usage, price: Rated, *, intent: Intent | None) -> UsageRecord:
    effective_at = used.effective_at or charge.at
    refusal = charge.ceilings.refusal(price.cost, effective_at) or charge.book.refusal(price.cost)
    if refusal:
        raise refusal
    record = _record(charge, used, price, effective_at=effective_at)
    record.entry_id = charge.book.enter(_movement(record), charge.at)
    charge.ceilings.spend(price.cost, effective_at)
    charge.records.append(record)
    if intent:
        charge.done[intent.digest] = record
        charge.remembered.append((intent, record.id))
    return record


def _record(charge: _Charge, used: Usage, price: Rated, *, effective_at: datetime) -> UsageRecord:
    return usage.record_of(
        {
            "account_id": charge.book.account_id,
            "key_id": charge.book.key_id,
            "provider": price.provider,
            "model": price.model,
            "quantities": used.quantities,
            "price": price.price,
            "cost_nanos": price.cost.nanos,
            "currency": price.cost.currency,
            "metadata": used.metadata,
            "effective_at": effective_at,
            "recorded_at": charge.at,
        }
    )


def _movement(record: UsageRecord) -> Movement:
    tokens = record.quantities.get("input_tokens", 0) + record.quantities.get("output_tokens", 0)
    metadata = {"model": record.model, "provider": record.provider, "tokens": tokens}
    return Movement("usage", -record.cost, record.effective_at, record.id, metadata)


def _store(charge: _Charge) -> None:
    charge.book.close()
    usage.store(charge.records)
    charge.ceilings.store()
    idempotency.remember(charge.remembered, charge.at)


def _with_replayed(
    account_id: str,
    outcomes: list[Outcome],
    charge: _Charge,
    intents: Sequence[Intent | None],
) -> list[Outcome]:
    wanted = [
        charge.replays[intent.digest]
        for intent in intents
        if intent and intent.digest in charge.replays
    ]
    found = usage.by_ids(account_id, wanted) if wanted else {}
    return [
        Outcome(found[charge.replays[intent.digest]], replayed=True)
        if outcome.replayed and outcome.record is None and intent
        else outcome
        for outcome, intent in zip(outcomes, intents, strict=False)
    ]


def _rated(used: Usage, at: datetime) -> Rated | BillingError:
    try:
        _check(used, at)
        return rate(used, used.effective_at or at)
    except BillingError as error:
        return error


def _check(used: Usage, at: datetime) -> None:
    if not used.model:
        raise InvalidRequest("A use names its model.")
    if any(not 0 <= count <= MAX_TOKENS for count in used.quantities.values()):
        raise InvalidRequest(f"Token counts are 0 to {MAX_TOKENS}.")
    if used.effective_at and used.effective_at > at + CLOCK_SKEW:
        raise InvalidRequest("effective_at lies in the future.", code="future_time")


def _intent(account_id: str, submission: Submission) -> Intent | None:
    if submission.idempotency_key is None:
        return None
    return idempotency.intent(
        account_id, "usage", key=submission.idempotency_key, content=submission.usage.content
    )
