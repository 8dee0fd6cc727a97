"""Velocity limits: how often an account may try to pay in a window, against who tries stolen cards.

Counted are the rows that each attempt leaves, under the account's lock and in the transaction that
writes the next one: callers who come together cannot get past. What is refused leaves no row, so
it does not make the wait longer. An attempt of which no answer is known yet counts as declined.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from billing_plugin.context import current
from billing_plugin.errors import RateLimited
from billing_plugin.models import method_setups, topups
from billing_plugin.models.base import Row, read_time
from billing_plugin.models.topups import CREATED, FAILED, UNKNOWN

NO_DECLINES = ("never_arrived", "no_payment_method")  # failed, but no bank said no
SOON_S = 5  # until an answer that is awaited may be there
_MOST_ROWS = 10_000


class _Rule(NamedTuple):
    what: str
    counted: Sequence[Row]  # newest first
    most: int
    of_declines: bool = False


def check_topups(account_id: str, *, key_id: str | None, method: str | None, at: datetime) -> None:
    """Raises RateLimited where the account, the key, or the payment method (None: not known) has
    tried, or was declined, as often as it may. Needs the account's lock."""
    settings = current().settings
    since = at - timedelta(seconds=settings.topup_window_s)
    rows = topups.recent(account_id, since, _MOST_ROWS)
    declined = [row for row in rows if _may_be_declined(row)]
    of_key = [row for row in rows if key_id is not None and row[1] == key_id]
    of_method = [row for row in declined if method is not None and row[2] == method]
    for rule in (
        _Rule("top-ups of this account", rows, settings.topup_max_attempts),
        _Rule("top-ups by this key", of_key, settings.topup_max_attempts_per_key),
        _Rule("declined top-ups of this account", declined, settings.topup_max_declined, True),
        _Rule("declined top-ups", of_method, settings.topup_max_declined_per_method, True),
    ):
        _refuse(rule, since)


def check_setups(account_id: str, *, key_id: str | None, at: datetime) -> None:
    """The same for payment methods that somebody begins to add. Needs the account's lock."""
    settings = current().settings
    since = at - timedelta(seconds=settings.topup_window_s)
    rows = method_setups.recent(account_id, since, _MOST_ROWS)
    of_key = [row for row in rows if key_id is not None and row[1] == key_id]
    _refuse(_Rule("new payment methods", rows, settings.topup_max_attempts), since)
    by_key = _Rule("new methods by this key", of_key, settings.topup_max_attempts_per_key)
    _refuse(by_key, since)


def _may_be_declined(row: Row) -> bool:
    return _is_awaited(row) or (row[3] == FAILED and row[4] not in NO_DECLINES)


def _is_awaited(row: Row) -> bool:
    return row[3] in (CREATED, UNKNOWN)


def _refuse(rule: _Rule, since: datetime) -> None:
    """Raises RateLimited where as many were counted, until enough of them have left the window, or
    an answer that is awaited may be there."""
    if not rule.most or len(rule.counted) < rule.most:
        return
    leaves = read_time(rule.counted[rule.most - 1][0])
    assert leaves is not None  # noqa: S101 (the column is never null)
    waits = max(1, -((since - leaves) // timedelta(seconds=1)))
    if rule.of_declines and sum(not _is_awaited(row) for row in rule.counted) < rule.most:
        waits = min(waits, SOON_S)
    window_s = current().settings.topup_window_s
    raise RateLimited(
        f"Too many {rule.what}: {rule.most} in {window_s} seconds are allowed.",
        extra={"retry_after_s": waits},
    )
