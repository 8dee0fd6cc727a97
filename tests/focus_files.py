"""Files in FOCUS form for tests: one good row, and what is made of it."""

from __future__ import annotations

import csv
import io

GOOD = {
    "BilledCost": "0.5", "BillingAccountId": "acct", "BillingAccountName": "NULL",
    "BillingCurrency": "USD", "BillingPeriodEnd": "2026-02-01T00:00:00Z",
    "BillingPeriodStart": "2026-01-01T00:00:00Z", "ChargeCategory": "Usage",
    "ChargeClass": "NULL", "ChargeDescription": "NULL", "ChargeFrequency": "Usage-Based",
    "ChargePeriodEnd": "2026-01-02T00:00:00Z", "ChargePeriodStart": "2026-01-01T00:00:00Z",
    "ConsumedQuantity": "500000.0", "ConsumedUnit": "Tokens", "ContractedCost": "0.5",
    "EffectiveCost": "0.5", "InvoiceIssuerName": "OpenAI", "ListCost": "0.5",
    "PricingQuantity": "500000.0", "PricingUnit": "Tokens", "ProviderName": "OpenAI",
    "PublisherName": "OpenAI", "RegionId": "NULL", "RegionName": "NULL",
    "ServiceCategory": "AI and Machine Learning", "ServiceName": "gpt-4o",
    "ServiceSubcategory": "Generative AI", "SkuId": "gpt-4o", "SubAccountId": "NULL",
    "SubAccountName": "NULL", "Tags": '{"team": "a", "pinned": true}', "x_InputTokens": "500000",
}  # fmt: skip


def file_of(row: dict[str, str], *names: str) -> str:
    """One row as a file, with the columns named or all of them."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names or tuple(row), extrasaction="ignore")
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue()


def good_file(*changes: dict[str, str]) -> str:
    """A file with one good row for each change of it; the columns of the first."""
    first, *rest = [GOOD | change for change in changes] or [GOOD]
    lines = [file_of(row, *first).partition("\r\n")[2] for row in rest]
    return file_of(first) + "".join(lines)
