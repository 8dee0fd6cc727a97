"""Setting, editing, seeing and removing spending limits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from billing_plugin.context import Actor, now, write_transaction
from billing_plugin.errors import InvalidRequest, PreconditionFailed
from billing_plugin.models import audit, counters, limits
from billing_plugin.models.ceilings import Ceilings
from billing_plugin.models.counters import Counter
from billing_plugin.models.ledger import Book
from billing_plugin.models.limits import (
    DIMENSIONS,
    FIXED,
    HARD,
    METADATA,
    SHADOW,
    SLIDING,
    SOFT,
    WHOLE,
    Cell,
    Plan,
    Rule,
    SpendingLimit,
)
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation, storable
from billing_plugin.operations.ledger import tidied
from billing_plugin.operations.once import Once, once
from billing_plugin.operations.till import open_till
from billing_plugin.periods import END, MAX_WINDOW_S, NAMED_WINDOWS, TOTAL, zone_named

TECHNIQUES = (FIXED, SLIDING)
ACTIONS = (HARD, SOFT, SHADOW)
MAX_VALUES = 100
MAX_DIMENSIONS = 10
MAX_LENGTH = 200
MAX_BUCKETS = 100


@dataclass(frozen=True, slots=True)
class BucketState:
    """What one bucket of a partitioned limit has counted; `values` are its dimensions' values."""

    values: list[str | None]
    spent: Money
    held: Money
    remaining: Money


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit and its present window.

    `ceiling` is the amount with a raise that is in force until `raised_until` (None: no raise is).
    `remaining` is never negative, and None where each bucket has its own; `overspent` is by how
    much the window stands above the ceiling. `resets_at` is None for a total; of a sliding window
    it is the end of its newest slot.
    """

    limit: SpendingLimit
    ceiling: Money
    raised_until: datetime | None
    spent: Money
    held: Money
    remaining: Money | None
    overspent: Money
    window_start: datetime
    resets_at: datetime | None
    buckets: list[BucketState]
    replayed: bool = False


@operation(scope="limits:write", effect="writes")
def set_limit(
    actor: Actor,
    account_id: str,
    amount: Money,
    *,
    window: str | int = "monthly",
    zone: str = "UTC",
    technique: str = FIXED,
    action: str = HARD,
    filters: Mapping[str, Sequence[str]] | None = None,
    partitions: Sequence[str] = (),
    name: str = "",
    idempotency_key: str | None = None,
) -> LimitState:
    """Sets a limit; setting the same scope and window again changes its amount.

    `window` is total, daily, weekly or monthly in an IANA `zone`, or whole seconds; `technique`
    fixed or sliding; `action` hard (refuses), soft (notes that it was reached), shadow (notes what
    it would have refused). `filters` maps a dimension (key, agent, provider, model,
    metadata.<name>) to the values it is about; each value of a dimension in `partitions` has a
    bucket of its own. What was used earlier in the window counts. Raises InvalidRequest, NotFound.
    """
    plan = checked_plan(
        window=window, zone=zone, technique=technique, action=action,
        filters=dict(filters or {}), partitions=partitions, name=name,
    )  # fmt: skip
    said = Once("limit", idempotency_key, [str(amount), limits.identity(plan)])
    with write_transaction():
        book = open_till(actor, account_id).book
        _check_amount(book, amount)
        limit_id, replayed = once(account_id, said, lambda: _put(book, amount, plan), at=book.at)
        state = state_of(limits.get(account_id, limit_id), book.at)
        return replace(state, replayed=replayed)


@operation(scope="limits:write", effect="writes")
def update_limit(
    actor: Actor,
    account_id: str,
    limit_id: str,
    *,
    amount: Money | None = None,
    changes: Mapping[str, Any] | None = None,
    revision: int | Collection[int] | None = None,
) -> LimitState:
    """Changes a limit's amount, or what it is about: `changes` may name window, zone, technique,
    action, filters, partitions and name, as in `set_limit`. Nothing that was counted is forgotten.

    With `revision` only if it (or one of them) is still the limit's. Raises PreconditionFailed,
    NotFound, InvalidRequest.
    """
    with write_transaction():
        book = open_till(actor, account_id).book
        limit = _at_revision(limits.get(account_id, limit_id), revision)
        before = facts(limit)
        if amount is not None:
            _check_amount(book, amount)
            limits.change(limit, book.at, amount_nanos=amount.nanos)
        if changes:
            said = limits.said_by(limit) | _known(changes)
            limits.replan(limit, checked_plan(**said), book.at)
            _lay_out(limits.get(account_id, limit_id), book.at)
        after = limits.get(account_id, limit_id)
        _audit(book, "limit.update", limit_id, before=before, after=facts(after))
        return state_of(after, book.at)


@operation(scope="limits:read", effect="reads")
def list_limits(actor: Actor, account_id: str) -> list[LimitState]:
    """The account's limits in force with their present windows. Raises NotFound."""
    tidied(actor, account_id)
    at = now()
    return [state_of(limit, at) for limit in limits.active(account_id)]


@operation(scope="limits:read", effect="reads")
def get_limit(actor: Actor, account_id: str, limit_id: str) -> LimitState:
    """One limit with its present window. Raises NotFound."""
    tidied(actor, account_id)
    return state_of(limits.get(account_id, limit_id), now())


@operation(scope="limits:write", effect="writes")
def remove_limit(
    actor: Actor,
    account_id: str,
    limit_id: str,
    *,
    revision: int | Collection[int] | None = None,
) -> None:
    """Takes a limit out of force. Raises NotFound, PreconditionFailed."""
    with write_transaction():
        book = open_till(actor, account_id).book
        limit = _at_revision(limits.get(account_id, limit_id), revision)
        limits.remove(limit, book.at)
        _audit(book, "limit.remove", limit_id, before=facts(limit))


@operation(scope="limits:read", effect="reads")
def list_limit_notices(actor: Actor, account_id: str, limit_id: str) -> list[dict[str, Any]]:
    """What a soft limit has noted (reached) or a shadow limit (would_refuse), newest first: one
    line for each window and bucket, with how often and how much was asked for."""
    del actor
    return counters.notices(limits.get(account_id, limit_id).id)


def checked_plan(
    *, window: str | int, zone: str, technique: str, action: str, name: str,
    filters: Mapping[str, Sequence[str]], partitions: Sequence[str],
) -> Plan:  # fmt: skip
    """The plan of a limit in its one form. Raises InvalidRequest for one that cannot be."""
    _check_window(window, technique)
    if technique not in TECHNIQUES or action not in ACTIONS:
        raise InvalidRequest("A limit is fixed or sliding, and hard, soft or shadow.")
    for dimension in (*filters, *partitions):
        _check_dimension(dimension)
    if len(filters) + len(partitions) > MAX_DIMENSIONS or len(name) > MAX_LENGTH:
        raise InvalidRequest(f"A limit is about at most {MAX_DIMENSIONS} dimensions.")
    for values in filters.values():
        _check_values(values)
    return limits.plan_with(
        window=window, zone=zone_named(zone).key, technique=technique, action=action,
        name=storable(name), filters=dict(filters), partitions=partitions,
    )  # fmt: skip


def state_of(limit: SpendingLimit, at: datetime) -> LimitState:
    """The limit with its present window, by the stored counters."""
    rule = limits.rule_of(limit)
    ceilings = Ceilings(limit.account_id, [rule], at)
    period = rule.period(at)
    start = ceilings.first_slot(rule, at) if rule.slides else period.start
    buckets = counters.buckets(limit.id, start, period.end) if rule.partitions else [WHOLE]
    used = {bucket: ceilings.used(Cell(rule, bucket), at) for bucket in buckets}
    ceiling, currency = rule.ceiling(at), limit.currency
    most = max((one.used for one in used.values()), default=0)
    return LimitState(
        limit,
        ceiling=Money(ceiling, currency),
        raised_until=rule.raised_until(at),
        spent=Money(sum(one.spent_nanos for one in used.values()), currency),
        held=Money(sum(one.held_nanos for one in used.values()), currency),
        remaining=None if rule.partitions else Money(max(ceiling - most, 0), currency),
        overspent=Money(max(most - ceiling, 0), currency),
        window_start=start,
        resets_at=None if period.end == END else period.end,
        buckets=_bucket_states(rule, used, at=at) if rule.partitions else [],
    )


def facts(limit: SpendingLimit) -> dict[str, Any]:
    """What the audit trail keeps of a limit."""
    raised = {"raise": limit.raise_nanos} if limit.raise_nanos else {}
    said = limits.said_by(limit)
    return {"amount": limit.amount.text, "revision": limit.revision, **said, **raised}


def _bucket_states(rule: Rule, used: dict[str, Counter], *, at: datetime) -> list[BucketState]:
    return [
        BucketState(
            values=counters.values_of(bucket),
            spent=Money(one.spent_nanos, rule.currency),
            held=Money(one.held_nanos, rule.currency),
            remaining=Money(max(rule.ceiling(at) - one.used, 0), rule.currency),
        )
        for bucket, one in list(used.items())[:MAX_BUCKETS]
    ]


def _put(book: Book, amount: Money, plan: Plan) -> str:
    known = limits.find(book.account_id, plan)
    before = facts(known) if known is not None and known.active else None
    made = limits.put(book.account_id, amount, plan, at=book.at)
    if before is None:
        _lay_out(made, book.at)
    _audit(book, "limit.set", made.id, before=before, after=facts(made))
    return str(made.id)


def _lay_out(limit: SpendingLimit, at: datetime) -> None:
    if limit.partitions:
        ceilings = Ceilings(limit.account_id, [limits.rule_of(limit)], at)
        ceilings.lay_out()
        ceilings.store()


def _audit(book: Book, action: str, limit_id: str, **change: dict[str, Any] | None) -> None:
    audit.write(
        book.signature, action, limit_id, account_id=book.account_id, at=book.at, **change
    )  # fmt: skip


def _known(changes: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(changes) - set(Plan.__dataclass_fields__))
    if unknown:
        raise InvalidRequest(f"A limit has no {unknown[0]}.")
    return dict(changes)


def _at_revision(
    limit: SpendingLimit, revision: int | Collection[int] | None
) -> SpendingLimit:  # fmt: skip
    expected = (revision,) if isinstance(revision, int) else revision
    if expected is not None and limit.revision not in expected:
        raise PreconditionFailed("The limit was changed meanwhile.")
    return limit


def _check_amount(book: Book, amount: Money) -> None:
    if amount.nanos < 0:
        raise InvalidRequest("A limit has an amount of zero or more.")
    book.require_currency(amount)


def _check_window(window: str | int, technique: str) -> None:
    is_length = type(window) is int and 0 < window <= MAX_WINDOW_S
    if not is_length and window not in NAMED_WINDOWS:
        raise InvalidRequest(
            f"A window is {', '.join(NAMED_WINDOWS)}, or 1 to {MAX_WINDOW_S} whole seconds."
        )
    if technique == SLIDING and window == TOTAL:
        raise InvalidRequest("A total has nowhere to slide to.")


def _check_dimension(name: str) -> None:
    known = name in DIMENSIONS or (name.startswith(METADATA) and len(name) > len(METADATA))
    if not known or len(name) > MAX_LENGTH:
        raise InvalidRequest(f"A dimension is {', '.join(DIMENSIONS)} or {METADATA}<name>.")
    storable(name)


def _check_values(values: Sequence[str]) -> None:
    if isinstance(values, str) or not 0 < len(values) <= MAX_VALUES:
        raise InvalidRequest(f"A filter has 1 to {MAX_VALUES} values.")
    for value in values:
        if not isinstance(value, str) or len(value) > MAX_LENGTH:
            raise InvalidRequest(f"A value is text of at most {MAX_LENGTH} characters.")
        storable(value)
