"""What is stored as charges of a FOCUS bill: the other way round of `focus.draft_of`.

An imported item says again what it said. Whatever else was stored, by a person or a sync, makes a
charge all the same: what FOCUS cannot take is left out, and what it needs is filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from billing_plugin.errors import InvalidRequest
from billing_plugin.models.accounts import Account
from billing_plugin.models.items import CostItem
from billing_plugin.models.spend import METERED
from billing_plugin.models.usage import UsageRecord
from billing_plugin.money import Exact
from billing_plugin.operations.focus_cells import decimal
from billing_plugin.operations.focus_columns import (
    AI,
    BY_NAME,
    CORRECTION,
    CREDIT,
    OTHER,
    PURCHASE,
    RECURRING,
    TOKEN_COLUMNS,
    USAGE,
    FocusCharge,
    Quantity,
)
from billing_plugin.operations.focus_writing import NULL
from billing_plugin.operations.tables import decimal_text
from billing_plugin.periods import MONTHLY, Period, parse_time, window

UNKNOWN = "Unknown"  # a provider or service that nobody named
SOURCE, CATEGORY, KEY, AGENT = "x_Source", "x_Category", "x_KeyId", "x_Agent"
EXTRA = (SOURCE, CATEGORY, KEY, AGENT)  # our own columns, besides the tokens
_GENERATIVE = "Generative AI"


def charge_of_item(item: CostItem, account: Account, names: Mapping[str, str]) -> FocusCharge:
    """An item as a charge; `names` are those of the categories, by id."""
    meta = {name: value for name, value in item.meta.items() if isinstance(value, str)}
    said = meta.get
    usage = item.usage or {}
    return FocusCharge(
        amount=item.amount,
        currency=item.currency,
        provider=_named(item.provider),
        service=_named(item.service_id),
        charge_period=_charge_period(item.date, said("ChargePeriodEnd")),
        billing_period=_billing_period(item.date, meta),
        category=_allowed("ChargeCategory", meta) or _category(item),
        correction=said("ChargeClass") == CORRECTION,
        service_category=said("ServiceCategory", OTHER),
        service_subcategory=said("ServiceSubcategory"),
        description=_description(item),
        frequency=_frequency(item, meta),
        **_billed_to(meta, account),
        publisher=said("PublisherName"),
        invoice_issuer=said("InvoiceIssuerName"),
        invoice_id=said("InvoiceId"),
        region=said("RegionId"),
        resource=said("ResourceId"),
        sku=_text(usage.get("sku_id")),
        consumed=_quantity(usage.get("amount"), usage.get("unit")),
        priced=_quantity(said("PricingQuantity"), said("PricingUnit")),
        tags=tags_of(item.tags),
        tokens=_tokens(item.meta),
        extra={SOURCE: item.source, CATEGORY: names.get(item.category_id or "", "")},
    )


def charge_of_record(record: UsageRecord, account: Account) -> FocusCharge:
    """A metered use as a charge of its provider; a reversal, refund or new rating corrects."""
    at = record.effective_at
    return FocusCharge(
        amount=Exact(record.cost_nanos),
        currency=record.currency,
        provider=_named(record.provider),
        service=_named(record.model),
        account_id=account.id,
        account_name=account.name,
        charge_period=Period(at, at),
        billing_period=window(MONTHLY, at),
        correction=record.corrects_id is not None,
        service_category=AI,
        service_subcategory=_GENERATIVE,
        tokens=_counts(record.quantities),
        extra={SOURCE: METERED, KEY: record.key_id or "", AGENT: record.agent or ""},
    )


def tags_of(tags: list[str]) -> dict[str, str | bool | None]:
    """Tags as key-values: `key=value` is one, any other a key without a value, which is true.

    So is the whole of a second tag of the same key, for a key stands once.
    """
    found: dict[str, str | bool | None] = {tag: True for tag in tags if "=" not in tag}
    for tag in tags:
        key, sign, value = tag.partition("=")
        if not sign:
            continue
        if key and key not in found:
            found[key] = value
        else:
            found[tag] = True
    return found


def _named(said: str | None) -> str:
    return said if said is not None and _is_said(said) else UNKNOWN


def _is_said(text: str) -> bool:
    """Whether FOCUS would not read it as null."""
    return text != NULL and bool(text.strip())


def _text(said: Any) -> str | None:
    return said if isinstance(said, str) else None


def _allowed(name: str, meta: Mapping[str, str]) -> str | None:
    said = meta.get(name)
    return said if said in BY_NAME[name].allowed else None


def _category(item: CostItem) -> str:
    """Money given back is a credit, what comes again was bought, the rest was used."""
    if item.nanos < 0:
        return CREDIT
    return PURCHASE if item.recurring else USAGE


def _frequency(item: CostItem, meta: Mapping[str, str]) -> str | None:
    if item.recurring:
        return RECURRING
    said = _allowed("ChargeFrequency", meta)
    return None if said == RECURRING else said


def _description(item: CostItem) -> str | None:
    """None where it is the service's name, which an import gives to what says nothing."""
    said = item.description or item.name
    return None if said == item.service_id else said


def _billed_to(meta: Mapping[str, str], account: Account) -> dict[str, Any]:
    """The vendor's account where it is known, else ours."""
    known = "BillingAccountId" in meta
    return {
        "account_id": _named(meta["BillingAccountId"]) if known else account.id,
        "account_name": meta.get("BillingAccountName") if known else account.name,
        "sub_account_id": meta.get("SubAccountId"),
        "sub_account_name": meta.get("SubAccountName"),
    }


def _charge_period(start: datetime, told: str | None) -> Period:
    """To the end that is known, unless the item was moved behind it; else its UTC day."""
    end = _instant(told)
    if end is None or end < start:
        midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        end = midnight + timedelta(days=1)
    return Period(start, end)


def _billing_period(at: datetime, meta: Mapping[str, str]) -> Period:
    """The one that is known, else the calendar month."""
    start, end = _instant(meta.get("BillingPeriodStart")), _instant(meta.get("BillingPeriodEnd"))
    known = start is not None and end is not None and start <= end
    return Period(start, end) if known and start and end else window(MONTHLY, at)


def _instant(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except InvalidRequest:
        return None


def _quantity(amount: Any, unit: Any) -> Quantity | None:
    """A quantity that can be read again; None where somebody has said another thing there."""
    if isinstance(amount, bool) or not isinstance(unit, str) or not _is_said(unit):
        return None
    try:
        return Quantity(decimal(decimal_text(decimal(str(amount)))), unit)
    except InvalidRequest:
        return None


def _tokens(meta: Mapping[str, Any]) -> dict[str, int]:
    return _counts({name: meta.get(column) for name, column in TOKEN_COLUMNS.items()})


def _counts(said: Mapping[str, Any]) -> dict[str, int]:
    """The counts among them: a correction may take tokens back, which no column can say."""
    return {
        name: count
        for name, count in said.items()
        if name in TOKEN_COLUMNS and type(count) is int and 0 < count < 10**18
    }
