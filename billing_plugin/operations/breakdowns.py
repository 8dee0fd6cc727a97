"""Reports of cost items: how much, of what, and when. Currencies never add: each has its own sums.

Every answer says which days (UTC) and sources it is about, and when it was true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from billing_plugin.context import Actor, now, snapshot
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, categories, spend
from billing_plugin.models.spend import Asked, Sum
from billing_plugin.money import NANOS_PER_UNIT, Exact, nanos_per_cent
from billing_plugin.operations import category_totals
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.coverage import Coverage, coverage_of
from billing_plugin.operations.item_filters import SpendFilter, asked

TAG = "tag"
GROUPS = {
    "provider": spend.PROVIDER,
    "category": spend.CATEGORY,
    "service": spend.SERVICE,
    "recurring": spend.RECURRING,
}
INTERVALS = {"day": spend.BY_DAY, "week": spend.BY_DAY, "month": spend.BY_MONTH}
_FLAGS = {"0": "false", "1": "true"}
ALL_ITEMS = SpendFilter()


@dataclass(frozen=True, slots=True)
class Basis:
    """What a report is about: days, both included (None: without end), and sources; and when.

    `coverage` is what a summary, breakdown or trend rests on; None in forecasts.
    """

    since: date | None
    until: date | None
    sources: Sequence[str]
    as_of: datetime
    zone: str = "UTC"
    coverage: Coverage | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """What one currency's items add up to, exactly, rounded to minor units once, at the end."""

    currency: str
    amount: Exact
    cents: int
    count: int


@dataclass(frozen=True, slots=True)
class Part:
    """One line: '' is what says nothing there; days are 2026-03-09, weeks 2026-W10, months 2026-03.

    `percentage` is of the currency's total, with one decimal; None where that is zero, or in a
    trend. `with_below` is what a category adds up to with all below it, else None.
    """

    key: str
    amount: Exact
    cents: int
    count: int
    percentage: Decimal | None = None
    with_below: Exact | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """One currency's total and its parts."""

    total: Total
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals by currency."""

    basis: Basis
    totals: list[Total]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Parts by currency, the greatest first. Where `partitions`, they are the whole: their cents
    add up to its cents and their percentages to 100.0; by tag an item counts once for each.
    A category without an item of its own is there for those below it. `names` are what keys that
    are ids are called."""

    basis: Basis
    by: str
    partitions: bool
    currencies: list[Share]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Trend:
    """Parts by currency in order of time; a day, week or month without an item has none."""

    basis: Basis
    interval: str
    currencies: list[Share]


@operation(scope="reports:read", effect="reads")
def summarize(actor: Actor, account_id: str, chosen: SpendFilter = ALL_ITEMS) -> Summary:
    """What the items add up to. Raises NotFound for an unknown category, InvalidRequest."""
    del actor
    with snapshot():
        question, basis = _asked(account_id, chosen)
        return Summary(basis, _totals(spend.sums(question, spend.WHOLE)))


@operation(scope="reports:read", effect="reads")
def break_down(
    actor: Actor, account_id: str, chosen: SpendFilter = ALL_ITEMS, *, by: str = "provider"
) -> Breakdown:
    """The same by provider, category (its id), service, recurring ("true", "false") or tag.

    Raises NotFound for an unknown category, InvalidRequest.
    """
    del actor
    if by != TAG and by not in GROUPS:
        raise InvalidRequest(f"by is one of {', '.join((*GROUPS, TAG))}.")
    with snapshot():
        question, basis = _asked(account_id, chosen)
        found = spend.sums_by_tag(question) if by == TAG else spend.sums(question, GROUPS[by])
        whole = spend.sums(question, spend.WHOLE) if by == TAG else found
        names, parents = categories.tree(account_id) if by == "category" else ({}, {})
    if by == "recurring":
        found = [one._replace(key=_FLAGS[one.key]) for one in found]
    totals = _totals(_merged(one._replace(key="") for one in whole))
    if by == "category":
        below = category_totals.with_below(found, parents, question.categories)
        return Breakdown(basis, by, True, _of_categories(totals, found, below), names)
    shares = [_broken_down(total, found, partitions=by != TAG) for total in totals]
    return Breakdown(basis, by, by != TAG, shares, names)


@operation(scope="reports:read", effect="reads")
def trend(
    actor: Actor, account_id: str, chosen: SpendFilter = ALL_ITEMS, *, interval: str = "month"
) -> Trend:
    """The same by day, week (ISO, from Monday) or month, all UTC; only what has items.

    At the edges of the span a week or month counts the span's days alone. Raises NotFound for an
    unknown category, InvalidRequest.
    """
    del actor
    if interval not in INTERVALS:
        raise InvalidRequest(f"interval is one of {', '.join(INTERVALS)}.")
    with snapshot():
        question, basis = _asked(account_id, chosen)
        found = spend.sums(question, INTERVALS[interval])
    if interval == "week":
        found = _merged(one._replace(key=week_of(one.key)) for one in found)
    whole = _totals(_merged(one._replace(key="") for one in found))
    return Trend(basis, interval, [_in_time(total, found) for total in whole])


def week_of(day: str) -> str:
    """The ISO week of a day: 2026-W10."""
    year, week, _ = date.fromisoformat(day).isocalendar()
    return f"{year:04d}-W{week:02d}"


def apportioned(values: Sequence[int], unit: int, whole: int) -> list[int]:
    """Units of each value, whole ones that add up to `whole` (largest remainder)."""
    parts = [value // unit for value in values]
    order = sorted(range(len(values)), key=lambda index: values[index] % unit, reverse=True)
    for index in order[: whole - sum(parts)]:
        parts[index] += 1
    return parts


def total_of(totals: Iterable[Total], currency: str) -> Total:
    """The currency's total among them; of nothing where there is none."""
    nothing = Total(currency, Exact(0), 0, 0)
    return next((one for one in totals if one.currency == currency), nothing)


def _asked(account_id: str, chosen: SpendFilter) -> tuple[Asked, Basis]:
    currency = accounts.get(account_id).currency
    question = asked(account_id, chosen)
    covered = coverage_of(question, currency)
    basis = Basis(chosen.since, chosen.until, question.sources, now(), coverage=covered)
    return question, basis


def _totals(sums: Iterable[Sum]) -> list[Total]:
    """A total for each currency, in order."""
    return [
        Total(one.currency, one.amount, one.amount.cents(one.currency), one.items)
        for one in sorted(sums, key=lambda one: one.currency)
    ]


def _merged(sums: Iterable[Sum]) -> list[Sum]:
    """Sums of one key and currency in one."""
    found: dict[tuple[str, str], Sum] = {}
    for one in sums:
        place = (one.key, one.currency)
        known = found.get(place, one._replace(amount=Exact(0), items=0))
        found[place] = one._replace(amount=known.amount + one.amount, items=known.items + one.items)
    return list(found.values())


def _broken_down(total: Total, sums: Iterable[Sum], *, partitions: bool) -> Share:
    """One currency's parts, the greatest first."""
    own = [one for one in sums if one.currency == total.currency]
    own.sort(key=lambda one: one.key)
    own.sort(key=lambda one: one.amount, reverse=True)
    if partitions:
        parts = _parts(total, own)
        percentages = _percentages(total, own)
    else:
        parts = [_part(one, one.amount.cents(one.currency)) for one in own]
        percentages = [_percentage(one.amount, total.amount) for one in own]
    pairs = zip(parts, percentages, strict=True)
    return Share(total, [replace(part, percentage=percentage) for part, percentage in pairs])


def _of_categories(
    totals: Iterable[Total], sums: Sequence[Sum], below: Mapping[category_totals.Place, Exact]
) -> list[Share]:
    """Every currency's categories, each also with all that is below it."""
    every = category_totals.filled(sums, below)
    shares = [_broken_down(total, every, partitions=True) for total in totals]
    return [replace(share, parts=_below(share, below)) for share in shares]


def _below(share: Share, below: Mapping[category_totals.Place, Exact]) -> list[Part]:
    currency = share.total.currency
    return [replace(part, with_below=below[part.key, currency]) for part in share.parts]


def _in_time(total: Total, sums: Iterable[Sum]) -> Share:
    own = [one for one in sums if one.currency == total.currency]
    return Share(total, _parts(total, sorted(own, key=lambda one: one.key)))


def _parts(total: Total, sums: Sequence[Sum]) -> list[Part]:
    """Parts whose cents add up to those of the whole."""
    unit = nanos_per_cent(total.currency) * NANOS_PER_UNIT
    cents = apportioned([_attos(one.amount) for one in sums], unit, total.cents)
    return [_part(one, whole) for one, whole in zip(sums, cents, strict=True)]


def _part(one: Sum, cents: int) -> Part:
    return Part(one.key, one.amount, cents, one.items)


def _percentages(total: Total, sums: Sequence[Sum]) -> list[Decimal | None]:
    """Percentages that add up to 100.0; each None where the whole is zero."""
    whole = _attos(total.amount)
    if whole == 0:
        return [None for _ in sums]
    sign = 1 if whole > 0 else -1
    values = [sign * 1000 * _attos(one.amount) for one in sums]
    return [Decimal(tenths).scaleb(-1) for tenths in apportioned(values, abs(whole), 1000)]


def _percentage(part: Exact, whole: Exact) -> Decimal | None:
    """One by itself, rounded half-even."""
    if _attos(whole) == 0:
        return None
    tenths, rest = divmod(1000 * _attos(part), _attos(whole))
    return Decimal(tenths + _rounds_up(tenths, rest, _attos(whole))).scaleb(-1)


def _rounds_up(quotient: int, rest: int, divisor: int) -> bool:
    twice = abs(2 * rest)
    return twice > abs(divisor) or (twice == abs(divisor) and quotient % 2 == 1)


def _attos(amount: Exact) -> int:
    return amount.nanos * NANOS_PER_UNIT + amount.attos
