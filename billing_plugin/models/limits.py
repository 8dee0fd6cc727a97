"""Spending limits: what each is about, and the rules that a charge is held against.

A limit is about a scope (`filters`: dimension -> values that match, all of them must; `partitions`:
dimensions of which each value has a bucket of its own), a window, a technique and an action. Its
rules are kept in memory by the version that stands in the account's row: a rule is only used in a
transaction that has seen this very version under the account's lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import peewee

from billing_plugin import context, ids, periods
from billing_plugin.errors import InvalidRequest, NotFound
from billing_plugin.models.base import (
    JSONField,
    Table,
    UTCDateTimeField,
    dump,
    execute,
    load,
    stored_time,
)
from billing_plugin.models.usage import Dims
from billing_plugin.money import MAX_NANOS, Money
from billing_plugin.periods import Period

PREFIX = "lim"
WHOLE = ""  # the one bucket of a limit that is not partitioned
FIXED, SLIDING = "fixed", "sliding"
HARD, SOFT, SHADOW = "hard", "soft", "shadow"
DIMENSIONS = ("key", "agent", "provider", "model")
METADATA = "metadata."
_KEPT = "limits"
_KEPT_ACCOUNTS = 10_000


class SpendingLimit(Table):
    """A ceiling of an account: amount in nanos, scope, window in a zone, technique, action."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    name = peewee.TextField()
    amount_nanos = peewee.BigIntegerField()
    currency = peewee.TextField()
    window_name = peewee.TextField()
    zone = peewee.TextField()
    technique = peewee.TextField()
    action = peewee.TextField()
    filters = JSONField()
    partitions = JSONField()
    identity = peewee.TextField()
    raise_nanos = peewee.BigIntegerField(default=0)
    raise_until = UTCDateTimeField(null=True)
    revision = peewee.BigIntegerField()
    active = peewee.IntegerField()
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_spending_limit"

    @property
    def amount(self) -> Money:
        """The ceiling, without a raise."""
        return Money(self.amount_nanos, self.currency)

    @property
    def window(self) -> str | int:
        """The calendar window's name, or whole seconds."""
        return int(self.window_name) if self.window_name.isdecimal() else self.window_name


@dataclass(frozen=True, slots=True)
class Plan:
    """What a limit is about, apart from its amount: two of the same plan are the same limit."""

    window: str | int = periods.MONTHLY
    zone: str = "UTC"
    technique: str = FIXED
    action: str = HARD
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    partitions: tuple[str, ...] = ()
    name: str = ""

    @property
    def columns(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "window_name": str(self.window),
            "zone": self.zone,
            "technique": self.technique,
            "action": self.action,
            "filters": {name: list(values) for name, values in self.filters},
            "partitions": list(self.partitions),
            "name": self.name,
        }


@dataclass(slots=True)
class Rule:
    """One limit, ready to be held against many uses. `length_s` is None for a calendar window."""

    id: str
    name: str
    amount_nanos: int
    raise_nanos: int
    raise_until: datetime | None
    currency: str
    window: str | int
    zone: str
    slides: bool
    action: str
    filters: tuple[tuple[str, frozenset[str]], ...]
    partitions: tuple[str, ...]
    _latest: tuple[Period, str] | None = None

    @property
    def length_s(self) -> int:
        """Seconds of a window that slides."""
        return self.window if isinstance(self.window, int) else periods.SLIDING_S[self.window]

    def raised_until(self, at: datetime) -> datetime | None:
        """When the raise ends that is in force at the instant; None where none is."""
        until = self.raise_until
        return until if until is not None and at < until else None

    def ceiling(self, at: datetime) -> int:
        """Nanos that may be spent in a window, as of the instant."""
        more = self.raise_nanos if self.raised_until(at) else 0
        return min(self.amount_nanos + more, MAX_NANOS)

    def bucket(self, dims: Dims) -> str | None:
        """The bucket in which a use counts; None where the limit is not about it.

        What a partition's dimension is missing from shares one bucket, so that nothing escapes.
        """
        for name, values in self.filters:
            if value_of(dims, name) not in values:
                return None
        if not self.partitions:
            return WHOLE
        return dump([value_of(dims, name) for name in self.partitions])

    def period(self, at: datetime) -> Period:
        """The window that holds the instant (of a sliding one, its newest slot)."""
        return self.window_at(at)[0]

    def window_at(self, at: datetime) -> tuple[Period, str]:
        """The window that holds the instant, and its start as it is stored."""
        latest = self._latest  # read once: other threads use this rule as well
        if latest is None or not latest[0].start <= at < latest[0].end:
            period = self._period(at)
            latest = self._latest = (period, stored_time(period.start))
        return latest

    def _period(self, at: datetime) -> Period:
        if self.slides:
            return periods.slot(self.length_s, at)
        if isinstance(self.window, int):
            return periods.window_of_seconds(self.window, at)
        return periods.window(self.window, at, self.zone)


class Cell(NamedTuple):
    """One bucket of one rule: where counters stand, a window beside a window."""

    rule: Rule
    bucket: str


def value_of(dims: Dims, name: str) -> str | None:
    """What a use says about a dimension; numbers and flags of metadata as their JSON text.

    A use that just happened and its record, read back, say the same.
    """
    if not name.startswith(METADATA):
        found: str | None = getattr(dims, name)
        return found
    value = dims.metadata.get(name.removeprefix(METADATA))
    if value is None or isinstance(value, str):
        return value
    stored = load(dump(value))
    text = dump(stored)
    return str(load(text)) if isinstance(stored, (str, Decimal)) else text


def rules(account_id: str, version: int) -> list[Rule]:
    """The account's rules of that version; it must have been read under the account's lock."""
    if version == 0:
        return []
    kept: dict[str, tuple[int, list[Rule]]] = context.current().kept.setdefault(_KEPT, {})
    known = kept.get(account_id)
    if known is None or known[0] != version:
        if len(kept) >= _KEPT_ACCOUNTS:
            kept.clear()
        known = kept[account_id] = (version, [rule_of(limit) for limit in active(account_id)])
    return known[1]


def known_rules(account_id: str) -> tuple[int, list[Rule]]:
    """The version and rules that this process saw last; a charge by them must name the version."""
    kept: dict[str, tuple[int, list[Rule]]] = context.current().kept.get(_KEPT, {})
    return kept.get(account_id, (0, []))


def rule_of(limit: SpendingLimit) -> Rule:
    """The limit as a rule."""
    return Rule(
        limit.id, limit.name, limit.amount_nanos, limit.raise_nanos, limit.raise_until,
        limit.currency, limit.window, limit.zone, limit.technique == SLIDING, limit.action,
        tuple((name, frozenset(values)) for name, values in limit.filters.items()),
        tuple(limit.partitions),
    )  # fmt: skip


def active(account_id: str) -> list[SpendingLimit]:
    """The account's limits in force, oldest first."""
    query = SpendingLimit.select().where(
        (SpendingLimit.account_id == account_id) & (SpendingLimit.active == 1)
    )
    return list(query.order_by(SpendingLimit.id))


def get(account_id: str, limit_id: str) -> SpendingLimit:
    """One of the account's limits in force. Raises NotFound."""
    for limit in active(account_id):
        if limit.id == limit_id:
            return limit
    raise NotFound("There is no such limit.")


def find(account_id: str, plan: Plan) -> SpendingLimit | None:
    """The account's limit of that plan, in force or not."""
    owned = (SpendingLimit.account_id == account_id) & (SpendingLimit.identity == identity(plan))
    found: SpendingLimit | None = SpendingLimit.get_or_none(owned)
    return found


def put(account_id: str, amount: Money, plan: Plan, *, at: datetime) -> SpendingLimit:
    """Creates the account's limit of that plan, or changes its amount and puts it in force."""
    row: dict[str, Any] = {"amount_nanos": amount.nanos, "currency": amount.currency}
    known = find(account_id, plan)
    if known is None:
        known = SpendingLimit.create(
            id=ids.new_id(PREFIX), account_id=account_id, identity=identity(plan), active=1,
            created_at=at, updated_at=at, revision=1, **row, **plan.columns,
        )  # fmt: skip
    else:
        change(known, at, active=1, **row)
    bump(account_id)
    return get(account_id, known.id)


def replan(limit: SpendingLimit, plan: Plan, at: datetime) -> None:
    """Makes a limit be about something else. Its windows are counted anew from what was used.

    Raises InvalidRequest where the account has a limit of that plan in force.
    """
    other = find(limit.account_id, plan)
    if other is not None and other.id != limit.id:
        if other.active:
            raise InvalidRequest("There is a limit of this scope and window already.")
        change(other, at, identity=other.id)  # it was removed, and does not come back
    change(limit, at, identity=identity(plan), **plan.columns)
    _forget(limit)


def remove(limit: SpendingLimit, at: datetime) -> None:
    """Takes the limit out of force. What its windows counted is counted anew if it comes back."""
    change(limit, at, active=0, raise_nanos=0, raise_until=None)
    _forget(limit)


def change(limit: SpendingLimit, at: datetime, **values: Any) -> None:
    """Changes columns of a limit, and its revision."""
    SpendingLimit.update(
        updated_at=at, revision=SpendingLimit.revision + 1, **values
    ).where(SpendingLimit.id == limit.id).execute()  # fmt: skip
    bump(limit.account_id)


def bump(account_id: str) -> None:
    """Tells everyone that the account's limits are others now.

    The version is drawn, not counted: it never comes back, not even when a backup is restored.
    """
    execute(
        "UPDATE billing_account SET limits_version = ? WHERE id = ?",
        (1 + secrets.randbits(62), account_id),
    )


def identity(plan: Plan) -> str:
    """What tells two limits of an account apart."""
    return dump(plan.columns)


def said_by(limit: SpendingLimit) -> dict[str, Any]:
    """What a stored limit is about, by the names of a plan."""
    return {
        "window": limit.window,
        "zone": limit.zone,
        "technique": limit.technique,
        "action": limit.action,
        "filters": limit.filters,
        "partitions": limit.partitions,
        "name": limit.name,
    }


def plan_with(*, filters: dict[str, Sequence[str]], partitions: Sequence[str], **said: Any) -> Plan:
    """A plan in its one form: dimensions and values in order, each once."""
    return Plan(
        filters=tuple((name, tuple(sorted(set(filters[name])))) for name in sorted(filters)),
        partitions=tuple(sorted(set(partitions))),
        **said,
    )


def _forget(limit: SpendingLimit) -> None:
    execute("DELETE FROM billing_limit_counter WHERE limit_id = ?", (limit.id,))
