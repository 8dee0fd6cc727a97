"""Recurring items: what of the items comes again, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from billing_plugin.models.base import fetch_all
from billing_plugin.models.spend import Asked, items_of
from billing_plugin.money import Exact

_COLUMNS = "name, provider, provider_ref, service_id, currency, period, day, nanos, attos"


class Occurrence(NamedTuple):
    """One item that recurs with a period: what says which it is, its UTC day, and its amount."""

    name: str
    provider: str
    provider_ref: str
    service_id: str
    currency: str
    period: str
    day: date
    amount: Exact


def occurrences(asked: Asked) -> list[Occurrence]:
    """The items with a period that are asked for, the earliest first. Metered usage has none."""
    rows = fetch_all(*statement(asked))
    return [
        Occurrence(
            name, provider or "", ref or "", service or "", currency, period,
            date.fromisoformat(day), Exact(nanos, attos),
        )
        for name, provider, ref, service, currency, period, day, nanos, attos in rows
    ]  # fmt: skip


def statement(asked: Asked) -> tuple[str, Sequence[Any]]:
    """The statement that reads them, and its values."""
    where, values = items_of(asked)
    sql = (
        f"SELECT {_COLUMNS} FROM billing_item WHERE {where}"
        " AND recurring = 1 AND period IS NOT NULL ORDER BY date, id"
    )
    return sql, values
