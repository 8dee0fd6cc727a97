"""The rules of one account once more, as plainly as they can be said: lists that are added up.

Shares no code with the product. Time passes by events: a hold's deadline, a credit's last moment
and a month's end each take effect exactly when they are due, whoever looks. Money is whole nanos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from tests.faults.reference_limits import Dims, Limit, Marks, Use, bucket_of, fullest

OPEN, CAPTURED, RELEASED, EXPIRED = "open", "captured", "released", "expired"
NEVER = datetime.max
REVERSIBLE = ("usage", "support", "promotion", "adjustment")
PRIORITIES = {"promotion": 10, "support": 20, "paid": 30}


class Refused(Exception):
    """The code by which the product must refuse; `limit` is the number of the limit at fault."""

    def __init__(self, code: str, limit: int | None = None) -> None:
        super().__init__(code)
        self.code, self.limit = code, limit


@dataclass
class Reserved:
    """A hold."""

    dims: Dims
    nanos: int
    created: datetime
    expires: datetime
    status: str = OPEN
    captured: int = 0


@dataclass
class Grant:
    """A credit; `entry` is the number of its movement."""

    entry: int
    kind: str
    remaining: int
    priority: int
    expires: datetime | None
    gone: int = 0  # expired

    @property
    def order(self) -> tuple[int, bool, Any, int]:
        return (self.priority, self.expires is None, self.expires or NEVER, self.entry)


@dataclass
class Entry:
    """A movement; of a charge with the uses it stands for (`costs`: what each still costs)."""

    kind: str
    nanos: int
    uses: list[Use] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)
    reversal: int | None = None


@dataclass
class Raise:
    """A wish for more under a limit."""

    limit: int
    nanos: int
    until: datetime
    expires: datetime
    status: str = "pending"


@dataclass(frozen=True)
class Wish:
    """One use to be charged."""

    dims: Dims
    nanos: int
    at: datetime | None = None
    key: str | None = None

    @property
    def content(self) -> Any:
        said = replace(self.dims, key=None, agent=None)
        return (said, self.nanos, self.at)


@dataclass
class Account:
    """One account and all that ever happened to it."""

    now: datetime
    entries: list[Entry] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    holds: list[Reserved] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    raises: list[Raise] = field(default_factory=list)
    keys: dict[tuple[str, str], tuple[Any, Any]] = field(default_factory=dict)
    notices: dict[tuple[int, str], int] = field(default_factory=dict)
    postpaid: int = 0
    month_ends: datetime | None = None

    # -- what is

    @property
    def posted(self) -> int:
        return sum(entry.nanos for entry in self.entries)

    @property
    def held(self) -> int:
        return sum(hold.nanos for hold in self.holds if hold.status == OPEN)

    @property
    def available(self) -> int:
        return self.posted - self.held

    @property
    def owed(self) -> int:
        return max(sum(grant.remaining for grant in self.grants) - self.posted, 0)

    def credits(self) -> list[tuple[str, int]]:
        return [(one.kind, one.remaining) for one in self._in_order() if one.remaining]

    def marks(self) -> Marks:
        """Everything that counts in limits: (dims, instant, spent, held)."""
        spent = [(use.dims, use.at, use.nanos, 0) for use in self.uses]
        held = [(one.dims, one.created, 0, one.nanos) for one in self.holds if one.status == OPEN]
        return spent + held

    # -- time

    def wait_until(self, to: datetime) -> None:
        while (due := self._next_due()) <= to.replace(tzinfo=None):
            self.now = due.replace(tzinfo=self.now.tzinfo)
            self._happen()
        self.now = to

    def _next_due(self) -> datetime:
        times = [hold.expires for hold in self.holds if hold.status == OPEN]
        later = [grant.expires for grant in self.grants if grant.remaining and grant.expires]
        times += [at for at in later if at > self.now]
        times += [self.month_ends] if self.month_ends else []
        return min([at.replace(tzinfo=None) for at in times], default=NEVER)

    def _happen(self) -> None:
        for hold in self.holds:
            if hold.status == OPEN and hold.expires <= self.now:
                hold.status = EXPIRED
        self._expire_credit()
        if self.month_ends and self.month_ends <= self.now:
            if self.posted < 0:
                self.entries.append(Entry("postpaid", -self.posted))
            self.month_ends = month_after(self.now) if self.postpaid else None

    def _expire_credit(self) -> None:
        """What is over goes, in the order in which it was over; what is held stays for now."""
        over = [one for one in self._in_order() if one.expires and one.expires <= self.now]
        for grant in sorted(over, key=lambda one: one.expires or self.now):
            gone = min(grant.remaining, max(self.available, 0))
            if gone:
                grant.remaining -= gone
                grant.gone += gone
                self.entries.append(Entry("expiry", -gone))

    # -- charging

    def charge(self, wish: Wish) -> str:
        """`ok` or `replayed`. Raises Refused."""
        [answer] = self.charge_all([wish])
        if isinstance(answer, Refused):
            raise answer
        return answer

    def charge_all(self, wishes: Sequence[Wish]) -> list[str | Refused]:
        """What becomes of each. Raises Refused for a conflict, which is about the whole batch."""
        said = {key: content for (name, key), (content, _) in self.keys.items() if name == "usage"}
        for wish in wishes:
            if wish.key and said.setdefault(wish.key, wish.content) != wish.content:
                raise Refused("idempotency_conflict")
        answers: list[str | Refused] = []
        groups: dict[Any, Entry] = {}
        for wish in wishes:
            try:
                answers.append(self._charged(wish, groups))
            except Refused as refusal:
                answers.append(refusal)
        return answers

    def _charged(self, wish: Wish, groups: dict[Any, Entry]) -> str:
        if wish.key and ("usage", wish.key) in self.keys:
            return "replayed"
        at = wish.at or self.now
        self.require(wish.dims, wish.nanos, at)
        self._spend(Use(wish.dims, at, wish.nanos), groups)
        if wish.key:
            self.keys["usage", wish.key] = (wish.content, None)
        return "ok"

    def require(self, dims: Dims, nanos: int, at: datetime) -> None:
        if nanos:
            self._require_limits(dims, nanos, at)
            self._require_money(nanos)

    def _require_limits(self, dims: Dims, nanos: int, at: datetime) -> None:
        marks = self.marks()
        for number, limit in enumerate(self.limits):
            bucket = bucket_of(limit, dims)
            if not limit.active or limit.action != "hard" or bucket is None:
                continue
            most = sum(fullest(limit, bucket, marks, at=at, now=self.now))
            if most + nanos > limit.ceiling(self.now):
                raise Refused("limit_exceeded", number)

    def _require_money(self, nanos: int) -> None:
        if self.available - nanos < -self.postpaid:
            raise Refused("insufficient_funds")

    def _spend(self, use: Use, groups: dict[Any, Entry], *, was_held: bool = False) -> None:
        if use.nanos:
            self._note(use.dims, use.nanos, use.at, ("soft",) if was_held else ("soft", "shadow"))
        group = (use.dims.provider, use.dims.model)
        if group not in groups:
            groups[group] = Entry("usage", 0)
            self.entries.append(groups[group])
        groups[group].nanos -= use.nanos
        groups[group].uses.append(use)
        groups[group].costs.append(use.nanos)
        self.uses.append(use)
        self._draw(use.nanos, self._in_order())

    def _note(self, dims: Dims, nanos: int, at: datetime, actions: tuple[str, ...]) -> None:
        marks = self.marks()
        for number, limit in enumerate(self.limits):
            bucket = bucket_of(limit, dims)
            if not limit.active or limit.action not in actions or bucket is None:
                continue
            spent, held = fullest(limit, bucket, marks, at=at, now=self.now)
            ceiling = limit.ceiling(self.now)
            reached = limit.action == "soft" and spent < max(ceiling, 1) <= spent + nanos
            refused = limit.action == "shadow" and spent + held + nanos > ceiling
            if reached or refused:
                key = (number, "reached" if reached else "would_refuse")
                self.notices[key] = self.notices.get(key, 0) + 1

    # -- credit

    def credit(self, entry: Entry, kind: str, **terms: Any) -> int:
        """Enters a credit; what is owed is paid from it first. Returns its number."""
        debt = self.owed
        self.entries.append(entry)
        number = len(self.entries) - 1
        priority = terms.get("priority")
        priority = PRIORITIES[kind] if priority is None else priority
        left = max(entry.nanos - debt, 0)
        self.grants.append(Grant(number, kind, left, priority, terms.get("expires")))
        self._expire_credit()  # what holds needed of it until now, the new credit covers
        return number

    def adjust(self, nanos: int, kind: str) -> int:
        if nanos > 0:
            return self.credit(Entry(kind, nanos), "support" if kind == "support" else "paid")
        self._require_money(-nanos)
        self.entries.append(Entry(kind, nanos))
        self._draw(-nanos, self._in_order())
        return len(self.entries) - 1

    def set_postpaid(self, nanos: int) -> None:
        self.postpaid = nanos
        if nanos and self.month_ends is None:
            self.month_ends = month_after(self.now)

    def _in_order(self) -> list[Grant]:
        return sorted(self.grants, key=lambda one: one.order)

    def _draw(self, nanos: int, grants: list[Grant]) -> None:
        for grant in grants:
            taken = min(grant.remaining, nanos)
            grant.remaining -= taken
            nanos -= taken

    # -- holds

    def hold(self, dims: Dims, nanos: int, lasting_s: int) -> int:
        self.require(dims, nanos, self.now)
        if nanos:
            self._note(dims, nanos, self.now, ("shadow",))
        until = self.now + timedelta(seconds=lasting_s)
        self.holds.append(Reserved(dims, nanos, self.now, until))
        return len(self.holds) - 1

    def capture(self, number: int, dims: Dims, nanos: int, policy: str) -> str:
        hold = self.holds[number]
        if hold.status == CAPTURED and hold.captured == nanos:
            return "replayed"
        if hold.status in (CAPTURED, RELEASED):
            raise Refused("hold_already_resolved")
        was, reserved = hold.status, hold.nanos if hold.status == OPEN else 0
        if policy == "refuse" and nanos > reserved:
            raise Refused("capture_exceeds_hold" if was == OPEN else "hold_expired")
        hold.status = CAPTURED
        try:
            if policy != "overdraft" and (nanos > reserved or dims != hold.dims):
                self.require(dims, nanos, hold.created)
        except Refused:
            hold.status = was
            raise
        hold.captured = nanos
        self._spend(Use(dims, hold.created, nanos), {}, was_held=True)
        self._expire_credit()
        return "ok"

    def release(self, number: int) -> str:
        hold = self.holds[number]
        if hold.status == CAPTURED:
            raise Refused("hold_already_resolved")
        before, hold.status = hold.status, RELEASED if hold.status == OPEN else hold.status
        self._expire_credit()
        return "ok" if before == OPEN else "replayed"

    def extend(self, number: int, lasting_s: int) -> None:
        hold = self.holds[number]
        if hold.status != OPEN:
            raise Refused("hold_expired" if hold.status == EXPIRED else "hold_already_resolved")
        hold.expires = self.now + timedelta(seconds=lasting_s)

    # -- corrections

    def reverse(self, number: int) -> int:
        """The number of the reversal."""
        entry = self.entries[number]
        if entry.reversal is not None:
            return entry.reversal
        gone = sum(grant.gone for grant in self.grants if grant.entry == number)
        nanos = sum(entry.costs) if entry.kind == "usage" else gone - entry.nanos
        if entry.kind not in REVERSIBLE or nanos == 0:
            raise Refused("not_reversible")
        if nanos < 0:
            self._require_money(-nanos)
        entry.reversal = self._give_back(Entry("reversal", nanos), entry, number)
        return entry.reversal

    def refund(self, number: int, nanos: int) -> int:
        entry = self.entries[number]
        if entry.kind != "usage" or entry.reversal is not None:
            raise Refused("not_reversible")
        if nanos > sum(entry.costs):
            raise Refused("refund_exceeds_charge")
        return self._give_back(Entry("refund", nanos), entry, number)

    def _give_back(self, given: Entry, entry: Entry, number: int) -> int:
        if given.nanos > 0:
            made = self.credit(given, "paid")
        else:
            self.entries.append(given)
            made = len(self.entries) - 1
            order = self._in_order()
            mine = [one for one in order if one.entry == number]
            self._draw(-given.nanos, mine + [one for one in order if one.entry != number])
        if entry.kind == "usage":
            for index, part in enumerate(shares(given.nanos, entry.costs)):
                entry.costs[index] -= part
                use = entry.uses[index]
                self.uses.append(Use(use.dims, use.at, -part))
        self._expire_credit()
        return made

    # -- raises

    def decide(self, number: int, status: str) -> None:
        wish = self.raises[number]
        over = wish.status == "pending" and wish.expires <= self.now
        found = "expired" if over else wish.status
        if found == status:
            return
        if found != "pending":
            raise Refused("raise_expired" if over else "raise_already_decided")
        if status == "approved":
            limit = self.limits[wish.limit]
            if not limit.active:
                raise Refused("not_found")
            limit.raised, limit.raised_until = wish.nanos, wish.until
        wish.status = status

    # -- keys

    def once(self, name: str, key: str | None, content: Any, act: Any) -> tuple[Any, bool]:
        """What `act` returns, or what the same call returned before (True: replayed)."""
        if key and (name, key) in self.keys:
            known, answer = self.keys[name, key]
            if known != content:
                raise Refused("idempotency_conflict")
            return answer, True
        answer = act()
        if key:
            self.keys[name, key] = (content, answer)
        return answer, False


def month_after(at: datetime) -> datetime:
    """The first instant of the next month."""
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    return datetime(year, month, 1, tzinfo=at.tzinfo)


def shares(total: int, weights: list[int]) -> list[int]:
    """Parts of the total in proportion: whole parts, what is left to the largest remainders."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    rests = [(total * weight) % whole for weight in weights]
    left = total - sum(parts)
    for index in sorted(range(len(weights)), key=lambda one: (-rests[one], one))[:left]:
        parts[index] += 1
    return parts
