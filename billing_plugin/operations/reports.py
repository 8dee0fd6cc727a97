"""Reports of spend. Every figure states its period, zone, source and currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing_plugin.context import Actor, now, snapshot
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, reports
from billing_plugin.models.reports import GROUPS, SpendGroup
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.coverage import Coverage, Priced, coverage_of_usage
from billing_plugin.periods import MONTHLY, Period, window


@dataclass(frozen=True, slots=True)
class SpendReport:
    """Metered spend in a half-open period: exact total and groups that add up to it.

    `flagged` says how much of the total, and how many uses, were charged without a known price.
    """

    period: Period
    group_by: str
    total: Money
    count: int
    groups: list[SpendGroup]
    flagged: SpendGroup
    as_of: datetime
    coverage: Coverage
    zone: str = "UTC"
    source: str = "metered"


@operation(scope="reports:read", effect="reads")
def report_spend(
    actor: Actor, account_id: str, period: Period | None = None, *, group_by: str = "model"
) -> SpendReport:
    """What the account spent in the period (None: this calendar month in UTC), grouped by
    provider, model, day or none. Raises InvalidRequest, NotFound."""
    del actor
    if group_by not in GROUPS:
        raise InvalidRequest(f"group_by is one of {', '.join(GROUPS)}.")
    as_of = now()
    span = period or window(MONTHLY, as_of)
    with snapshot():
        currency = accounts.get(account_id).currency
        groups = reports.spend(account_id, span, group_by=group_by, currency=currency)
        flagged = reports.flagged(account_id, span, currency)
        total = sum((group.amount for group in groups), Money.zero(currency))
        count = sum(group.count for group in groups)
        priced = Priced(total, flagged.amount, count, flagged.count)
        covered = coverage_of_usage(account_id, span, priced=priced, providers=None)
    return SpendReport(span, group_by, total, count, groups, flagged, as_of, covered)
