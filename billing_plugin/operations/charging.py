"""Charging: many wishes decided in order under one lock, and written as one change.

What is charged together stands in one ledger entry for each provider, model and signature; each
use has a record of its own. A wish is charged whole or refused whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from billing_plugin import ids
from billing_plugin.context import Signature
from billing_plugin.errors import BillingError, IdempotencyConflict
from billing_plugin.models import store, usage
from billing_plugin.models.base import dump, quoted, stored_time
from billing_plugin.models.idempotency import OTHER_CONTENT
from billing_plugin.models.ledger import Movement
from billing_plugin.models.usage import UsageRecord
from billing_plugin.operations.prices import Rated
from billing_plugin.operations.till import Till
from billing_plugin.operations.wishes import Wish
from billing_plugin.periods import aware

Group = tuple[str, str, Signature, int]
_new = tuple.__new__  # a record is made a million times: half the time of its own constructor


class Outcome(NamedTuple):
    """What became of one submission: a record (perhaps replayed) or the error that refused it."""

    record: UsageRecord | None = None
    replayed: bool = False
    error: BillingError | None = None


@dataclass(slots=True)
class Line:
    """One charged use on its way to the books."""

    wish: Wish
    rated: Rated
    effective_at: datetime
    key_id: str | None
    agent: str | None
    hold_id: str | None = None
    entry_id: str = ""

    @property
    def group(self) -> Group:
        """Lines of one group stand in one ledger entry."""
        return (self.rated.provider, self.rated.model, self.wish.signature, self.wish.place)

    @property
    def tokens(self) -> int:
        """How many tokens it counts, in and out."""
        return self.wish.used.input_tokens + self.wish.used.output_tokens


@dataclass(slots=True)
class Charge:
    """Wishes being charged in one transaction. `known`: results of earlier calls, by digest."""

    till: Till
    known: dict[bytes, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    _groups: dict[Group, list[Line]] = field(default_factory=dict)
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

    def add(self, line: Line) -> int:
        """Takes a line that till and limits have let through; its number."""
        self.lines.append(line)
        self._groups.setdefault(line.group, []).append(line)
        return len(self.lines) - 1

    def _again(self, wish: Wish, number: int) -> int | Outcome:
        """The line that another wish with the same key has, if it said the same."""
        before = self.lines[number].wish.intent
        if before and wish.intent and before.content != wish.intent.content:
            return Outcome(error=IdempotencyConflict(OTHER_CONTENT))
        return number

    def _take(self, wish: Wish, rated: Rated) -> int:
        book = self.till.book
        book.require_currency(rated.cost)
        at = aware(wish.used.effective_at) if wish.used.effective_at else book.at
        nanos, dims = rated.nanos, wish.dims(rated)
        refusal = self.till.refusal(dims, nanos, at)
        if refusal:
            raise refusal
        self.till.ceilings.spend(dims, nanos, at)
        book.hold(nanos)  # until its entry is written
        number = self.add(Line(wish, rated, at, dims.key, dims.agent))
        if wish.intent:
            self._by_digest[wish.intent.digest] = number
        return number

    def write(self) -> list[UsageRecord]:
        """Writes the lines taken: entries, balance, counters, records, keys."""
        for group in self._groups.values():
            self.till.book.hold(-sum_of(group))
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
        account_id, at = self.till.book.account_id, stored_time(self.till.book.at)
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


def record_of(line: Line, record_id: str, *, account_id: str, at: str) -> UsageRecord:
    """The record of a line whose entry is written, `at` in stored form."""
    wish, rated, said = line.wish, line.rated, line.wish.used.metadata
    row = (
        record_id, account_id, line.entry_id, line.hold_id, None, line.key_id, line.agent,
        rated.provider, rated.model, wish.counts, rated.price, rated.nanos, rated.currency,
        int(rated.flagged), dump(said) if said else "{}", stored_time(line.effective_at), at,
    )  # fmt: skip
    return _new(UsageRecord, row)


def _outcome(number: int, records: Sequence[UsageRecord], first: set[int]) -> Outcome:
    replayed = number in first
    first.add(number)
    return Outcome(records[number], replayed)


def sum_of(lines: Iterable[Line]) -> int:
    """What they cost together, in nanos."""
    return sum([line.rated.nanos for line in lines])


def movement_of(lines: Sequence[Line]) -> Movement:
    """One entry for all of them, effective when the latest of them was."""
    first, times = lines[0], [line.effective_at for line in lines]
    several = (len(lines), min(times)) if len(lines) > 1 else None
    said = entry_facts(first.rated, sum(line.tokens for line in lines), several)
    signature = first.wish.signature
    return Movement("usage", -sum_of(lines), max(times), said=said, signature=signature)


def entry_facts(rated: Rated, tokens: int, several: tuple[int, datetime] | None = None) -> str:
    """What an entry says of the use that it charges, as JSON text; of several uses also how many
    there were, and when the first of them was."""
    more = f',"records":{several[0]},"since":"{stored_time(several[1])}"' if several else ""
    model, provider = quoted(rated.model), quoted(rated.provider)
    return f'{{"model":{model},"provider":{provider}{more},"tokens":{tokens}}}'


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
