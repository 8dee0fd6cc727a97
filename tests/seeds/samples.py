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
