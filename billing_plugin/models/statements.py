"""What a statement asks of the books: where a month ends in an account's ledger, and what it used.

A month is a stretch of the ledger, by the numbers of its entries, so that each entry stands in one
statement, however late its use is recorded. How far the closing of a month has come is a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from billing_plugin.context import is_sqlite
from billing_plugin.models.base import execute, fetch_all, fetch_one, read_time
from billing_plugin.models.usage import QUANTITIES
from billing_plugin.periods import BEGINNING

CHARGES = ("usage", "rerating", "refund", "reversal")  # of the uses of models
POSTPAID = "postpaid"
_INSTANT = timedelta(microseconds=1)
_MINE = "e.account_id = ? AND e.sequence > ? AND e.sequence <= ?"
_FIRST = (
    "SELECT kind, recorded_at, effective_at FROM billing_ledger_entry WHERE account_id = ?"
    " AND sequence > ? AND kind IN ('usage', 'rerating', 'refund', 'reversal', 'postpaid')"
    " ORDER BY sequence LIMIT 1"
)
_MOVED = (
    "SELECT a.id FROM billing_account a WHERE a.id > ? AND a.sequence > COALESCE((SELECT"
    " MAX(i.last_sequence) FROM (SELECT {last} AS last_sequence FROM billing_invoice"
    " WHERE account_id = a.id AND kind = 'monthly') i), 0) ORDER BY a.id LIMIT ?"
)


class Stretch(NamedTuple):
    """Entries of an account after number `first`, up to number `last`."""

    account_id: str
    first: int
    last: int


class Moved(NamedTuple):
    """What entries of one kind add to the balance; of reversals, by the kind they reverse."""

    kind: str
    reversed: str
    nanos: int
    since: datetime  # the earliest use that they may be about


class Used(NamedTuple):
    """Uses of a model at one price: how many, what they cost, when, and how much of each kind."""

    provider: str
    model: str
    price_text: str
    late: bool
    uses: int
    cost_nanos: int
    first_at: datetime
    last_at: datetime
    counts: dict[str, int]


def cut(account_id: str, at: datetime) -> int:
    """The number of the last entry that belongs before an instant: what was recorded before it,
    and what became receivable then, which is entered by whoever comes next."""
    row = fetch_one(
        "SELECT sequence FROM billing_ledger_entry WHERE account_id = ? AND recorded_at < ?"
        " ORDER BY sequence DESC LIMIT 1",
        (account_id, at),
    )
    last = int(row[0]) if row else 0
    following = fetch_one(
        "SELECT sequence FROM billing_ledger_entry WHERE account_id = ? AND sequence = ?"
        f" AND kind = '{POSTPAID}' AND effective_at <= ?",
        (account_id, last + 1, at),
    )
    return last + 1 if following else last


def first_charge(account_id: str, after: int) -> datetime | None:
    """To which instant the first charge after an entry belongs; None where there is none."""
    row = fetch_one(_FIRST, (account_id, after))
    if row is None:
        return None
    kind, recorded_at, effective_at = row
    at = read_time(recorded_at) or BEGINNING
    ended = read_time(effective_at) or BEGINNING
    return ended - _INSTANT if kind == POSTPAID else at


def balance_after(account_id: str, sequence: int) -> int:
    """The posted nanos right after an entry; none before the first."""
    row = fetch_one(
        "SELECT balance_after_nanos FROM billing_ledger_entry WHERE account_id = ?"
        " AND sequence = ?",
        (account_id, sequence),
    )
    return int(row[0]) if row else 0


def moved(stretch: Stretch) -> list[Moved]:
    """What the entries of a stretch add, by kind."""
    said = [_said("e", "since"), _said("e", "from"), _said("o", "since"), "o.effective_at"]
    rows = fetch_all(
        "SELECT e.kind, COALESCE(o.kind, ''), SUM(e.amount_nanos),"
        f" MIN(COALESCE({', '.join(said)}, e.effective_at)) FROM billing_ledger_entry e"
        f" LEFT {_one_entry('o', 'e.reverses_id')} WHERE {_MINE} GROUP BY 1, 2",
        stretch,
    )
    return [Moved(row[0], row[1], int(row[2]), read_time(row[3]) or BEGINNING) for row in rows]


def used(stretch: Stretch, *, since: datetime, cycle_start: datetime) -> list[Used]:
    """The uses that the entries of a stretch have charged, none of which is before `since`."""
    counts = ", ".join(f"SUM(COALESCE({_count(name)}, 0))" for name in QUANTITIES)
    rows = fetch_all(
        "SELECT u.provider, u.model, u.price, CASE WHEN u.effective_at < ? THEN 1 ELSE 0 END,"
        f" COUNT(*), SUM(u.cost_nanos), MIN(u.effective_at), MAX(u.effective_at), {counts}"
        f" FROM billing_usage_record u {_one_entry('e', 'u.entry_id')}{_counts_read()}"
        f" WHERE u.account_id = ? AND u.effective_at >= ? AND {_MINE} GROUP BY 1, 2, 3, 4"
        " ORDER BY 1, 2, 3, 4",
        (cycle_start, stretch.account_id, since, *stretch),
    )
    return [_used(row) for row in rows]


def moved_accounts(*, after: str, limit: int) -> list[str]:
    """Ids of accounts with entries that no statement holds yet, in order from `after` on."""
    read = "facts ->> 'lastSequence'" if is_sqlite() else (
        "CAST(CAST(facts AS jsonb) ->> 'lastSequence' AS bigint)"
    )  # fmt: skip
    return [row[0] for row in fetch_all(_MOVED.format(last=read), (after, limit))]


def run_of(cycle: str) -> tuple[str, int, bool]:
    """How far the closing of a month has come: up to which account, how many of them failed, and
    whether it is done."""
    row = fetch_one(
        "SELECT after_id, failures, done FROM billing_invoice_run WHERE cycle = ?", (cycle,)
    )
    return (row[0], int(row[1]), bool(row[2])) if row else ("", 0, False)


def keep_run(cycle: str, *, after: str, failures: int, done: bool) -> None:
    """Stores how far it has come."""
    execute(
        "INSERT INTO billing_invoice_run (cycle, after_id, failures, done) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (cycle) DO UPDATE SET after_id = excluded.after_id,"
        " failures = excluded.failures, done = excluded.done",
        (cycle, after, failures, int(done)),
    )


def _one_entry(name: str, entry_id: str) -> str:
    """A join that looks each entry up by its id, however few PostgreSQL believes that there are:
    where it took all of them for each, a month of many uses would take minutes."""
    if is_sqlite():
        return f"JOIN billing_ledger_entry {name} ON {name}.id = {entry_id}"
    found = f"SELECT * FROM billing_ledger_entry WHERE id = {entry_id} OFFSET 0"
    return f"JOIN LATERAL ({found}) {name} ON TRUE"


def _said(entry: str, name: str) -> str:
    """An instant that an entry's metadata may tell."""
    if is_sqlite():
        return f"{entry}.metadata ->> '{name}'"
    return f"CAST(CAST({entry}.metadata AS jsonb) ->> '{name}' AS timestamptz)"


def _count(name: str) -> str:
    return f"u.quantities ->> '{name}'" if is_sqlite() else f"q.{name}"


def _counts_read() -> str:
    """Where PostgreSQL reads all counts of a use at once."""
    if is_sqlite():
        return ""
    names = ", ".join(f"{name} bigint" for name in QUANTITIES)
    return f" CROSS JOIN LATERAL jsonb_to_record(CAST(u.quantities AS jsonb)) AS q ({names})"


def _used(row: Sequence[Any]) -> Used:
    provider, model, price, late, uses, nanos, first, last, *counts = row
    return Used(
        provider, model, price, bool(late), int(uses), int(nanos), read_time(first) or BEGINNING,
        read_time(last) or BEGINNING, dict(zip(QUANTITIES, map(int, counts), strict=True)),
    )  # fmt: skip
