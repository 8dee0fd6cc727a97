"""The audit trail: every change of money, limits, keys and allowances, with who and in which
request. Changes of money are read from the ledger itself, so they cannot be missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing_plugin.context import Actor
from billing_plugin.models import accounts, audit, ledger
from billing_plugin.models.audit import Audit
from billing_plugin.models.ledger import LedgerEntry
from billing_plugin.operations.catalogue import check_page, operation


@dataclass(frozen=True, slots=True)
class Change:
    """One change: who (actor, key, request) did what to which thing, before and after."""

    id: str
    at: datetime
    actor: str
    key_id: str | None
    request_id: str | None
    action: str
    subject_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@operation(scope="ledger:read", effect="reads")
def list_changes(
    actor: Actor,
    account_id: str,
    *,
    money: bool = False,
    before: str | None = None,
    limit: int = 50,
) -> list[Change]:
    """The newest changes: of the account's limits, keys, raises, holds, allowances, cost items and
    categories, or (`money`) of its balance; `before` is the id of one to go on from, `limit` 1 to
    100. Raises NotFound, InvalidRequest."""
    del actor
    check_page(limit)
    accounts.get(account_id)
    if money:
        number = ledger.get(account_id, before).sequence if before else None
        found = ledger.newest(account_id, limit=limit, before=number)
        return [_of_entry(entry) for entry in found]
    return [_of_row(row) for row in audit.page(account_id, before=before, limit=limit)]


def _of_row(row: Audit) -> Change:
    return Change(
        row.id, row.at, row.actor, row.key_id, row.request_id, row.action, row.subject_id,
        row.before, row.after,
    )  # fmt: skip


def _of_entry(entry: LedgerEntry) -> Change:
    before = entry.balance_after - entry.amount
    return Change(
        entry.id, entry.recorded_at, entry.actor, entry.key_id, entry.request_id,
        f"balance.{entry.kind}", entry.account_id, {"posted": before.text},
        {"posted": entry.balance_after.text},
    )  # fmt: skip
