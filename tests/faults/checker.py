"""Judges a swarm by what it told and what stands in the books, without any code of the product.

Everything that was accepted is replayed in the order of the moments at which it was decided under
the account's lock: each must have fitted. Each refusal must have been right at some moment between
its question and its answer. What was told and what is stored must be the same.
"""

from __future__ import annotations

import heapq
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.faults.swarming import Told, Whose, reader

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SLOTS = 64
FITS = "ok"
# answers that say nothing of money: they are judged by the hold's own story
OF_HOLDS = {"capture_exceeds_hold", "hold_expired", "hold_already_resolved"}
_RECORDS = (
    "SELECT id, hold_id, key_id, agent, model, metadata, cost_nanos, effective_at, recorded_at"
    " FROM billing_usage_record WHERE account_id = ? ORDER BY id"
)
_HOLDS = (
    "SELECT id, amount_nanos, status, captured_nanos, record_id, key_id, agent, model, metadata,"
    " created_at, expires_at, resolved_at FROM billing_hold WHERE account_id = ? ORDER BY id"
)
_ENTRIES = (
    "SELECT sequence, kind, amount_nanos, recorded_at FROM billing_ledger_entry"
    " WHERE account_id = ? ORDER BY sequence"
)
_CHANGES = (
    "SELECT action, subject_id, before, after, at FROM billing_audit"
    " WHERE account_id = ? ORDER BY at, id"
)


@dataclass(frozen=True)
class Ceiling:
    """A limit: `about` holds what a use must be, `by` names the dimension with buckets."""

    window: str | int
    about: dict[str, str] = field(default_factory=dict)
    by: str = ""
    zone: str = "UTC"
    slides: bool = False

    def bucket(self, whose: Whose) -> str | None:
        if any(getattr(whose, name) != value for name, value in self.about.items()):
            return None
        return str(getattr(whose, self.by)) if self.by else ""

    def place(self, at: float) -> Any:
        """Where an instant lies (a window, or a slot of one that slides)."""
        if self.slides:
            assert isinstance(self.window, int)
            return round(at * 10**6) * SLOTS // (self.window * 10**6)
        local = datetime.fromtimestamp(at, ZoneInfo(self.zone))
        return {"total": "", "monthly": local.strftime("%Y-%m")}.get(
            str(self.window), local.strftime("%Y-%m-%d")
        )


@dataclass
class Kept:
    """A hold in the books."""

    whose: Whose
    nanos: int
    created: float
    expires: float
    is_open: bool = True


@dataclass
class Books:
    """The state at one moment of the replay."""

    ceilings: dict[str, Ceiling]
    amounts: dict[str, int] = field(default_factory=dict)
    available: int = 0
    used: dict[tuple[str, str], dict[Any, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    holds: dict[str, Kept] = field(default_factory=dict)
    ends: list[tuple[float, str]] = field(default_factory=list)

    def count(self, whose: Whose, nanos: int, at: float) -> None:
        self.available -= nanos
        for limit_id, bucket in self.about(whose):
            self.used[limit_id, bucket][self.ceilings[limit_id].place(at)] += nanos

    def about(self, whose: Whose) -> Iterator[tuple[str, str]]:
        for limit_id, ceiling in self.ceilings.items():
            bucket = ceiling.bucket(whose)
            if bucket is not None:
                yield limit_id, bucket

    def keep(self, hold_id: str, hold: Kept) -> None:
        self.holds[hold_id] = hold
        self.count(hold.whose, hold.nanos, hold.created)
        heapq.heappush(self.ends, (hold.expires, hold_id))

    def free(self, hold_id: str) -> None:
        hold = self.holds[hold_id]
        if hold.is_open:
            hold.is_open = False
            self.count(hold.whose, -hold.nanos, hold.created)

    def pass_time(self, now: float) -> None:
        while self.ends and self.ends[0][0] <= now:
            _, hold_id = heapq.heappop(self.ends)
            if self.holds[hold_id].expires <= now:
                self.free(hold_id)

    def refusals(self, whose: Whose, nanos: int, *, at: float, now: float) -> set[str]:
        """The limits that refuse so much more, and "" where the balance does."""
        if nanos == 0:
            return set()
        found = {""} if self.available < nanos else set()
        for limit_id, bucket in self.about(whose):
            most = self.fullest(limit_id, bucket, at=at, now=now)
            if most + nanos > self.amounts[limit_id]:
                found.add(limit_id)
        return found

    def fullest(self, limit_id: str, bucket: str, *, at: float, now: float) -> int:
        ceiling, used = self.ceilings[limit_id], self.used[limit_id, bucket]
        there = ceiling.place(at)
        if not ceiling.slides:
            return used.get(there, 0)
        last = max(there, min(there + SLOTS - 1, ceiling.place(now)))
        slots = [used.get(slot, 0) for slot in range(there - SLOTS + 1, last + 1)]
        return max(sum(slots[end - SLOTS : end]) for end in range(SLOTS, len(slots) + 1))

    def room(self, whose: Whose, now: float) -> int:
        """The most that fits now."""
        fits = [self.available]
        for limit_id, bucket in self.about(whose):
            most = self.fullest(limit_id, bucket, at=now, now=now)
            fits.append(self.amounts[limit_id] - most)
        return max(min(fits), 0)


@dataclass
class Verdict:
    """What is wrong, and the books at the end."""

    wrong: list[str]
    books: Books
    accepted: int
    refused: int


class Checker:
    """Replays one account."""

    def __init__(self, url: str, account_id: str, ceilings: dict[str, Ceiling]) -> None:
        ask, close = reader(url)
        self.records, self.holds, self.entries, self.changes = ask(
            [_RECORDS, _HOLDS, _ENTRIES, _CHANGES], account_id
        )
        close()
        self.books = Books(ceilings)
        self.wrong: list[str] = []
        self.policies: dict[str, str] = {}
        self.waiting: dict[int, Told] = {}
        self.accepted = self.refused = 0

    def judge(self, told: list[Told]) -> Verdict:
        self._compare(told)
        for one in told:
            if one.kind == "capture" and one.answer == FITS:
                self.policies[one.ids[0]] = one.policy
        events = sorted([*self._stored(), *self._asked(told)], key=lambda event: event[:2])
        for at, _, act, said in events:
            self._until(at)
            act(at, *said)
            self._excuse(at)
        return Verdict(self.wrong, self.books, self.accepted, self.refused)

    # -- events: (moment, order, what it does, with what)

    def _stored(self) -> Iterator[tuple[float, str, Any, tuple[Any, ...]]]:
        for sequence, kind, nanos, at in self.entries:
            if kind != "usage":
                yield moment(at), f"1 {sequence}", self._credit, (nanos,)
        naive = {row[0]: row[3] for row in self.holds if row[1] == 0 and row[3]}
        for record_id, hold_id, key, agent, model, told, nanos, effective, at in self.records:
            whose = Whose(key, agent, model, json.loads(told)["team"])
            if hold_id is None or (hold_id in naive and self.policies.get(hold_id) is None):
                yield moment(at), f"1 {record_id}", self._charge, (whose, nanos, moment(effective))
        yield from self._stored_holds()
        for action, target, _, after, at in self.changes:
            if action in ("limit.set", "limit.update"):
                yield moment(at), "1", self._edit, (target, nanos_of(json.loads(after)["amount"]))

    def _stored_holds(self) -> Iterator[tuple[float, str, Any, tuple[Any, ...]]]:
        extended: dict[str, list[Any]] = defaultdict(list)
        for action, target, before, after, at in self.changes:
            if action == "hold.extend":
                times = [moment(json.loads(side)["expires_at"]) for side in (before, after)]
                extended[target].append((moment(at), *times))
        for hold_id, nanos, status, taken, record_id, key, agent, model, told, *times in self.holds:
            created, expires, resolved = (moment(one) if one else 0.0 for one in times)
            whose = Whose(key, agent, model, json.loads(told)["team"])
            first = extended[hold_id][0][1] if extended[hold_id] else expires
            yield created, f"1 {hold_id}", self._hold, (hold_id, whose, nanos, first)
            for at, _, until in extended[hold_id]:
                yield at, f"2 {hold_id}", self._extend, (hold_id, until)
            if status == "captured" and hold_id in self.policies:
                yield resolved, f"3 {hold_id}", self._capture, (hold_id, taken)
            if status == "released":
                yield resolved, f"3 {hold_id}", self._release, (hold_id,)
            if (status == "captured") != (record_id is not None):
                self.wrong.append(f"{hold_id} is {status} with record {record_id}")

    def _asked(self, told: list[Told]) -> Iterator[tuple[float, str, Any, tuple[Any, ...]]]:
        for number, one in enumerate(told):
            if one.answer not in (FITS, *OF_HOLDS):
                yield one.before, "0", self._open, (number, one)
                yield one.after, "9", self._close, (number,)

    # -- what happens at them

    def _until(self, at: float) -> None:
        """Holds end at their own moments, each a state in which a refusal may have been right."""
        while self.books.ends and self.books.ends[0][0] <= at:
            self.books.pass_time(self.books.ends[0][0])
            self._excuse(at)

    def _credit(self, _: float, nanos: int) -> None:
        self.books.available += nanos

    def _edit(self, _: float, limit_id: str, nanos: int) -> None:
        self.books.amounts[limit_id] = nanos

    def _charge(self, at: float, whose: Whose, nanos: int, effective: float) -> None:
        self._require("a charge", whose, nanos, at=effective, now=at)
        self.books.count(whose, nanos, effective)

    def _hold(self, at: float, hold_id: str, whose: Whose, nanos: int, until: float) -> None:
        self._require("a hold", whose, nanos, at=at, now=at)
        self.books.keep(hold_id, Kept(whose, nanos, at, until))

    def _extend(self, at: float, hold_id: str, until: float) -> None:
        hold = self.books.holds[hold_id]
        if not hold.is_open:
            self.wrong.append(f"{hold_id} was extended after its end")
        hold.expires = until
        heapq.heappush(self.books.ends, (until, hold_id))

    def _capture(self, at: float, hold_id: str, nanos: int) -> None:
        hold, policy = self.books.holds[hold_id], self.policies[hold_id]
        reserved = hold.nanos if hold.is_open else 0
        self.books.free(hold_id)
        if policy == "refuse" and nanos > reserved:
            self.wrong.append(f"{hold_id}: more was captured than was held")
        if policy != "overdraft" and nanos > reserved:
            self._require("a capture", hold.whose, nanos, at=hold.created, now=at)
        self.books.count(hold.whose, nanos, hold.created)

    def _release(self, at: float, hold_id: str) -> None:
        if not self.books.holds[hold_id].is_open:
            self.wrong.append(f"{hold_id} was released after its end")
        self.books.free(hold_id)

    def _require(self, what: str, whose: Whose, nanos: int, *, at: float, now: float) -> None:
        self.accepted += 1
        found = self.books.refusals(whose, nanos, at=at, now=now)
        if found:
            names = sorted("the balance" if one == "" else "a limit" for one in found)
            self.wrong.append(f"{what} was accepted that did not fit {' and '.join(names)}")

    # -- refusals

    def _open(self, _: float, number: int, one: Told) -> None:
        self.refused += 1
        self.waiting[number] = one

    def _close(self, _: float, number: int) -> None:
        if number in self.waiting:
            one = self.waiting.pop(number)
            self.wrong.append(f"a {one.kind} of {one.nanos} was refused ({one.answer}) that fitted")

    def _excuse(self, now: float) -> None:
        for number, one in list(self.waiting.items()):
            if self._is_right(one, now):
                del self.waiting[number]

    def _is_right(self, one: Told, now: float) -> bool:
        hold = self.books.holds.get(one.ids[0]) if one.ids else None
        at = hold.created if hold else now
        was_open = hold is not None and hold.is_open
        if hold and was_open:
            self.books.count(hold.whose, -hold.nanos, at)
        found = self.books.refusals(one.whose, one.nanos, at=at, now=now)
        if hold and was_open:
            self.books.count(hold.whose, hold.nanos, at)
        return (one.limit_id if one.answer == "limit_exceeded" else "") in found

    def _compare(self, told: list[Told]) -> None:
        """What was told as done is stored, and nothing else; the order of the ledger is that of
        its moments; a hold's refusals fit its story."""
        charged = {one.ids[0] for one in told if one.kind == "charge" and one.answer == FITS}
        captured = {one.ids[0] for one in told if one.kind == "capture" and one.answer == FITS}
        made = {one.ids[0] for one in told if one.kind == "hold" and one.answer == FITS}
        stored = {row[0] for row in self.records if row[1] is None or row[0] in charged}
        self._same("charges", charged, stored)
        holds = {row[0]: row for row in self.holds}
        self._same("captures", captured, {one for one in made if holds[one][2] == "captured"})
        times = [moment(row[3]) for row in self.entries]
        if times != sorted(times):
            self.wrong.append("the ledger's order is not that of its moments")
        for one in told:
            self._of_a_hold(one, holds)
            known = {FITS, *OF_HOLDS, "insufficient_funds", "limit_exceeded"}
            if one.answer not in known:
                self.wrong.append(f"a caller met {one.answer}")

    def _of_a_hold(self, one: Told, holds: dict[str, Any]) -> None:
        if one.answer not in OF_HOLDS:
            return
        _, nanos, *_ = row = holds[one.ids[0]]
        fits = {
            "capture_exceeds_hold": one.nanos > nanos,
            "hold_expired": moment(row[10]) <= one.after,
            "hold_already_resolved": False,  # each hold has one owner, who resolves it once
        }
        if not fits[one.answer]:
            self.wrong.append(f"a {one.kind} was refused with {one.answer} without a reason")

    def _same(self, what: str, told: set[str], stored: set[str]) -> None:
        if told != stored:
            lost, extra = len(told - stored), len(stored - told)
            self.wrong.append(f"{what}: {lost} told but not stored, {extra} stored but not told")


def moment(value: Any) -> float:
    """Seconds since 1970 of a stored time, exact to the microsecond."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) + since.microseconds / 10**6


def nanos_of(text: str) -> int:
    """Nanos of an exact decimal text."""
    whole, _, rest = text.partition(".")
    return int(whole) * 10**9 + int((rest + "0" * 9)[:9])
