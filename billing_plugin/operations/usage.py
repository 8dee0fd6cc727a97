"""Recording usage: rated, checked against balance and limits, charged and stored as one change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import PayloadTooLarge
from billing_plugin.models import accounts, idempotency, usage
from billing_plugin.models.usage import Usage, UsageRecord
from billing_plugin.money import Money
from billing_plugin.operations import bulk, quick
from billing_plugin.operations.catalogue import check_page, operation
from billing_plugin.operations.charging import Outcome, charge_all
from billing_plugin.operations.group import Caller, charge_alone, charge_in_turn
from billing_plugin.operations.reached import tell_refusal
from billing_plugin.operations.till import open_till
from billing_plugin.operations.wishes import Submission, wish_of, wishes_of
from billing_plugin.periods import Period
from billing_plugin.signals import is_firing


@operation(scope="usage:write", effect="spends")
def charge(
    actor: Actor,
    account_id: str,
    amount: Money,
    *,
    model: str = "other",
    provider: str = "",
    metadata: dict[str, Any] | None = None,
    effective_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Outcome:
    """Charges an exact amount, known from elsewhere: `record_usage` with a cost and no tokens.

    Raises LimitExceeded, InsufficientFunds, IdempotencyConflict, InvalidRequest.
    """
    used = Usage(model, provider, cost=amount, effective_at=effective_at, metadata=metadata or {})
    return _charged(actor, account_id, used, key=idempotency_key)


@operation(scope="usage:write", effect="spends")
def record_usage(
    actor: Actor, account_id: str, used: Usage, *, idempotency_key: str | None = None
) -> Outcome:
    """Charges one use to the account: record, ledger entry and limit counters, or nothing at all.

    Raises LimitExceeded, InsufficientFunds, UnpricedModel, IdempotencyConflict, InvalidRequest.
    The cost lands in the limit windows of its `effective_at`.
    """
    return _charged(actor, account_id, used, key=idempotency_key)


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
    try:
        with write_transaction():
            return bulk.charge(open_till(actor, account_id), actor, submissions)
    except bulk.Unusual:
        wishes = wishes_of(actor, account_id, submissions, at=now())
    with write_transaction():
        till = open_till(actor, account_id)
        known = idempotency.replays(wish.intent for wish in wishes if wish.intent)
        outcomes = charge_all(till, wishes, known=known, stop_at_refusal=stop_at_refusal)
    for outcome in outcomes:
        if outcome.error:
            tell_refusal(account_id, outcome.error)
    return outcomes


@operation(scope="reports:read", effect="reads")
def list_usage(
    actor: Actor,
    account_id: str,
    *,
    period: Period | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[UsageRecord]:
    """The account's usage records, newest first; `before` is an id to go on from, `limit` 1 to
    100. Raises NotFound, InvalidRequest."""
    del actor
    check_page(limit)
    accounts.get(account_id)
    return usage.page(account_id, period=period, before=before, limit=limit)


@operation(scope="reports:read", effect="reads")
def get_usage(actor: Actor, account_id: str, record_id: str) -> UsageRecord:
    """One usage record of the account. Raises NotFound."""
    del actor
    return usage.get(account_id, record_id)


def _charged(actor: Actor, account_id: str, used: Usage, *, key: str | None) -> Outcome:
    at = now()
    wish = wish_of(actor, account_id, Submission(used, key), at=at)
    caller = Caller(wish, quick.prepare(account_id, wish, at))
    alone = not current().settings.group_commit or current().database.in_transaction()
    outcome = (charge_alone if alone or is_firing() else charge_in_turn)(account_id, caller)
    if outcome.error:
        tell_refusal(account_id, outcome.error)
        raise outcome.error
    return outcome
