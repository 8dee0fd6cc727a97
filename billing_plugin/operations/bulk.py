"""Bulk: many uses of one account in one pass, where nothing speaks against any of them.

Each use is rated and its record made while the database takes in the one before. Only then is it
decided: if all of them fit together, each fits in its turn. Whatever is out of the ordinary (a use
that cannot be, a key that is known, too little money, a limit that looks at single uses) raises
`Unusual`: the transaction must not stand, and the general way (charging) decides from anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from billing_plugin import ids
from billing_plugin.context import Actor
from billing_plugin.errors import BillingError
from billing_plugin.models import idempotency, ledger, store, usage
from billing_plugin.models.base import Row, dump, stored_time
from billing_plugin.models.idempotency import Intent, KnownKey
from billing_plugin.models.ledger import Movement
from billing_plugin.models.usage import Dims, Usage, UsageRecord
from billing_plugin.operations.charging import Outcome, entry_facts
from billing_plugin.operations.price_book import book as price_book
from billing_plugin.operations.rating import Rated, rate_by, stated
from billing_plugin.operations.tariffs import Tariff
from billing_plugin.operations.till import Till
from billing_plugin.operations.wishes import Submission, check_usage
from billing_plugin.periods import aware

_new = tuple.__new__  # a record is made a million times: half the time of its own constructor


class Unusual(Exception):
    """The general way must decide."""


@dataclass(slots=True)
class Group:
    """Uses of one model so far, which share a ledger entry."""

    entry_id: str
    rated: Rated
    since: datetime
    until: datetime
    nanos: int = 0
    tokens: int = 0
    number: int = 0
    flagged: int = 0

    @property
    def day(self) -> str:
        """The UTC day of its last use."""
        return stored_time(self.until)[:10]

    def add(self, used: Usage, rated: Rated, at: datetime) -> None:
        """One use more."""
        self.nanos += rated.nanos
        self.tokens += used.input_tokens + used.output_tokens
        self.number += 1
        if rated.flagged:
            self.flagged += 1
        if at is not self.until:
            self.since, self.until = min(self.since, at), max(self.until, at)


@dataclass(slots=True)
class Bulk:
    """Uses of one account on their way into its books."""

    till: Till
    actor: Actor
    records: list[UsageRecord] = field(default_factory=list)
    _tariffs: dict[tuple[str, str], Tariff] = field(default_factory=dict)
    _groups: dict[tuple[str, str], Group] = field(default_factory=dict)
    _done: list[tuple[Intent, str]] = field(default_factory=list)

    def store(self, submissions: Sequence[Submission]) -> None:
        """Stores their records, with no word yet about whether they fit. Raises Unusual."""
        number = len(submissions)
        try:
            self._price(submissions)
        except BillingError as error:
            raise Unusual from error
        usage.insert(self._rows(submissions), number=number)
        if len(self.records) < number or len(dict(self._done)) < len(self._done):
            raise Unusual
        idempotency.remember(self._done, self.till.book.at)

    def settle(self) -> None:
        """Debits account and limits for all of them. Raises Unusual where they do not fit."""
        till = self.till
        for group in self._groups.values():
            dims = Dims(self.actor.key_id, self.actor.agent, *group.rated[:2], {})
            if not till.spend_together(dims, group.nanos, span=(group.since, group.until)):
                raise Unusual
            till.book.enter(_movement(group), group.entry_id)
        store.close(till.book, till.ceilings, self._rolled_up())

    def _rolled_up(self) -> list[Row]:
        """What they add to the roll-up; the groups know it where each lies within a day."""
        groups = self._groups.values()
        if any(stored_time(group.since)[:10] != group.day for group in groups):
            return usage.rolled_up(self.records)
        account_id = self.till.book.account_id
        return sorted(
            (account_id, group.day, *group.rated[:2], group.nanos, group.number, group.flagged)
            for group in groups
        )

    def _rows(self, submissions: Sequence[Submission]) -> Iterator[Row]:
        """The rows of their records; they end at the first use that something speaks against, so
        that the database gets to know of no error."""
        fresh = ids.new_ids(usage.PREFIX, len(submissions))
        try:
            for submission, record_id in zip(submissions, fresh, strict=True):
                row = self._row(submission, record_id)
                self.records.append(_new(UsageRecord, row))
                yield row
        except (BillingError, Unusual):
            return

    def _row(self, submission: Submission, record_id: str) -> Row:
        used, book = submission.usage, self.till.book
        counts = check_usage(used, book.at)
        at = book.at if used.effective_at is None else aware(used.effective_at)
        rated = self._rated(used, at)
        if rated.currency != book.currency:
            raise Unusual
        group = self._groups.get(rated[:2]) or self._group(rated, at)
        group.add(used, rated, at)
        intent = submission.intent(book.account_id, counts)
        if intent:
            self._done.append((intent, record_id))
        return (
            record_id, book.account_id, group.entry_id, None, None, self.actor.key_id,
            self.actor.agent, rated.provider, rated.model, counts, rated.price, rated.nanos,
            rated.currency, int(rated.flagged), dump(used.metadata) if used.metadata else "{}",
            stored_time(at), stored_time(book.at),
        )  # fmt: skip

    def _price(self, submissions: Sequence[Submission]) -> None:
        """Looks up the tariffs beforehand: while it takes in rows, the database answers nothing."""
        book = self.till.book
        models = {(one.usage.provider, one.usage.model): one.usage for one in submissions}
        for names, used in models.items():
            check_usage(used, book.at)
            if used.cost is None:
                at = aware(used.effective_at or book.at)
                self._tariffs[names] = price_book().tariff(used, at, book.account_id)

    def _rated(self, used: Usage, at: datetime) -> Rated:
        if used.cost is not None:
            return stated(used, used.cost)
        tariff = self._tariffs.get((used.provider, used.model))
        if tariff is None or not tariff.starts <= at < tariff.ends:
            raise Unusual
        return rate_by(tariff, used)

    def _group(self, rated: Rated, at: datetime) -> Group:
        group = Group(ids.new_id(ledger.PREFIX), rated, at, at)
        self._groups[rated[:2]] = group
        return group


def charge(till: Till, actor: Actor, submissions: Sequence[Submission]) -> list[Outcome]:
    """Charges all of them, or raises Unusual."""
    if not till.ceilings.are_plain:
        raise Unusual
    bulk = Bulk(till, actor)
    try:
        bulk.store(submissions)
    except KnownKey as known:
        raise Unusual from known
    bulk.settle()
    return list(map(Outcome, bulk.records))


def _movement(group: Group) -> Movement:
    several = (group.number, group.since) if group.number > 1 else None
    said = entry_facts(group.rated, group.tokens, several)
    return Movement("usage", -group.nanos, group.until, said=said)
