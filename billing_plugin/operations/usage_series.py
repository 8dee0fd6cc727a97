"""Usage over time: dense series of metered usage by what was used, in the buckets of any zone.

The shape follows the usage analytics of xAI's billing (seed 003): values with aggregations, a time
unit, group-by with a cap, filters, a time range in an IANA zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import NamedTuple

from billing_plugin.context import Actor, now, snapshot
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, usage_series
from billing_plugin.models.usage_series import (
    COLUMNS,
    COST,
    ROLLED_COLUMNS,
    ROLLED_VALUES,
    VALUES,
    Cell,
)
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation, storable
from billing_plugin.operations.coverage import Coverage, Priced, coverage_of_usage
from billing_plugin.periods import DAILY, MONTHLY, WEEKLY, Period, aware, window, zone_named

UNITS = ("none", "hour", "day", "week", "month")
MEASURES, DIMENSIONS = VALUES, tuple(COLUMNS)
AGGREGATIONS = ("sum", "count", "avg", "min", "max")
MAX_BUCKETS, MAX_GROUPS, MAX_FILTER = 2_000, 1_000, 100
MAX_FIGURES = 200_000  # of an answer
_WINDOWS = {"day": DAILY, "week": WEEKLY, "month": MONTHLY}
_HOUR = timedelta(hours=1)
_MIDNIGHT = time()
_THOUSANDTH = Decimal("0.001")
Figure = Money | Decimal | int | None


class Value(NamedTuple):
    """A value and how the uses of a bucket are put together to it.

    `name` is cost, records, or a kind of tokens. `sum` of cost is the net of all corrections, its
    `avg` that by the number of uses (rounded half-even to a nano); `avg` of tokens has three
    decimals; `count` is of uses; `min` and `max` are of single uses as charged. Without a use
    sums and counts are zero, the others None.
    """

    name: str = COST
    aggregation: str = "sum"

    @property
    def is_money(self) -> bool:
        """Whether its figures are amounts, or else numbers."""
        return self.name == COST and self.aggregation != "count"


@dataclass(frozen=True, slots=True)
class SeriesAsked:
    """What is asked: instants from `start` to before `end`, in buckets of a unit of a zone.

    `groups` and `filters` are about provider, model, key (its id) and agent; '' is a use that says
    nothing there. `limit` is the most groups, 1 to 1000; groups times buckets times values are at
    most 200,000.
    """

    start: datetime
    end: datetime
    unit: str = "day"
    zone: str = "UTC"
    values: Sequence[Value] = (Value(),)
    groups: Sequence[str] = ()
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Series:
    """One group's figures: for each bucket, one for each value that was asked for."""

    group: tuple[str, ...]
    cost: Money
    points: list[list[Figure]]


@dataclass(frozen=True, slots=True)
class UsageSeries:
    """The groups, those that cost most first, equal ones by name; with the buckets of their points.

    Where there are more than `limit`, the others are left out and `limit_reached`; `total` and
    `uses` count them as well. The first and the last bucket are cut off at what was asked for.
    `coverage` is of all groups too.
    """

    asked: SeriesAsked
    buckets: list[Period]
    series: list[Series]
    limit_reached: bool
    total: Money
    uses: int
    as_of: datetime
    coverage: Coverage
    source: str = "metered"


@operation(scope="reports:read", effect="reads")
def report_usage(actor: Actor, account_id: str, asked: SeriesAsked) -> UsageSeries:
    """Metered usage over time, in the account's currency. Raises InvalidRequest, NotFound."""
    del actor
    _check(asked)
    buckets = buckets_of(asked)
    if len(buckets) * len(asked.values) * (asked.limit if asked.groups else 1) > MAX_FIGURES:
        raise InvalidRequest(f"More than {MAX_FIGURES} figures; ask for fewer groups or buckets.")
    with snapshot():
        currency = accounts.get(account_id).currency
        cells = _cells(account_id, buckets, asked, currency=currency)
        priced = _priced(cells, currency)
        period = Period(buckets[0].start, buckets[-1].end)
        covered = coverage_of_usage(
            account_id, period, priced=priced, providers=asked.filters.get("provider")
        )
        at = now()
    found = _ranked(cells)
    series = [_series(group, own, asked, number=len(buckets), currency=currency)
              for group, own in found[: asked.limit]]  # fmt: skip
    if not series and not asked.groups:
        series = [_series((), [], asked, number=len(buckets), currency=currency)]
    return UsageSeries(
        asked, buckets, series, len(found) > asked.limit, priced.total, priced.uses, at, covered
    )  # fmt: skip


def _cells(
    account_id: str, buckets: Sequence[Period], asked: SeriesAsked, *, currency: str
) -> list[Cell]:
    """From the sums by day where they can tell, else from the uses."""
    groups, filters = asked.groups, asked.filters
    if _is_rolled_up(buckets, asked):
        found = usage_series.rolled_cells(account_id, buckets, groups=groups, filters=filters)
        if not any(cell.flagged_uses for cell in found):
            return found
    names = list(dict.fromkeys([COST, *(value.name for value in asked.values)]))
    return usage_series.cells(
        account_id, buckets, currency=currency, groups=groups, filters=filters, values=names
    )


def _is_rolled_up(buckets: Sequence[Period], asked: SeriesAsked) -> bool:
    """Whether all buckets are of whole UTC days, and sums by day know what is asked for."""
    instants = [buckets[0].start, *(one.end for one in buckets)]
    return (
        all(at.time() == _MIDNIGHT for at in instants)
        and {*asked.groups, *asked.filters} <= set(ROLLED_COLUMNS)
        and {value.name for value in asked.values} <= set(ROLLED_VALUES)
        and not {value.aggregation for value in asked.values} & {"min", "max"}
    )


def buckets_of(asked: SeriesAsked) -> list[Period]:
    """The buckets in order, without a gap: whole units, cut off at both ends.

    Raises InvalidRequest beyond MAX_BUCKETS.
    """
    start, end = aware(asked.start), aware(asked.end)
    found: list[Period] = []
    while start < end:
        until = min(_end(asked, start), end)
        found.append(Period(start, until))
        start = until
        if len(found) > MAX_BUCKETS:
            raise InvalidRequest(f"That is more than {MAX_BUCKETS} buckets; ask for a larger unit.")
    return found


def _end(asked: SeriesAsked, at: datetime) -> datetime:
    """The end of the bucket that holds the instant."""
    if asked.unit == "none":
        return aware(asked.end)
    if asked.unit in _WINDOWS:
        return window(_WINDOWS[asked.unit], at, asked.zone).end
    local = at.astimezone(zone_named(asked.zone))
    return (
        at
        + _HOUR
        - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    )


def _check(asked: SeriesAsked) -> None:
    zone_named(asked.zone)
    if aware(asked.start) >= aware(asked.end):
        raise InvalidRequest("The end is not after the start.")
    if not 1 <= asked.limit <= MAX_GROUPS:
        raise InvalidRequest(f"limit is 1 to {MAX_GROUPS}.")
    _check_words("unit", [asked.unit], UNITS)
    _check_words("values", [value.name for value in asked.values], MEASURES)
    _check_words("aggregation", [value.aggregation for value in asked.values], AGGREGATIONS)
    _check_words("groups", asked.groups, DIMENSIONS)
    _check_words("filters", asked.filters, DIMENSIONS)
    if not asked.values or len(set(asked.groups)) < len(asked.groups):
        raise InvalidRequest("Name at least one value, and each group once.")
    for wanted in asked.filters.values():
        if not 1 <= len(wanted) <= MAX_FILTER:
            raise InvalidRequest(f"A filter names 1 to {MAX_FILTER} values.")
        storable("".join(wanted))


def _check_words(name: str, said: Iterable[str], known: Sequence[str]) -> None:
    if not set(said) <= set(known):
        raise InvalidRequest(f"{name}: one of {', '.join(known)}.")


def _priced(cells: Sequence[Cell], currency: str) -> Priced:
    return Priced(
        total=Money(sum(map(_cost, cells)), currency),
        flagged=Money(sum(cell.flagged_cost for cell in cells), currency),
        uses=sum(cell.uses for cell in cells),
        flagged_uses=sum(cell.flagged_uses for cell in cells),
    )


def _ranked(cells: Iterable[Cell]) -> list[tuple[tuple[str, ...], list[Cell]]]:
    """Cells by group, the greatest cost first."""
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    return sorted(groups.items(), key=lambda one: (-sum(map(_cost, one[1])), one[0]))


def _cost(cell: Cell) -> int:
    return cell.figures[COST][0]


def _series(
    group: tuple[str, ...], cells: Sequence[Cell], asked: SeriesAsked, *, number: int, currency: str
) -> Series:
    by_bucket = {cell.bucket: cell for cell in cells}
    points = [
        [_figure(by_bucket.get(place), value, currency) for value in asked.values]
        for place in range(number)
    ]
    return Series(group, Money(sum(map(_cost, cells)), currency), points)


def _figure(cell: Cell | None, value: Value, currency: str) -> Figure:
    total, least, most = cell.figures[value.name] if cell else (0, 0, 0)
    is_cost, uses = value.name == COST, cell.uses if cell else 0
    if value.aggregation == "sum":
        return Money(total, currency) if is_cost else total
    if value.aggregation == "count":
        return uses
    if not uses:
        return None
    if value.aggregation == "avg":
        mean = Fraction(total, uses)
        return Money(round(mean), currency) if is_cost else _decimal(mean)
    single = least if value.aggregation == "min" else most
    return Money(single, currency) if is_cost else single


def _decimal(mean: Fraction) -> Decimal:
    exact = Decimal(round(mean * 1000)).scaleb(-3)
    return exact.quantize(_THOUSANDTH, ROUND_HALF_EVEN)
