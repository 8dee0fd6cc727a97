"""Codecs that the faces share: exact JSON in, compact JSON out, times, money as JSON numbers."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response

from billing_plugin.errors import InvalidRequest
from billing_plugin.money import Money
from billing_plugin.periods import aware


def reply(document: Any, status: int = 200) -> Response:
    """A JSON response that depends on no setting of the host."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=plain)
    return Response(text, status, mimetype="application/json")


def plain(value: Any) -> Any:
    """Times and exact decimals as JSON: ISO milliseconds, and decimal text."""
    if isinstance(value, datetime):
        return iso_millis(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no JSON form")


def parse_json(body: bytes) -> Any:
    """JSON with exact numbers. Raises InvalidRequest for malformed, doubled or endless things."""
    try:
        return json.loads(
            body,
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body is not valid JSON.", code="malformed_json") from error


def iso_millis(at: datetime) -> str:
    """`2026-03-09T14:32:00.000Z`: UTC with milliseconds, cut off, not rounded."""
    instant = aware(at)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def iso_seconds(at: datetime) -> str:
    """`2026-02-26T15:45:00Z`: UTC with whole seconds, cut off, not rounded."""
    return f"{aware(at):%Y-%m-%dT%H:%M:%SZ}"


def number(money: Money | None) -> float | None:
    """Units as a JSON number for contracts that demand one: the shortest that reads back equal.

    Exact for amounts of up to 15 significant digits; computing happens before, in nanos.
    """
    return None if money is None else float(money.amount)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(name)
