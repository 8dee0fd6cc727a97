"""Signed messages: HMAC-SHA256 over the time and the body, as `t=<Unix time>,v1=<hex>`.

Source: Stripe, "Verify webhook signatures manually". Beyond it, a message from the future is
refused as one from the past is.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing_plugin.errors import InvalidRequest

TOLERANCE_S = 300
MAX_SIGNATURES = 10  # while secrets are rotated there are two
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)


def sign(body: bytes, secret: str, at: datetime) -> str:
    """The header that goes with a body."""
    moment = int(at.timestamp())
    return f"t={moment},v1={_digest(body, secret, str(moment))}"


def verify(body: bytes, header: str, *, secrets: Sequence[str], at: datetime) -> None:
    """Raises InvalidRequest (`invalid_signature`), alike for every way a signature can be wrong,
    unless one of the secrets signed the body at most five minutes from now, before or after."""
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value for name, _, value in parts if name.strip() == "v1"][:MAX_SIGNATURES]
    moment = times[0] if len(times) == 1 and _TIME.fullmatch(times[0]) else ""
    is_now = bool(moment) and abs(int(moment) - at.timestamp()) <= TOLERANCE_S
    # All are compared, whatever the first ones say.
    found = [
        hmac.compare_digest(_digest(body, secret, moment), one)
        for secret in secrets
        for one in given
        if one.isascii()
    ]
    if not (is_now and any(found)):
        raise InvalidRequest("The signature is not valid.", code="invalid_signature")


def document(body: bytes) -> dict[str, Any]:
    """The JSON object of a verified body, in which no name is said twice. Raises InvalidRequest
    (`malformed_json`)."""
    try:
        found = json.loads(body, object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body is not valid JSON.", code="malformed_json") from error
    if not isinstance(found, dict):
        raise InvalidRequest("The body is not a JSON object.", code="malformed_json")
    return found


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _digest(body: bytes, secret: str, moment: str) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, "sha256").hexdigest()
