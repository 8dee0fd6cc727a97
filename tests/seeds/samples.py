"""The answers that the seeds show, word for word, and how documents are compared: exactly."""

import json
from typing import Any

SYNC_BILLING = json.loads("""
{
"success": true,
"synced": 5,
"failed": 1,
"results": [
{
"id": 42,
"provider_name": "openrouter",
"status": "success",
"balance": 47.83,
"usage_today": 2.34,
"usage_month": 89.47,
"synced_at": "2026-02-26T15:45:00Z"
},
{
"id": 43,
"provider_name": "groq",
"status": "success",
"balance": null,
"usage_today": null,
"usage_month": null,
"synced_at": "2026-02-26T15:45:00Z",
"note": "Provider does not expose billing API"
},
{
"id": 44,
"provider_name": "mistral",
"status": "success",
"balance": 125.64,
"usage_today": 5.67,
"usage_month": 78.23,
"synced_at": "2026-02-26T15:45:00Z"
},
{
"id": 45,
"provider_name": "fal_ai",
"status": "failed",
"error": "API key invalid or expired",
"synced_at": "2026-02-26T15:45:00Z"
}
],
"total_balance": 173.47,
"total_usage_month": 167.70
}
""")

BALANCE = json.loads("""
{
  "balanceInCents": 4250,
  "balanceInDollars": 42.5
}
""")

LEDGER = json.loads("""
{
  "entries": [
    {
      "id": "clx1abc2def3ghi4jkl",
      "type": "USAGE_DEBIT",
      "amountInCents": -12,
      "balanceAfterInCents": 4250,
      "metadata": {
        "model": "gpt-4",
        "tokens": 1523
      },
      "createdAt": "2026-03-09T14:32:00.000Z"
    },
    {
      "id": "clx1mno5pqr6stu7vwx",
      "type": "CREDIT_PURCHASE",
      "amountInCents": 2000,
      "balanceAfterInCents": 4262,
      "metadata": {
        "stripePaymentId": "pi_abc123"
      },
      "createdAt": "2026-03-08T10:15:00.000Z"
    }
  ],
  "limit": 5,
  "offset": 0,
  "count": 2
}
""")


def exact(document: Any) -> str:
    """The document as text, so that 1, 1.0 and true differ and only the order of names is free."""
    return json.dumps(document, sort_keys=True, indent=1)


def with_ids(rows: list[dict[str, Any]], answered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a seed with the ids that were really given out."""
    return [row | {"id": given["id"]} for row, given in zip(rows, answered, strict=True)]


ITEM_BODY = json.loads("""
{
"name": "GCP Compute Engine",
"amount": 1050,
"currency": "USD",
"provider": "gcp",
"providerRef": "gcp-inv-2026-03",
"tags": ["compute", "production"],
"description": "March compute costs",
"recurring": true,
"period": "monthly"
}
""")

ITEM = json.loads("""
{
"success": true,
"data": {
"id": "abc123def456",
"name": "GCP Compute Engine",
"amount": 1050,
"currency": "USD",
"provider": "gcp",
"providerRef": "gcp-inv-2026-03",
"tags": ["compute", "production"],
"description": "March compute costs",
"recurring": true,
"period": "monthly",
"date": "2026-03-05T12:00:00.000Z",
"createdAt": "2026-03-05T12:00:00.000Z",
"updatedAt": "2026-03-05T12:00:00.000Z"
}
}
""")

SUMMARY = json.loads("""
{
"success": true,
"data": {
"totalAmount": 52500,
"itemCount": 15,
"currency": "USD",
"from": "2026-03-01",
"to": "2026-03-31"
}
}
""")

BREAKDOWN = json.loads("""
{
"success": true,
"data": [
{ "key": "gcp", "amount": 35000, "count": 8, "percentage": 66.7 },
{ "key": "openai", "amount": 17500, "count": 7, "percentage": 33.3 }
]
}
""")

TREND = json.loads("""
{
"success": true,
"data": [
{ "date": "2026-01", "amount": 45000, "count": 12 },
{ "date": "2026-02", "amount": 48000, "count": 14 },
{ "date": "2026-03", "amount": 52500, "count": 15 }
]
}
""")

STATUS = json.loads("""
{
"success": true,
"data": {
"initialized": true,
"config": { "version": 1, "currency": "USD" },
"totalItems": 42,
"totalCategories": 5,
"totalSyncJobs": 3,
"totalAmount": 150000,
"currency": "USD",
"storageType": "file"
}
}
""")

NOT_FOUND = json.loads("""
{
"success": false,
"error": {
"code": "NOT_FOUND",
"message": "Item not found: abc123def456"
}
}
""")
