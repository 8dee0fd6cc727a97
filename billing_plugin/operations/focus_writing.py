"""Writing bills in FOCUS 1.2 form (CSV), for the tools that read every vendor's bill alike."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from billing_plugin.errors import InvalidRequest
from billing_plugin.money import check_currency
from billing_plugin.operations.focus_cells import FOREIGN
from billing_plugin.operations.focus_columns import (
    BY_NAME,
    CORRECTION,
    ONE_TIME,
    OTHER,
    PURCHASE,
    SUBCATEGORIES,
    TAX,
    TOKEN_COLUMNS,
    USAGE,
    USAGE_BASED,
    FocusCharge,
    Quantity,
    other_in,
)
from billing_plugin.operations.tables import Echo, decimal_text, time_text
from billing_plugin.periods import Period

NULL = "NULL"
ONE_CHARGE = Quantity(Decimal(1), "Charges")  # of what was not measured
# In order of their names: every mandatory and recommended column that we can fill, and the
# conditional ones whose rules we can keep. Unit prices and commitments are not ours to tell.
WRITTEN = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency"),
    *("BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass"),
    *("ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart"),
    *("ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost", "InvoiceId"),
    *("InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName"),
    *("PublisherName", "RegionId", "RegionName", "ResourceId", "ServiceCategory"),
    *("ServiceName", "ServiceSubcategory", "SkuId", "SubAccountId", "SubAccountName", "Tags"),
)
_COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
_SECOND = timedelta(seconds=1)
_EXTRA = re.compile(r"x_[A-Za-z0-9_]{1,48}")
_Cells = dict[str, str | None]


def write_focus(
    charges: Iterable[FocusCharge], *, invoice_issuer: str | None = None, extra: Sequence[str] = ()
) -> Iterator[str]:
    """The lines of a FOCUS 1.2 file, its header first. To be encoded as UTF-8.

    Numbers are exact and have a dot (`500.0`), times are whole seconds in UTC (a period is widened
    to them), tags are JSON with sorted keys, what is unknown is `NULL`. All four costs are the
    billed one: nothing else is known. `invoice_issuer` stands where a charge names none (None: the
    provider itself); `extra` names the `x_` columns that are written besides the tokens. What was
    not measured is one charge: quantity `1.0`, unit `Charges`.

    Text is written as it is, also where it begins like a formula: FOCUS forbids to change it
    (String Handling), and programs read these files. For spreadsheets there is `tables.write_csv`.
    Raises InvalidRequest for a charge that FOCUS cannot say: no provider, service or account, or
    NUL in a text.
    """
    columns = (*WRITTEN, *TOKEN_COLUMNS.values(), *extra)
    if len(set(columns)) < len(columns) or not all(map(_EXTRA.fullmatch, extra)):
        raise InvalidRequest("A further column is named x_ and letters, such as x_Team, and once.")
    writer = csv.writer(Echo())
    yield writer.writerow(columns)
    for charge in charges:
        cells = _cells(charge, invoice_issuer)
        yield writer.writerow([_cell(name, cells.get(name)) for name in columns])


def _cells(charge: FocusCharge, invoice_issuer: str | None) -> _Cells:
    return {
        **charge.extra,
        **_counts(charge.tokens),
        **dict.fromkeys(_COSTS, _number(charge.amount.amount)),
        **_account(charge),
        **_period("Billing", charge.billing_period),
        **_period("Charge", charge.charge_period),
        "BillingCurrency": check_currency(charge.currency),
        "ChargeCategory": charge.category,
        "ChargeClass": CORRECTION if charge.correction else None,
        "ChargeDescription": charge.description,
        "ChargeFrequency": _frequency(charge),
        **_quantity("Consumed", _consumed(charge)),
        **_quantity("Pricing", _priced(charge)),
        "InvoiceId": charge.invoice_id,
        "InvoiceIssuerName": _said(charge.invoice_issuer) or invoice_issuer or charge.provider,
        "ProviderName": charge.provider,
        "PublisherName": _said(charge.publisher) or charge.provider,
        "RegionId": charge.region,
        "RegionName": charge.region,
        "ResourceId": charge.resource,
        **_sold(charge),
        "Tags": _tags(charge.tags),
    }


def _account(charge: FocusCharge) -> _Cells:
    id, name = _said(charge.sub_account_id), _said(charge.sub_account_name)
    return {
        "BillingAccountId": charge.account_id,
        "BillingAccountName": charge.account_name,
        "SubAccountId": id or name,
        "SubAccountName": name or id,
    }


def _period(kind: str, period: Period) -> _Cells:
    """Whole seconds around the period, one at least: FOCUS knows no instant."""
    start = period.start.replace(microsecond=0)
    end = period.end.replace(microsecond=0)
    if end < period.end or end == start:
        end += _SECOND
    return {f"{kind}PeriodStart": time_text(start), f"{kind}PeriodEnd": time_text(end)}


def _sold(charge: FocusCharge) -> _Cells:
    """What 1.2 does not list is `Other`; usage and purchases are of the service where no SKU is
    known, since FOCUS wants one there, and taxes are of none."""
    category = charge.service_category if charge.service_category in SUBCATEGORIES else OTHER
    known = charge.service_subcategory in SUBCATEGORIES[category]
    needed = charge.service if charge.category in (USAGE, PURCHASE) else None
    return {
        "ServiceCategory": category,
        "ServiceName": charge.service,
        "ServiceSubcategory": charge.service_subcategory if known else other_in(category),
        "SkuId": None if charge.category == TAX else _said(charge.sku) or needed,
    }


def _frequency(charge: FocusCharge) -> str:
    usual = ONE_TIME if charge.category == PURCHASE else USAGE_BASED
    contradicts = (charge.category, charge.frequency) == (PURCHASE, USAGE_BASED)
    return usual if contradicts else charge.frequency or usual


def _consumed(charge: FocusCharge) -> Quantity | None:
    """Told of usage only. Tokens of other kinds are within those read and written."""
    if charge.category != USAGE:
        return None
    return charge.consumed or _tokens(charge) or charge.priced or ONE_CHARGE


def _priced(charge: FocusCharge) -> Quantity | None:
    if charge.category == TAX:
        return None
    needed = ONE_CHARGE if charge.category in (USAGE, PURCHASE) else None
    return charge.priced or charge.consumed or _tokens(charge) or needed


def _tokens(charge: FocusCharge) -> Quantity | None:
    total = charge.tokens.get("input_tokens", 0) + charge.tokens.get("output_tokens", 0)
    return Quantity(Decimal(total), "Tokens") if total else None


def _quantity(kind: str, quantity: Quantity | None) -> _Cells:
    if quantity is None:
        return {}
    if not _said(quantity.unit):
        raise InvalidRequest("A quantity has a unit.")
    return {f"{kind}Quantity": _number(quantity.amount), f"{kind}Unit": quantity.unit}


def _counts(tokens: Mapping[str, int]) -> _Cells:
    if not tokens.keys() <= TOKEN_COLUMNS.keys():
        raise InvalidRequest(f"Tokens are told by {', '.join(TOKEN_COLUMNS)}.")
    return {TOKEN_COLUMNS[name]: str(count) for name, count in tokens.items()}


def _number(amount: Decimal) -> str:
    text = decimal_text(amount)
    return text if "." in text else f"{text}.0"


def _tags(tags: Mapping[str, str | bool | None]) -> str | None:
    for told in (*tags, *tags.values()):
        _checked("Tags", str(told))
    return json.dumps(dict(tags), ensure_ascii=False, sort_keys=True) if tags else None


def _cell(name: str, told: str | None) -> str:
    column, text = BY_NAME.get(name), _said(told)
    if text is None:
        if column and not column.nullable:
            raise InvalidRequest(f"FOCUS needs a {name} of every charge.")
        return NULL
    if column and column.allowed and text not in column.allowed:
        raise InvalidRequest(f"The {name} of a charge is one of {', '.join(column.allowed)}.")
    return _checked(name, text)


def _said(text: str | None) -> str | None:
    """None for what would be read as null."""
    return None if text is None or text == NULL or not text.strip() else text


def _checked(name: str, text: str) -> str:
    if FOREIGN.search(text):
        raise InvalidRequest(f"The {name} of a charge has a NUL or half a character in it.")
    return text
