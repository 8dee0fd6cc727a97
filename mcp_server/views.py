"""What tools answer: short, money always as exact text, whole cents and currency together.

Each view begins with `summary`, one line in words. Balances round down to cents and amounts round
half-even, as everywhere; the cents of a report's lines add up to the cents of its total.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from billing_plugin import Money
from billing_plugin.money import split_cents
from billing_plugin.operations.ledger import Balance
from billing_plugin.operations.limits import LimitState
from billing_plugin.operations.reports import SpendReport
from mcp_server.refusals import plain

MOST_LINES = 25
_TOPUP_WORDS = {
    "succeeded": "{} of credit was added.",
    "processing": "The payment of {} is under way. Call again with the same idempotency_key.",
    "created": "The payment of {} has begun. Call again with the same idempotency_key.",
    "review": "The payment of {} is not what was asked for; a person has to look at it.",
    "unknown": "It is not known yet whether {} was charged."
    " Call again with the same idempotency_key; it never charges twice.",
}


class MoneyView(BaseModel):
    """An exact amount in units, its view in whole minor units, and the currency."""

    amount: str
    cents: int
    currency: str


class BalanceView(BaseModel):
    """What the account has: available = posted - held."""

    summary: str
    account_id: str
    available: MoneyView
    posted: MoneyView
    held: MoneyView
    as_of: datetime


class TopUpView(BaseModel):
    """One purchase of credit. Status: succeeded, processing, or unknown (being asked about)."""

    summary: str
    topup_id: str
    status: str
    amount: MoneyView
    created_at: datetime


class LimitView(BaseModel):
    """A hard spending limit with its present window."""

    summary: str
    limit_id: str
    amount: MoneyView
    window: str
    zone: str
    spent: MoneyView
    held: MoneyView
    remaining: MoneyView | None
    window_start: datetime
    resets_at: datetime | None


class SpendLine(BaseModel):
    """One group of a report: its key, its money and its number of uses."""

    key: str
    amount: MoneyView
    count: int


class OtherLines(BaseModel):
    """The groups that a report leaves out for length, added up."""

    groups: int
    amount: MoneyView
    count: int


class SpendView(BaseModel):
    """Spend in a half-open period. `groups` and `others` add up to `total`, except by tag."""

    summary: str
    period_start: datetime
    period_end: datetime
    zone: str
    source: str
    group_by: str
    total: MoneyView
    count: int
    groups: list[SpendLine]
    others: OtherLines | None
    other_currencies: list[str]
    coverage: str


def balance_view(balance: Balance) -> BalanceView:
    """A balance in words and figures."""
    return BalanceView(
        summary=f"{balance.available} available"
        f" ({balance.posted.text} settled, {balance.held.text} reserved).",
        account_id=balance.account_id,
        available=_money(balance.available, balance.available.cents_down),
        posted=_money(balance.posted, balance.posted.cents_down),
        held=_money(balance.held),
        as_of=balance.as_of,
    )


def topup_view(topup: Any) -> TopUpView:
    """A top-up (what operations.top_up returns) in words and figures."""
    return TopUpView(
        summary=_TOPUP_WORDS[topup.status].format(topup.amount),
        topup_id=topup.id,
        status=topup.status,
        amount=_money(topup.amount),
        created_at=topup.created_at,
    )


def limit_view(state: LimitState) -> LimitView:
    """A limit and its window in words and figures."""
    limit = state.limit
    return LimitView(
        summary=_limit_words(state),
        limit_id=limit.id,
        amount=_money(limit.amount),
        window=limit.window_name,
        zone=limit.zone,
        spent=_money(state.spent),
        held=_money(state.held),
        remaining=_money(state.remaining, state.remaining.cents_down) if state.remaining else None,
        window_start=state.window_start,
        resets_at=state.resets_at,
    )


def spend_view(report: SpendReport) -> SpendView:
    """A report in words and figures, its lines as the operation orders them."""
    lines = _lines(report)
    return SpendView(
        summary=_spend_words(report),
        period_start=report.period.start,
        period_end=report.period.end,
        zone=report.zone,
        source=report.source,
        group_by=report.group_by,
        total=_money(report.total),
        count=report.count,
        groups=lines[:MOST_LINES],
        others=_others(report, lines[MOST_LINES:]),
        other_currencies=[],
        coverage=report.coverage.text,
    )


def _money(value: Money, cents: int | None = None) -> MoneyView:
    whole = value.cents if cents is None else cents
    return MoneyView(amount=value.text, cents=whole, currency=value.currency)


def _limit_words(state: LimitState) -> str:
    limit = state.limit
    resets = "It never resets."
    if state.resets_at:
        resets = f"It resets at {state.resets_at:%Y-%m-%d %H:%M} UTC."
    left = f", {state.remaining.text} left" if state.remaining else ""
    return (
        f"{limit.window_name.capitalize()} limit of {limit.amount}:"
        f" {state.spent.text} spent{left}. {resets}"
    )


def _spend_words(report: SpendReport) -> str:
    first, end = report.period.start, report.period.end
    return (
        f"{report.total} spent by {report.count} metered uses"
        f" from {first:%Y-%m-%d} to before {end:%Y-%m-%d} ({report.zone})."
    )


def _lines(report: SpendReport) -> list[SpendLine]:
    cents = split_cents([group.amount for group in report.groups])
    return [
        SpendLine(key=plain(group.key), amount=_money(group.amount, whole), count=group.count)
        for group, whole in zip(report.groups, cents, strict=True)
    ]


def _others(report: SpendReport, lines: list[SpendLine]) -> OtherLines | None:
    if not lines:
        return None
    rest = report.groups[MOST_LINES:]
    amount = sum((group.amount for group in rest), Money.zero(report.total.currency))
    return OtherLines(
        groups=len(rest),
        amount=_money(amount, sum(line.amount.cents for line in lines)),
        count=sum(group.count for group in rest),
    )
