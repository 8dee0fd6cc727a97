"""Charging: many wishes decided in order under one lock, and written as one change.

What is charged together stands in one ledger entry for each provider, model and signature; each
use has a record of its own. A wish is charged whole or refused whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from billing_plugin import ids
from billing_plugin.context import Signature
from billing_plugin.errors import BillingError, IdempotencyConflict
from billing_plugin.models import store, usage
from billing_plugin.models.base import quoted, stored_time
from billing_plugin.models.idempotency import OTHER_CONTENT, Intent
from billing_plugin.models.ledger import Movement
from billing_plugin.models.usage import Dims, Usage, UsageRecord
from billing_plugin.operations.prices import Rated
from billing_plugin.operations.till import Till
from billing_plugin.periods import aware

Group = tuple[str, str, Signature, int]


class Outcome(NamedTuple):
    """What became of one submission: a record (perhaps replayed) or the error that refused it."""

    record: UsageRecord | None = None
    replayed: bool = False
    error: BillingError | None = None


@dataclass(slots=True)
class Wish:
    """One use that somebody wants to be charged: rated, or why it cannot be."""

    used: Usage
    signature: Signature
    agent: str | None = None
    intent: Intent | None = None
    rated: Rated | BillingError | None = None
    counts: str = "{}"  # of its tokens, as they are stored
    place: int = 0  # wishes of one place may share a ledger entry

    @property
    def digest(self) -> bytes | None:
        """The digest of its idempotency key, if it has one."""
        return self.intent.digest if self.intent else None

    def check_content(self, content: bytes) -> None:
        """Refuses the wish where its key stands for other content."""
        if self.intent and self.intent.content != content:
            self.rated = IdempotencyConflict(OTHER_CONTENT)

    def dims(self, rated: Rated) -> Dims:
        """Whose use it is and of what."""
        said = self.used.metadata
        return Dims(self.signature.key_id, self.agent, rated.provider, rated.model, said)


@dataclass(slots=True)
class Line:
    """One charged use on its way to the books."""

    wish: Wish
    rated: Rated
    dims: Dims
    effective_at: datetime
    hold_id: str | None = None
    entry_id: str = ""

    @property
    def group(self) -> Group:
        """Lines of one group stand in one ledger entry."""
        return (self.rated.provider, self.rated.model, self.wish.signature, self.wish.place)


@dataclass(slots=True)
class Charge:
    """Wishes being charged in one transaction. `known`: results of earlier calls, by digest."""

    till: Till
    known: dict[bytes, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    _by_digest: dict[bytes, int] = field(default_factory=dict)

    def decide(self, wish: Wish) -> int | Outcome:
        """Takes the wish (the number of its line), or says what became of it."""
        if isinstance(wish.rated, IdempotencyConflict):
            return Outcome(error=wish.rated)
        if wish.digest in self.known:
            return Outcome(replayed=True)
        if wish.digest in self._by_digest:
            return self._again(wish, self._by_digest[wish.digest])
        if not isinstance(wish.rated, Rated):
            return Outcome(error=wish.rated)
        try:
            return self._take(wish, wish.rated)
        except BillingError as error:
            return Outcome(error=error)

    def decide_together(self, wishes: Sequence[Wish]) -> list[int | Outcome] | None:
        """All at once, where they fit all together: then each of them fits in its turn.

        None where one must be looked at by itself; nothing has been taken then.
        """
        if not self.till.ceilings.are_plain:
            return None
        lines = [self._line(wish) for wish in wishes]
        decided = [line for line in lines if line is not None]
        if len(decided) == len(wishes) and self._take_lines():
            return decided
        self.lines.clear()
        self._by_digest.clear()
        return None

    def _line(self, wish: Wish) -> int | Outcome | None:
        """A line for a wish that nothing speaks against, or what was answered before."""
        digest, rated = wish.digest, wish.rated
        if digest is not None:
            if isinstance(rated, IdempotencyConflict):
                return None
            if digest in self.known:
                return Outcome(replayed=True)
            if digest in self._by_digest:
                return self._again(wish, self._by_digest[digest])
            self._by_digest[digest] = len(self.lines)
        if not isinstance(rated, Rated) or rated.cost.currency != self.till.book.currency:
            return None
        said = wish.used.effective_at
        at = self.till.book.at if said is None else aware(said)
        self.lines.append(Line(wish, rated, wish.dims(rated), at))
        return len(self.lines) - 1

    def _again(self, wish: Wish, number: int) -> int | Outcome:
        """The line that another wish with the same key has, if it said the same."""
        before = self.lines[number].wish.intent
        if before and wish.intent and before.content != wish.intent.content:
            return Outcome(error=IdempotencyConflict(OTHER_CONTENT))
        return number

    def _take_lines(self) -> bool:
        taken = 0
        for group in _groups(self.lines, apart=False):
            nanos = sum(line.rated.cost.nanos for line in group)
            times = [line.effective_at for line in group]
            if not self.till.spend_together(group[0].dims, nanos, span=(min(times), max(times))):
                self.till.forget(taken)
                return False
            taken += nanos
        return True

    def _take(self, wish: Wish, rated: Rated) -> int:
        book = self.till.book
        book.require_currency(rated.cost)
        at = aware(wish.used.effective_at) if wish.used.effective_at else book.at
        nanos = rated.cost.nanos
        dims = wish.dims(rated)
        refusal = self.till.refusal(dims, nanos, at)
        if refusal:
            raise refusal
        self.till.ceilings.spend(dims, nanos, at)
        book.hold(nanos)  # until its entry is written
        self.lines.append(Line(wish, rated, dims, at))
        if wish.intent:
            self._by_digest[wish.intent.digest] = len(self.lines) - 1
        return len(self.lines) - 1

    def write(self) -> list[UsageRecord]:
        """Writes the lines taken: entries, balance, counters, records, keys."""
        for group in _groups(self.lines):
            self.till.book.hold(-sum(line.rated.cost.nanos for line in group))
            entry_id = self.till.book.enter(movement_of(group))
            for line in group:
                line.entry_id = entry_id
        records = self._records()
        done = [
            (line.wish.intent, record.id)
            for line, record in zip(self.lines, records, strict=True)
            if line.wish.intent
        ]
        store.write(self.till.book, self.till.ceilings, records, done=done)
        return records

    def _records(self) -> list[UsageRecord]:
        account_id, at = self.till.book.account_id, self.till.book.at
        fresh = ids.new_ids(usage.PREFIX, len(self.lines))
        return [
            record_of(line, record_id, account_id=account_id, at=at)
            for line, record_id in zip(self.lines, fresh, strict=True)
        ]


def charge_all(
    till: Till, wishes: Sequence[Wish], *, known: dict[bytes, str], stop_at_refusal: bool = False
) -> list[Outcome]:
    """Charges the wishes in order; the list ends early where `stop_at_refusal` says so."""
    charge = Charge(till, known)
    decided = charge.decide_together(wishes) if len(wishes) > 1 else None
    if decided is None:
        decided = _one_by_one(charge, wishes, stop_at_refusal=stop_at_refusal)
    records = charge.write()
    first: set[int] = set()
    outcomes = [
        one if isinstance(one, Outcome) else _outcome(one, records, first) for one in decided
    ]
    return _with_replayed(till.book.account_id, wishes, outcomes, known=known)


def _one_by_one(
    charge: Charge, wishes: Sequence[Wish], *, stop_at_refusal: bool
) -> list[int | Outcome]:
    decided: list[int | Outcome] = []
    for wish in wishes:
        decided.append(charge.decide(wish))
        if stop_at_refusal and isinstance(decided[-1], Outcome) and decided[-1].error:
            break
    return decided


def record_of(line: Line, record_id: str, *, account_id: str, at: datetime) -> UsageRecord:
    """The record of a line whose entry is written."""
    rated, dims = line.rated, line.dims
    return UsageRecord(
        record_id, account_id, line.entry_id, line.hold_id, None, dims.key, dims.agent,
        dims.provider, dims.model, line.wish.counts, rated.price, rated.cost.nanos,
        rated.cost.currency, rated.flagged, dims.metadata, line.effective_at, at,
    )  # fmt: skip


def _outcome(number: int, records: Sequence[UsageRecord], first: set[int]) -> Outcome:
    replayed = number in first
    first.add(number)
    return Outcome(records[number], replayed)


def _groups(lines: Iterable[Line], *, apart: bool = True) -> Iterable[list[Line]]:
    """Lines that share a ledger entry; not `apart`: lines that every limit counts alike."""
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        key = line.group if apart else line.dims[:4]
        groups.setdefault(key, []).append(line)
    return groups.values()


def movement_of(lines: Sequence[Line]) -> Movement:
    """One entry for all of them, effective when the latest of them was."""
    first = lines[0]
    return Movement(
        "usage",
        -sum(line.rated.cost.nanos for line in lines),
        max(line.effective_at for line in lines),
        said=entry_facts(lines),
        signature=first.wish.signature,
    )


def entry_facts(lines: Sequence[Line]) -> str:
    """What an entry says of the uses that it charges, as JSON text."""
    tokens = sum(line.wish.used.input_tokens + line.wish.used.output_tokens for line in lines)
    model, provider = quoted(lines[0].rated.model), quoted(lines[0].rated.provider)
    several = "" if len(lines) == 1 else _of_several(lines)
    return f'{{"model":{model},"provider":{provider}{several},"tokens":{tokens}}}'


def _of_several(lines: Sequence[Line]) -> str:
    since = stored_time(min(line.effective_at for line in lines))
    return f',"records":{len(lines)},"since":"{since}"'


def _with_replayed(
    account_id: str, wishes: Sequence[Wish], outcomes: list[Outcome], *, known: dict[bytes, str]
) -> list[Outcome]:
    """The outcomes, with the records that earlier calls stored."""
    if not known:
        return outcomes
    found = usage.by_ids(account_id, list(known.values()))
    by_digest = {digest: found[record_id] for digest, record_id in known.items()}
    return [
        Outcome(by_digest[wish.digest], replayed=True)
        if wish.digest in by_digest and not outcome.error
        else outcome
        for wish, outcome in zip(wishes, outcomes, strict=False)
    ]
