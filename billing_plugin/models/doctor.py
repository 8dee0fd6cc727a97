"""What can be wrong with the books: questions that a healthy database answers with nothing.

posted = sum of entries = newest balance_after; held = sum of open holds; every seal follows from
the one before; every charge = its usage records; every counter and roll-up = the records and holds
it counts; what is left of the credits, less what is owed, = posted; every sum of cost items = the
items.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from billing_plugin.models import counters, ledger, limits, recounts
from billing_plugin.models.base import fetch_all
from billing_plugin.models.limits import Cell, SpendingLimit
from billing_plugin.models.seals import seal_of

_ACCOUNTS = (
    "SELECT a.id, a.posted_nanos, a.sequence, a.posted_nanos - a.held_nanos < a.floor_nanos,"
    " a.held_nanos, COALESCE(h.held, 0), a.seal, COALESCE(last.seal, ''),"
    " COALESCE(e.total, 0), COALESCE(e.number, 0), COALESCE(last.balance_after_nanos, 0)"
    " FROM billing_account a LEFT JOIN (SELECT account_id, SUM(amount_nanos) AS total,"
    " COUNT(*) AS number FROM billing_ledger_entry GROUP BY account_id) e"
    " ON e.account_id = a.id LEFT JOIN (SELECT account_id, SUM(amount_nanos) AS held"
    " FROM billing_hold WHERE status = 'open' GROUP BY account_id) h ON h.account_id = a.id"
    " LEFT JOIN billing_ledger_entry last"
    " ON last.account_id = a.id AND last.sequence = a.sequence ORDER BY a.id"
)
_CHAIN = (
    "SELECT id, account_id, CASE WHEN sequence <> previous + 1 THEN 'its sequence leaves a gap'"
    " WHEN balance_after_nanos <> before + amount_nanos THEN 'its balance_after does not follow'"
    " ELSE 'its currency is not the account''s' END FROM (SELECT e.*, a.currency AS own,"
    " COALESCE(LAG(e.sequence) OVER steps, 0) AS previous,"
    " COALESCE(LAG(e.balance_after_nanos) OVER steps, 0) AS before"
    " FROM billing_ledger_entry e LEFT JOIN billing_account a ON a.id = e.account_id"
    " WINDOW steps AS (PARTITION BY e.account_id ORDER BY e.sequence)) chain"
    " WHERE sequence <> previous + 1 OR balance_after_nanos <> before + amount_nanos"
    " OR currency <> COALESCE(own, '') ORDER BY account_id, sequence"
)
_BY_ENTRY = (
    "(SELECT entry_id, account_id, currency, SUM(cost_nanos) AS cost"
    " FROM billing_usage_record GROUP BY entry_id, account_id, currency) u"
)
_SAME = (
    " ON u.entry_id = e.id AND u.account_id = e.account_id AND u.currency = e.currency"
    " AND u.cost = -e.amount_nanos AND e.kind IN ('usage', 'rerating', 'reversal', 'refund')"
)
_UNMATCHED = (
    f"SELECT e.id, e.account_id FROM billing_ledger_entry e LEFT JOIN {_BY_ENTRY}{_SAME}"
    " WHERE e.kind IN ('usage', 'rerating') AND u.entry_id IS NULL UNION"
    f" SELECT u.entry_id, u.account_id FROM {_BY_ENTRY} LEFT JOIN billing_ledger_entry e{_SAME}"
    " WHERE e.id IS NULL ORDER BY 1"
)
_CREDITS = (
    "SELECT a.id, a.posted_nanos, COALESCE(SUM(g.remaining_nanos), 0) FROM billing_account a"
    " LEFT JOIN billing_credit_grant g ON g.account_id = a.id WHERE a.drawn_sequence = a.sequence"
    " GROUP BY a.id, a.posted_nanos HAVING COALESCE(SUM(g.remaining_nanos), 0) <"
    " a.posted_nanos OR (COALESCE(SUM(g.remaining_nanos), 0) > a.posted_nanos"
    " AND SUM(g.remaining_nanos) > 0)"
)
_ROLL_UPS = (
    "SELECT account_id, SUM(cost_nanos) AS total FROM"
    " (SELECT account_id, cost_nanos FROM billing_usage_record"
    " UNION ALL SELECT account_id, -cost_nanos FROM billing_usage_rollup) both_sides"
    " GROUP BY account_id HAVING SUM(cost_nanos) <> 0"
)


class BrokenSeal(NamedTuple):
    """The first entry of an account whose seal does not follow, or what the account lacks."""

    account_id: str
    sequence: int
    entry_id: str
    why: str


def broken_accounts() -> list[str]:
    """Accounts whose row contradicts its entries or holds, one sentence each."""
    return [sentence for row in fetch_all(_ACCOUNTS) for sentence in _complaints(row)]


def broken_entries() -> list[str]:
    """Entries that do not follow from the one before, or are not in their account's currency."""
    return [f"{entry} of {account}: {why}" for entry, account, why in fetch_all(_CHAIN)]


def unmatched() -> list[str]:
    """Charges and usage records that do not state the same movement."""
    return [
        f"{found} of {account}: charge and usage differ" for found, account in fetch_all(_UNMATCHED)
    ]


def drifted_credits() -> list[str]:
    """Accounts whose credits do not add up to what they have."""
    return [
        f"{account}: credits of {int(left)} but posted {posted}"
        for account, posted, left in fetch_all(_CREDITS)
    ]


def drifted_roll_ups() -> list[str]:
    """Accounts whose rolled-up usage differs from their usage records."""
    return [f"{account}: rolled up wrongly by {int(by)}" for account, by in fetch_all(_ROLL_UPS)]


def drifted_spend() -> list[str]:
    """Sums, tags and words that differ from the cost items they are made of."""
    return recounts.drifted()


def homeless_items() -> list[str]:
    """Cost items whose category or account is not there."""
    return recounts.homeless()


def drifted_counters() -> list[str]:
    """Stored counters that differ from the usage records and open holds of their window."""
    found = []
    for limit in SpendingLimit.select().where(SpendingLimit.active == 1):
        for bucket, start, spent, held in counters.stored_windows(limit.id):
            found += _drift(limit, bucket, start, counted=(spent, held))
    return found


def broken_seal(account_id: str) -> BrokenSeal | None:
    """The first entry of the account whose seal is wrong or missing; None when all are right.

    Nothing is locked: what is entered while the entries are read is no break.
    """
    number, newest = _head(account_id)
    seal, sequence = "", 0
    for row in ledger.rows_of(account_id):
        sequence += 1
        if row[7] != sequence:
            return BrokenSeal(account_id, sequence, row[0], "an entry before it is missing")
        if row[16] != seal_of(seal, row[:16]):
            return BrokenSeal(account_id, sequence, row[0], "its seal does not fit its content")
        seal = row[16]
        if sequence == number and seal != newest:
            return BrokenSeal(account_id, sequence, row[0], "the account carries another seal")
    return _broken_end(account_id, sequence, number)


def heads(account_id: str | None = None) -> Iterator[tuple[str, int, str]]:
    """Account, number of entries and newest seal: what to keep elsewhere, to compare later."""
    where, values = ("", ()) if account_id is None else (" WHERE id = ?", (account_id,))
    rows = fetch_all(f"SELECT id, sequence, seal FROM billing_account{where} ORDER BY id", values)
    yield from ((row[0], row[1], row[2]) for row in rows)


def _head(account_id: str) -> tuple[int, str]:
    _, number, seal = next(heads(account_id), (account_id, 0, ""))
    return number, seal


def _broken_end(account_id: str, found: int, counted: int) -> BrokenSeal | None:
    if found < counted:
        return BrokenSeal(account_id, found, "", "entries at the end are missing")
    if found > _head(account_id)[0]:
        why = "there are more entries than the account counts"
        return BrokenSeal(account_id, found, "", why)
    return None


def _complaints(row: tuple[Any, ...]) -> list[str]:
    (account_id, posted, sequence, below_floor, held, holds_, seal, last_seal,
     total, number, newest_balance) = row  # fmt: skip
    found = []
    if posted != int(total):
        found.append(f"{account_id}: posted {posted} but its entries add up to {total}")
    if sequence != number:
        found.append(f"{account_id}: counts {sequence} entries but has {number}")
    if newest_balance != posted:
        found.append(f"{account_id}: newest balance_after {newest_balance} but posted {posted}")
    if held != int(holds_):
        found.append(f"{account_id}: holds {held} but its open holds add up to {holds_}")
    if seal != last_seal:
        found.append(f"{account_id}: its newest entry carries another seal")
    if below_floor:
        found.append(f"{account_id}: available is below the floor")
    return found


def _drift(
    limit: SpendingLimit, bucket: str, start: datetime, *, counted: tuple[int, int]
) -> list[str]:
    rule = limits.rule_of(limit)
    period = rule.period(start)
    found = counters.count(limit.account_id, Cell(rule, bucket), period)
    real = found.get(period.start, counters.Counter())
    if counted == (real.spent_nanos, real.held_nanos):
        return []
    return [
        f"{limit.id}: counted {counted} from {start} but usage and holds are"
        f" {(real.spent_nanos, real.held_nanos)}"
    ]
