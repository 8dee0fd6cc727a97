"""Recording usage: rated, checked against balance and limits, charged and stored as one change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import BillingError, InvalidRequest, PayloadTooLarge
from billing_plugin.models import idempotency, limits, usage
from billing_plugin.models.base import dump
from billing_plugin.models.idempotency import Intent
from billing_plugin.models.ledger import Book, Movement
from billing_plugin.models.limits import Ceilings
from billing_plugin.models.usage import Usage, UsageRecord
from billing_plugin.operations.catalogue import operation, storable
from billing_plugin.operations.ledger import open_book
from billing_plugin.operations.prices import Rated, rate
from billing_plugin.periods import aware

CLOCK_SKEW = timedelta(minutes=5)
MAX_TOKENS = 10**12
MAX_NAME_LENGTH = 200


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
class _Wish:
    """One submission: its use, what it means to do once, its price or why there is none."""

    usage: Usage
    intent: Intent | None = None
    rated: Rated | BillingError | None = None

    @property
    def digest(self) -> str | None:
        """The digest of its idempotency key, if it has one."""
        return self.intent.digest if self.intent else None

    def price(self, at: datetime) -> Rated | BillingError:
        """Rates it, the first time that somebody asks."""
        if self.rated is None:
            try:
                self.rated = rate(self.usage, self.usage.effective_at or at)
            except BillingError as error:
                self.rated = error
        return self.rated


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
    wishes = [_wish(account_id, submission, at) for submission in submissions]
    _rate(wishes, at)
    with write_transaction():
        charge = _opened(actor, account_id, wishes, at=at)
        outcomes: list[Outcome] = []
        for wish in wishes:
            outcomes.append(_outcome(charge, wish))
            if stop_at_refusal and outcomes[-1].error:
                break
        _store(charge)
        return _with_replayed(charge, wishes, outcomes)


def _opened(actor: Actor, account_id: str, wishes: Iterable[_Wish], *, at: datetime) -> _Charge:
    book = open_book(actor, account_id)
    known = idempotency.replays(wish.intent for wish in wishes if wish.intent)
    return _Charge(book, limits.ceilings(account_id), at, known)


def _outcome(charge: _Charge, wish: _Wish) -> Outcome:
    if wish.digest in charge.replays:
        return Outcome(replayed=True)
    if wish.digest in charge.done:
        return Outcome(charge.done[wish.digest], replayed=True)
    price = wish.price(charge.at)
    if isinstance(price, BillingError):
        return Outcome(error=price)
    try:
        return Outcome(_charged(charge, wish, price))
    except BillingError as error:
        return Outcome(error=error)


def _charged(charge: _Charge, wish: _Wish, price: Rated) -> UsageRecord:
    effective_at = aware(wish.usage.effective_at or charge.at)
    charge.book.require_currency(price.cost)
    refusal = charge.ceilings.refusal(price.cost, effective_at) or charge.book.refusal(price.cost)
    if refusal:
        raise refusal
    record = _record(charge, wish.usage, price, effective_at=effective_at)
    record.entry_id = charge.book.enter(_movement(record), charge.at)
    charge.ceilings.spend(price.cost, effective_at)
    charge.records.append(record)
    if wish.intent:
        charge.done[wish.intent.digest] = record
        charge.remembered.append((wish.intent, record.id))
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
    charge: _Charge, wishes: Sequence[_Wish], outcomes: list[Outcome]
) -> list[Outcome]:
    """The outcomes, with the records that earlier calls stored."""
    if not charge.replays:
        return outcomes
    found = usage.by_ids(charge.book.account_id, list(charge.replays.values()))
    by_digest = {digest: found[record_id] for digest, record_id in charge.replays.items()}
    return [
        Outcome(by_digest[wish.digest], replayed=True) if wish.digest in by_digest else outcome
        for wish, outcome in zip(wishes, outcomes, strict=False)
    ]


def _wish(account_id: str, submission: Submission, at: datetime) -> _Wish:
    used = submission.usage
    try:
        _check(used, at)
        return _Wish(used, _intent(account_id, submission))
    except BillingError as error:
        return _Wish(used, rated=error)


def _rate(wishes: Sequence[_Wish], at: datetime) -> None:
    """Rates before the lock is taken; in a batch not what an earlier call charged already."""
    intents = [wish.intent for wish in wishes if wish.intent]
    known = idempotency.replays(intents) if len(intents) > 1 else {}
    for wish in wishes:
        if wish.digest not in known:
            wish.price(at)


def _check(used: Usage, at: datetime) -> None:
    if not used.model or max(len(used.model), len(used.provider)) > MAX_NAME_LENGTH:
        raise InvalidRequest(f"A use names its model, with 1 to {MAX_NAME_LENGTH} characters.")
    storable(used.model + used.provider)
    dump(used.metadata)
    if any(not _is_count(getattr(used, name)) for name in usage.QUANTITIES):
        raise InvalidRequest(f"Token counts are whole numbers from 0 to {MAX_TOKENS}.")
    if used.effective_at and aware(used.effective_at) > at + CLOCK_SKEW:
        raise InvalidRequest("effective_at lies in the future.", code="future_time")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_TOKENS


def _intent(account_id: str, submission: Submission) -> Intent | None:
    if submission.idempotency_key is None:
        return None
    return idempotency.intent(
        account_id, "usage", key=submission.idempotency_key, content=submission.usage.content
    )
