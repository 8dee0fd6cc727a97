"""Signing what is sent, as Standard Webhooks has it (the library of the same name)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from secrets import token_bytes

from standardwebhooks import Webhook

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """A fresh secret, in the form in which receivers' libraries take it."""
    return PREFIX + base64.b64encode(token_bytes(SECRET_BYTES)).decode()


def headers(
    message_id: str, body: str, *, at: datetime, secrets: Sequence[str]
) -> dict[str, str]:  # fmt: skip
    """The three headers of a message: its id, the time of this attempt, a signature by each
    secret."""
    whole = at.astimezone(UTC).replace(microsecond=0)
    signatures = [Webhook(secret).sign(message_id, whole, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(whole.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
