"""Holds: reserve money before a call, then take what it cost and give the rest back.

Rules. A hold counts against balance, allowance and limits like a charge, in the windows of the
moment it was made, and its capture counts there too: what was let in can be captured. A hold whose
deadline has passed reserves nothing. What a capture takes beyond what is still reserved is decided
by a policy: `refuse`, `if_available` (balance and limits must allow it), `overdraft` (it has
happened, so it is booked; the balance may pass its floor and the limits their ceilings).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import Conflict, InvalidRequest
from billing_plugin.models import accounts, audit, holds, usage
from billing_plugin.models.holds import CAPTURED, EXPIRED, OPEN, RELEASED, Hold
from billing_plugin.models.usage import Dims, Usage, UsageRecord
from billing_plugin.money import Money
from billing_plugin.operations import quick
from billing_plugin.operations.catalogue import MAX_PAGE, operation
from billing_plugin.operations.charging import Charge, Line
from billing_plugin.operations.once import Once, intent_of, once
from billing_plugin.operations.prices import Rated, rate
from billing_plugin.operations.reached import refusals_told
from billing_plugin.operations.till import Till, open_till
from billing_plugin.operations.wishes import Wish, check_usage

REFUSE, IF_AVAILABLE, OVERDRAFT = "refuse", "if_available", "overdraft"
POLICIES = (REFUSE, IF_AVAILABLE, OVERDRAFT)
MAX_HOLD_S = 7 * 86_400
STATUSES = (OPEN, CAPTURED, RELEASED, EXPIRED)


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as it is now; `replayed` when an earlier call with the same key had made it."""

    hold: Hold
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Captured:
    """A captured hold and the usage record of what was taken."""

    hold: Hold
    record: UsageRecord
    replayed: bool = False


@operation(scope="holds:write", effect="spends")
def hold(
    actor: Actor,
    account_id: str,
    expected: Money | Usage,
    *,
    provider: str = "",
    model: str = "",
    metadata: dict[str, Any] | None = None,
    expires_in_s: int | None = None,
    idempotency_key: str | None = None,
) -> Held:
    """Reserves an amount, or what the expected (better: the maximum) use of a model would cost.

    `provider`, `model` and `metadata` say what an amount is for; a Usage names them itself.
    `expires_in_s` is 1 to 604,800 seconds (None: the setting hold_expires_s).
    Raises LimitExceeded, InsufficientFunds, UnpricedModel, IdempotencyConflict, InvalidRequest.
    """
    lasting = _lasting(expires_in_s)
    used = _expected(expected, provider, model, metadata=metadata or {})
    at = now()
    counts = check_usage(used, at)
    rated = rate(used, at, account_id)
    dims = Dims(actor.key_id, actor.agent, rated.provider, rated.model, used.metadata)
    wanted = holds.new(account_id, rated.cost, dims, by=actor.signature, span=(at, at + lasting))
    content = f"{used.content_with(counts)}\n{expires_in_s}" if idempotency_key else ""
    said = Once("hold", idempotency_key, content)
    made = quick.reserve(wanted, intent_of(account_id, said))
    if made is not None:
        holds.keep(made)
        return Held(made)
    with refusals_told(account_id), write_transaction():
        till = open_till(actor, account_id)
        at = till.book.at
        wanted.created_at, wanted.expires_at = at, at + lasting
        hold_id, replayed = once(account_id, said, lambda: _reserve(till, wanted), at=at)
        return Held(_now(holds.get(account_id, hold_id), at), replayed)


@operation(scope="holds:write", effect="spends")
def capture(
    actor: Actor,
    account_id: str,
    hold_id: str,
    *,
    taken: Money | Usage | None = None,
    policy: str = REFUSE,
    idempotency_key: str | None = None,
) -> Captured:
    """Takes what a call has cost out of its hold (None: all of it) and gives the rest back.

    A Usage that names no model or provider is of the hold's. Once for each hold: the same again is
    a replay, another amount is a Conflict (`hold_already_resolved`). An expired hold reserves
    nothing any more, so that `policy` decides about the whole amount; under `refuse` that is a
    Conflict (`hold_expired`).
    Raises NotFound, InvalidRequest, UnpricedModel, IdempotencyConflict; Conflict
    (`capture_exceeds_hold`) under `refuse`; LimitExceeded, InsufficientFunds under `if_available`.
    """
    if policy not in POLICIES:
        raise InvalidRequest(f"policy is one of {', '.join(POLICIES)}.")
    known = holds.recall(account_id, hold_id)
    used = _used(known, taken)
    counts = check_usage(used, now())
    rated = rate(used, known.created_at, account_id)
    wish = Wish(used, actor.signature, rated=rated, counts=counts)
    # The quick way cannot take its hold back where the key turns out to be known.
    taken_now = quick.capture(known, wish, rated) if idempotency_key is None else None
    if taken_now is not None:
        return Captured(known, taken_now)
    said = Once("capture", idempotency_key, [hold_id, used.content_with(counts), policy])
    with refusals_told(account_id), write_transaction():
        till = open_till(actor, account_id)
        found = holds.get(account_id, hold_id)
        till.book.require_currency(rated.cost)
        was_open = found.status not in (CAPTURED, RELEASED)

        def take() -> str:
            if not was_open:
                return _captured_before(found, rated.cost)
            return _take(till, found, wish, rated=rated, policy=policy).id

        record_id, replayed = once(account_id, said, take, at=till.book.at)
        return Captured(
            holds.get(account_id, hold_id), usage.get(account_id, record_id),
            replayed or not was_open,
        )  # fmt: skip


@operation(scope="holds:write", effect="spends")
def release(
    actor: Actor, account_id: str, hold_id: str, *, idempotency_key: str | None = None
) -> Held:
    """Gives back all that a hold reserves. Again, or after it expired, it changes nothing.

    Raises NotFound, IdempotencyConflict, Conflict (`hold_already_resolved`) for a captured one.
    """
    said = Once("release", idempotency_key, hold_id)
    with write_transaction():
        till = open_till(actor, account_id)
        found = holds.get(account_id, hold_id)
        was_open = found.status == OPEN and not found.is_over(till.book.at)
        _, replayed = once(account_id, said, lambda: _released(till, found), at=till.book.at)
        return Held(holds.get(account_id, hold_id), replayed or not was_open)


@operation(scope="holds:write", effect="spends")
def extend(
    actor: Actor,
    account_id: str,
    hold_id: str,
    *,
    expires_in_s: int,
    idempotency_key: str | None = None,
) -> Held:
    """Gives an open hold another deadline, counted from now.

    Raises NotFound, InvalidRequest, IdempotencyConflict, Conflict (`hold_expired`,
    `hold_already_resolved`).
    """
    lasting = _lasting(expires_in_s)
    said = Once("extend", idempotency_key, [hold_id, expires_in_s])
    with write_transaction():
        till = open_till(actor, account_id)
        found = holds.get(account_id, hold_id)
        _, replayed = once(
            account_id, said, lambda: _extended(till, found, lasting), at=till.book.at
        )  # fmt: skip
        return Held(_now(holds.get(account_id, hold_id), till.book.at), replayed)


@operation(scope="balance:read", effect="reads")
def get_hold(actor: Actor, account_id: str, hold_id: str) -> Hold:
    """One hold of the account; one whose deadline has passed is shown as expired."""
    del actor
    return _now(holds.get(account_id, hold_id), now())


@operation(scope="balance:read", effect="reads")
def list_holds(
    actor: Actor,
    account_id: str,
    *,
    status: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Hold]:
    """The account's holds, newest first; `status` open, captured, released or expired (an open one
    whose deadline has passed is listed among the open ones, as expired)."""
    del actor
    if not 1 <= limit <= MAX_PAGE or status not in (None, *STATUSES):
        raise InvalidRequest(f"limit is 1 to {MAX_PAGE}, status one of {', '.join(STATUSES)}.")
    accounts.get(account_id)
    at = now()
    found = holds.page(account_id, status=status, before=before, limit=limit)
    return [_now(one, at) for one in found]


def _expected(
    expected: Money | Usage, provider: str, model: str, *, metadata: dict[str, Any]
) -> Usage:
    if isinstance(expected, Usage):
        return expected
    return Usage(model or "other", provider, cost=expected, metadata=metadata)


def _reserve(till: Till, wanted: Hold) -> str:
    till.book.require_currency(wanted.amount)
    _refuse(till, wanted.dims, wanted.amount_nanos, at=wanted.created_at)
    till.ceilings.hold(wanted.dims, wanted.amount_nanos, wanted.created_at)
    till.book.hold(wanted.amount_nanos)
    till.close()
    holds.store(wanted)
    return wanted.id


def _take(till: Till, found: Hold, wish: Wish, *, rated: Rated, policy: str) -> UsageRecord:
    book, nanos = till.book, rated.nanos
    is_open = found.status == OPEN and not found.is_over(book.at)
    beyond = nanos > (found.amount_nanos if is_open else 0)
    if policy == REFUSE and beyond:
        raise _beyond(found, is_open=is_open)
    if found.status == OPEN:
        till.free(found)
        holds.resolve(found, EXPIRED, book.at)  # for now, so that nobody frees it again
    dims = found.dims._replace(
        provider=rated.provider, model=rated.model, metadata=wish.used.metadata
    )  # fmt: skip
    if policy != OVERDRAFT and (beyond or dims != found.dims):
        _refuse(till, dims, nanos, at=found.created_at)
    till.ceilings.spend(dims, nanos, found.created_at, was_held=True)
    book.hold(nanos)  # until its entry is written
    if policy == OVERDRAFT:
        book.overdraw()
    charge = Charge(till)
    charge.add(Line(wish, rated, found.created_at, dims.key, dims.agent, found.id))
    [record] = charge.write()
    holds.resolve(found, CAPTURED, book.at, record=(nanos, record.id))
    return record


def _released(till: Till, found: Hold) -> str:
    if found.status == CAPTURED:
        raise _resolved(found)
    if found.status == OPEN:
        over = found.is_over(till.book.at)
        till.free(found)
        holds.resolve(found, EXPIRED if over else RELEASED, till.book.at)
        till.close()
    return str(found.id)


def _extended(till: Till, found: Hold, lasting: timedelta) -> str:
    book, until = till.book, till.book.at + lasting
    if found.status != OPEN or found.is_over(book.at):
        raise _resolved(found)
    holds.prolong(found, until)
    audit.write(
        book.signature, "hold.extend", found.id, account_id=book.account_id, at=book.at,
        before={"expires_at": found.expires_at.isoformat()},
        after={"expires_at": until.isoformat()},
    )  # fmt: skip
    return str(found.id)


def _refuse(till: Till, dims: Dims, nanos: int, *, at: datetime) -> None:
    refusal = till.refusal(dims, nanos, at)
    if refusal:
        raise refusal


def _used(found: Hold, taken: Money | Usage | None) -> Usage:
    if isinstance(taken, Usage):
        return replace(
            taken, model=taken.model or found.model, provider=taken.provider or found.provider,
            effective_at=found.created_at, metadata=found.metadata | taken.metadata,
        )  # fmt: skip
    cost = found.amount if taken is None else taken
    return Usage(
        found.model, found.provider, cost=cost, effective_at=found.created_at,
        metadata=found.metadata,
    )  # fmt: skip


def _captured_before(found: Hold, cost: Money) -> str:
    if found.status == CAPTURED and found.captured == cost:
        return str(found.record_id)
    raise _resolved(found)


def _beyond(found: Hold, *, is_open: bool) -> Conflict:
    if not is_open:
        return Conflict("The hold has expired.", code="hold_expired", extra={"hold_id": found.id})
    return Conflict(
        "This is more than is held.", code="capture_exceeds_hold",
        extra={"hold_id": found.id, "held": found.amount.text},
    )  # fmt: skip


def _resolved(found: Hold) -> Conflict:
    ended = {CAPTURED: "captured", RELEASED: "released"}
    if found.status in ended:
        words = f"The hold was {ended[found.status]} before."
        return Conflict(words, code="hold_already_resolved", extra={"hold_id": found.id})
    return Conflict("The hold has expired.", code="hold_expired", extra={"hold_id": found.id})


def _now(found: Hold, at: datetime) -> Hold:
    """The hold as it is now, whether or not somebody has tidied it away."""
    if found.status == OPEN and found.is_over(at):
        found.status = EXPIRED
    return found


def _lasting(expires_in_s: int | None) -> timedelta:
    seconds = current().settings.hold_expires_s if expires_in_s is None else expires_in_s
    if type(seconds) is not int or not 1 <= seconds <= MAX_HOLD_S:
        raise InvalidRequest(f"expires_in_s is 1 to {MAX_HOLD_S} seconds.")
    return timedelta(seconds=seconds)
