"""Holds a FOCUS 1.2 file against the rules: an independent reading of the specification.

Knows the table of columns, and nothing of how files are read and written.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from billing_plugin.operations.focus_columns import (
    BY_NAME,
    DECIMAL,
    JSON,
    MANDATORY_NAMES,
    SUBCATEGORIES,
    TIME,
    TOKEN_COLUMNS,
    Column,
)

Row = dict[str, str | None]

_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")  # always a dot: a validator takes 500 for a whole number
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_CURRENCY = re.compile(r"[A-Z]{3}")


def complaints(text: str) -> list[str]:
    """Every rule that the file breaks, with its line; none: it is a FOCUS 1.2 file."""
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = list(_of_header(header))
    for number, cells in enumerate(rows, start=2):
        if len(cells) != len(header):
            found.append(f"{number}: not as many cells as columns")
            continue
        found += [f"{number}: {why}" for why in _of_row(header, cells)]
    return found


def _of_header(header: list[str]) -> Iterator[str]:
    yield from (f"no column {name}" for name in MANDATORY_NAMES if name not in header)
    if len(set(header)) < len(header):
        yield "a column twice"
    defined = [name in BY_NAME for name in header]
    if not all(known or name.startswith("x_") for name, known in zip(header, defined, strict=True)):
        yield "a column that FOCUS does not define, without x_"
    if defined != sorted(defined, reverse=True):
        yield "custom columns before those of FOCUS"


def _of_row(header: list[str], cells: list[str]) -> Iterator[str]:
    row: Row = {
        name: None if cell == "NULL" else cell for name, cell in zip(header, cells, strict=True)
    }
    for name, cell in row.items():
        yield from _of_cell(name, cell)
    for rule, holds in RULES.items():
        if not holds(row):
            yield rule


def _of_cell(name: str, cell: str | None) -> Iterator[str]:
    column = BY_NAME.get(name)
    if cell is None:
        if column and not column.nullable:
            yield f"{name} is null"
        return
    if not cell.strip():
        yield f"{name} is empty instead of NULL"
    if column and not _is_valid(column, cell):
        yield f"{name} is no {column.type}"
    if column and column.allowed and cell not in column.allowed:
        yield f"{name} is not an allowed value"
    if name.endswith("Currency") and not _CURRENCY.fullmatch(cell):
        yield f"{name} is no currency"
    if name in TOKEN_COLUMNS.values() and not cell.isdecimal():
        yield f"{name} is no count"


def _is_valid(column: Column, cell: str) -> bool:
    if column.type == DECIMAL:
        return bool(_DECIMAL.fullmatch(cell))
    if column.type == TIME:
        return bool(_TIME.fullmatch(cell))
    return _is_key_value(cell) if column.type == JSON else True


def _is_key_value(cell: str) -> bool:
    try:
        pairs = json.loads(cell, object_pairs_hook=tuple)
    except ValueError:
        return False
    if not isinstance(pairs, tuple) or any(isinstance(value, list | tuple) for _, value in pairs):
        return False
    return len(dict(pairs)) == len(pairs)


def _billed(name: str) -> Callable[[Row], bool]:
    """A cost without a unit price is the billed one."""

    def holds(row: Row) -> bool:
        priced = row.get(name.replace("Cost", "UnitPrice"))
        billed, cost = row.get("BilledCost"), row.get(name)
        return not billed or not cost or priced is not None or Decimal(cost) == Decimal(billed)

    return holds


def _is(row: Row, *categories: str) -> bool:
    return row.get("ChargeCategory") in categories


def _owed(row: Row, names: Iterable[str]) -> bool:
    """What a charge that is no correction has: a value in each of the columns there are."""
    corrected = row.get("ChargeClass") == "Correction"
    return corrected or all(row[name] is not None for name in names if name in row)


def _together(first: str, second: str) -> Callable[[Row], bool]:
    return lambda row: (row.get(first) is None) == (row.get(second) is None)


def _in_order(kind: str) -> Callable[[Row], bool]:
    return lambda row: (row.get(f"{kind}Start") or "") < (row.get(f"{kind}End") or "")


def _of_its_category(row: Row) -> bool:
    category, sub = row.get("ServiceCategory") or "", row.get("ServiceSubcategory")
    return sub is None or sub in (*SUBCATEGORIES.get(category, ()), f"Other ({category})")


def _effective(row: Row) -> bool:
    return _is(row, "Usage", "Purchase") or _billed("EffectiveCost")(row)


RULES: dict[str, Callable[[Row], bool]] = {
    "nothing is bought by being used": lambda row: (
        not (_is(row, "Purchase") and row.get("ChargeFrequency") == "Usage-Based")
    ),
    "only usage is consumed": lambda row: _is(row, "Usage") or not row.get("ConsumedQuantity"),
    "usage has a consumed quantity": lambda row: (
        not _is(row, "Usage") or _owed(row, ["ConsumedQuantity"])
    ),
    "a consumed quantity has its unit": _together("ConsumedQuantity", "ConsumedUnit"),
    "a tax has no quantity, price or SKU": lambda row: (
        not _is(row, "Tax") or not any(map(row.get, ["PricingQuantity", "SkuId", "ListUnitPrice"]))
    ),
    "usage and purchases are priced": lambda row: (
        not _is(row, "Usage", "Purchase")
        or _owed(row, ["PricingQuantity", "SkuId", "SkuPriceId", "ListUnitPrice"])
    ),
    "a priced quantity has its unit": _together("PricingQuantity", "PricingUnit"),
    "a region has its name": _together("RegionId", "RegionName"),
    "a sub account has its name": _together("SubAccountId", "SubAccountName"),
    "a subcategory is of its category": _of_its_category,
    "a charge period ends after it starts": _in_order("ChargePeriod"),
    "a billing period ends after it starts": _in_order("BillingPeriod"),
    "a contracted cost without a price is the billed one": _billed("ContractedCost"),
    "a list cost without a price is the billed one": _billed("ListCost"),
    "the effective cost of what is neither used nor bought is the billed one": _effective,
}
