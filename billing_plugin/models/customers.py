"""Customers: who an account is at a processor, and which of its payment methods is the default."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from billing_plugin.models.base import execute, fetch_all, fetch_one

_FIND = (
    "SELECT account_id, processor, customer_id, default_method, told_revision, tries"
    " FROM billing_customer WHERE account_id = ? AND processor = ?"
)
_ADD = (
    "INSERT INTO billing_customer (account_id, processor, customer_id, created_at)"
    " VALUES (?, ?, ?, ?) ON CONFLICT (account_id, processor) DO NOTHING"
)
_SET = "UPDATE billing_customer SET default_method = ? WHERE account_id = ? AND processor = ?"
_TOLD = (
    "UPDATE billing_customer SET told_revision = ?, tries = 0, tell_at = NULL"
    " WHERE account_id = ? AND processor = ? AND told_revision <= ?"
)
_PUT_OFF = "UPDATE billing_customer SET tell_at = ?, tries = ? WHERE account_id = ?"
_DUE = (
    "SELECT account_id FROM billing_customer WHERE tell_at <= ? AND processor = ?"
    " ORDER BY tell_at LIMIT ?"
)


class Customer(NamedTuple):
    """An account at a processor. `default_method` is the payment method that is charged where none
    is named, `told_revision` the billing profile that the processor was told last, after so many
    `tries` to tell it a newer one."""

    account_id: str
    processor: str
    id: str
    default_method: str | None
    told_revision: int
    tries: int


def find(account_id: str, processor: str) -> Customer | None:
    """Who the account is there, or None where it has never been made known."""
    row = fetch_one(_FIND, (account_id, processor))
    return None if row is None else Customer._make(row)


def add(account_id: str, processor: str, *, customer_id: str, at: datetime) -> None:
    """Stores who it is, unless somebody has meanwhile."""
    execute(_ADD, (account_id, processor, customer_id, at))


def set_default(customer: Customer, method_id: str | None) -> None:
    """Stores which method is the default; None: none is."""
    execute(_SET, (method_id, customer.account_id, customer.processor))


def mark_told(customer: Customer, revision: int) -> bool:
    """Stores which revision of the profile it was told. False where it was told a later one."""
    values = (revision, customer.account_id, customer.processor, revision)
    changed: int = execute(_TOLD, values).rowcount
    return changed == 1


def put_off(account_id: str, tell_at: datetime | None, *, tries: int = 0) -> None:
    """Stores when the processor is to be told again by itself, if the account is known to one;
    None: no more."""
    execute(_PUT_OFF, (tell_at, tries, account_id))


def due(processor: str, at: datetime, limit: int) -> list[str]:
    """The accounts whose processor is to be told, the longest due first."""
    return [row[0] for row in fetch_all(_DUE, (at, processor, limit))]
