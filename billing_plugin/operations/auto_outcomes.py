"""What an auto top-up's outcome means for its rule: the next one, a wait, or that it is off.

All of it happens in the transaction that settles the top-up, under the account's lock.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from billing_plugin.context import current
from billing_plugin.models import auto_topups
from billing_plugin.models.auto_topups import (
    CONFIRM,
    DECLINED,
    DISPUTED,
    REFUNDED,
    REVIEW,
    AutoTopUp,
)
from billing_plugin.models.ledger import Book
from billing_plugin.models.topups import FAILED, SUCCEEDED, TopUp
from billing_plugin.models.topups import REVIEW as IN_REVIEW

WAITS = (timedelta(hours=1), timedelta(hours=4), timedelta(hours=24))  # after each decline in a row
HOPELESS = {"authentication_required": CONFIRM, "expired_card": DECLINED}  # what nobody can mend
log = logging.getLogger("billing_plugin")


def conclude(book: Book, before: str, topup: TopUp) -> None:
    """Tells the rule what has become of an auto top-up that was in the status `before`. The caller
    closes the book."""
    if not topup.automatic or topup.status == before:
        return
    rule = auto_topups.find(book.account_id)
    if rule is None:
        return
    if topup.status == SUCCEEDED:
        _bought(book, rule)
    elif topup.status == FAILED:
        _declined(book, rule, topup.failure or DECLINED)
    elif topup.status == IN_REVIEW:
        _switch_off(book, REVIEW, "What the processor took is not what it was asked for.")


def taken_back(book: Book, *, is_disputed: bool) -> None:
    """Switches the rule off after a dispute, or a refund that leaves too little: what was given
    back must not be charged again."""
    rule = auto_topups.find(book.account_id)
    if rule is None or not rule.enabled:
        return
    if is_disputed:
        _switch_off(book, DISPUTED, "A payment was disputed.")
    elif book.available < rule.threshold:
        _switch_off(book, REFUNDED, "A payment was refunded.")


def watch(book: Book, rule: AutoTopUp, *, not_before: datetime | None) -> None:
    """Has the account marked when too little is available; where it is so already, it is marked
    now, to be seen about from `not_before` on."""
    if book.available >= rule.threshold:
        book.topup_below, book.topup_due_at = rule.threshold_nanos, None
    else:
        book.topup_below, book.topup_due_at = None, max(book.at, not_before or book.at)


def unwatch(book: Book) -> None:
    """Has the account marked no more."""
    book.topup_below = book.topup_due_at = None


def _bought(book: Book, rule: AutoTopUp) -> None:
    not_before = book.at + timedelta(seconds=current().settings.auto_topup_cooldown_s)
    said: dict[str, Any] = {"declines": 0, "not_before": not_before}
    if rule.enabled:
        said["error"] = None
        watch(book, rule, not_before=not_before)
    auto_topups.change(book.account_id, book.at, **said)


def _declined(book: Book, rule: AutoTopUp, failure: str) -> None:
    declines = rule.declines + 1
    sentence = f"The payment failed: {failure}."
    if not rule.enabled:
        auto_topups.change(book.account_id, book.at, last_failed_at=book.at, declines=declines)
    elif failure in HOPELESS or declines > len(WAITS):
        _switch_off(book, HOPELESS.get(failure, DECLINED), sentence, declines=declines)
    else:
        not_before = book.at + WAITS[declines - 1]
        watch(book, rule, not_before=not_before)
        auto_topups.change(
            book.account_id, book.at, declines=declines, error=sentence, not_before=not_before,
            last_failed_at=book.at,
        )  # fmt: skip


def _switch_off(book: Book, reason: str, sentence: str, **said: Any) -> None:
    log.warning("auto top-up of %s is switched off: %s", book.account_id, reason)
    unwatch(book)
    auto_topups.change(
        book.account_id, book.at, enabled=0, disabled_reason=reason, error=sentence,
        last_failed_at=book.at, **said,
    )  # fmt: skip
