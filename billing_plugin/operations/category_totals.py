"""What categories add up to with all that is below them. Currencies never add."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from billing_plugin.models.spend import Sum
from billing_plugin.money import NANOS_PER_UNIT, Exact

Place = tuple[str, str]  # a category's id, '' for none, and a currency


def with_below(
    sums: Iterable[Sum], parents: Mapping[str, str | None], within: Collection[str] | None
) -> dict[Place, Exact]:
    """The sum of each category and of all below it; also of those that have no item of their own.

    `parents` says what is above each category; of `within` (None: of any) are the ones to be told.
    Raises InvalidRequest (`amount_out_of_range`) for a sum beyond 64 bits of nanos.
    """
    found: dict[Place, int] = {}
    for one in sums:
        attos = one.amount.nanos * NANOS_PER_UNIT + one.amount.attos
        for category in _path(one.key, parents):
            if within is None or category in within:
                place = (category, one.currency)
                found[place] = found.get(place, 0) + attos
    return {place: Exact(*divmod(attos, NANOS_PER_UNIT)) for place, attos in found.items()}


def filled(sums: Iterable[Sum], totals: Iterable[Place]) -> list[Sum]:
    """The sums, and nothing for each place that has none."""
    known = {(one.key, one.currency): one for one in sums}
    empty = [Sum(*place, Exact(0), 0) for place in totals if place not in known]
    return [*known.values(), *empty]


def _path(category: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    """The category and all that it is in, from below."""
    at: str | None = category
    while at is not None:
        yield at
        at = parents.get(at)
