"""Limits in the reference: which uses a limit is about, and what its windows have counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SLIDING_S = {"daily": 86_400, "weekly": 604_800, "monthly": 2_592_000}
SLOTS = 64
EARLY = timedelta(minutes=5)
Marks = list[tuple["Dims", datetime, int, int]]


@dataclass(frozen=True)
class Dims:
    """Whose use and of what; `team` is the one metadata dimension that histories speak of."""

    key: str | None = None
    agent: str | None = None
    provider: str = "p"
    model: str = "m"
    team: Any = None

    def value(self, name: str) -> str | None:
        found = getattr(self, name.removeprefix("metadata."))
        if found is None or isinstance(found, str):
            return found
        return str(found).lower()  # 7 and true, as JSON writes them


@dataclass(frozen=True)
class Use:
    """What was used when."""

    dims: Dims
    at: datetime
    nanos: int


@dataclass
class Limit:
    """A ceiling."""

    amount: int
    window: str | int = "monthly"
    zone: str = "UTC"
    technique: str = "fixed"
    action: str = "hard"
    filters: dict[str, list[str]] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)
    active: bool = True
    raised: int = 0
    raised_until: datetime | None = None
    replaced: bool = False  # removed, and another limit has been given its plan

    @property
    def plan(self) -> tuple[Any, ...]:
        if self.replaced:
            return (id(self),)
        filters = tuple(
            (name, tuple(sorted(set(self.filters[name])))) for name in sorted(self.filters)
        )
        parts = tuple(sorted(set(self.partitions)))
        return (self.window, self.zone, self.technique, self.action, filters, parts)

    def ceiling(self, now: datetime) -> int:
        raised = self.raised_until is not None and now < self.raised_until
        return self.amount + (self.raised if raised else 0)


def bucket_of(limit: Limit, dims: Dims) -> tuple[str | None, ...] | None:
    """The bucket of a use; None where the limit is not about it."""
    if any(dims.value(name) not in values for name, values in limit.filters.items()):
        return None
    return tuple(dims.value(name) for name in sorted(set(limit.partitions)))


def place(limit: Limit, at: datetime) -> Any:
    """Where an instant lies: two instants share a window (or slot) when they share a place."""
    if limit.technique == "sliding":
        return slot(limit, at)
    if isinstance(limit.window, int):
        return int((at - EPOCH).total_seconds()) // limit.window
    local = at.astimezone(ZoneInfo(limit.zone))
    forms = {
        "total": (),
        "daily": (local.year, local.month, local.day),
        "weekly": tuple(local.isocalendar()[:2]),
        "monthly": (local.year, local.month),
    }
    return forms[limit.window]


def slot(limit: Limit, at: datetime) -> int:
    """The number of the slot since 1970; 64 of them make the window."""
    length_s = limit.window if isinstance(limit.window, int) else SLIDING_S[limit.window]
    since = at - EPOCH
    micros = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
    return micros * SLOTS // (length_s * 10**6)


def counted(limit: Limit, bucket: Any, marks: Marks) -> Iterable[tuple[datetime, int, int]]:
    return (
        (at, spent, held) for dims, at, spent, held in marks if bucket_of(limit, dims) == bucket
    )


def state(limit: Limit, bucket: Any, marks: Marks, now: datetime) -> tuple[int, int]:
    """Spent and held in the window of now (or that ends now, where it slides)."""
    there = place(limit, now)
    found = [0, 0]
    for at, spent, held in counted(limit, bucket, marks):
        here = place(limit, at)
        inside = there - SLOTS < here <= there if limit.technique == "sliding" else here == there
        if inside:
            found[0] += spent
            found[1] += held
    return found[0], found[1]


def fullest(
    limit: Limit, bucket: Any, marks: Marks, *, at: datetime, now: datetime
) -> tuple[int, int]:
    """Spent and held in the window of the instant; of windows that slide, in the fullest one that
    holds the instant and has begun, or will have within the minutes that a use may be early."""
    there = place(limit, at)
    if limit.technique != "sliding":
        found = [one for one in counted(limit, bucket, marks) if place(limit, one[0]) == there]
        return sum(spent for _, spent, _ in found), sum(held for *_, held in found)
    slots: dict[int, tuple[int, int]] = {}
    for when, spent, held in counted(limit, bucket, marks):
        before = slots.get(slot(limit, when), (0, 0))
        slots[slot(limit, when)] = (before[0] + spent, before[1] + held)
    last = max(there, min(there + SLOTS - 1, slot(limit, now + EARLY)))
    windows = [
        [pair for here, pair in slots.items() if end - SLOTS < here <= end]
        for end in range(there, last + 1)
    ]
    sums = [(sum(s for s, _ in window), sum(h for _, h in window)) for window in windows]
    return max(sums, key=sum)


def buckets(limit: Limit, marks: Marks) -> set[Any]:
    """Every bucket that anything counts in."""
    found = {bucket_of(limit, dims) for dims, *_ in marks}
    return found - {None}
