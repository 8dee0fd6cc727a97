"""Codecs that the faces share: exact JSON in, compact JSON out, times, money as JSON numbers."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Response

from billing_plugin.errors import InvalidRequest
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import storable
from billing_plugin.periods import aware

MAX_DEPTH = 32


def reply(document: Any, status: int = 200) -> Response:
    """A JSON response that depends on no setting of the host."""
    return reply_text(json_text(document), status)


def reply_text(text: str, status: int = 200) -> Response:
    """The same of what is JSON already."""
    return Response(text, status, mimetype="application/json")


def json_text(document: Any) -> str:
    """A document as JSON, in few characters."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=plain)


def plain(value: Any) -> Any:
    """Times and exact decimals as JSON: ISO milliseconds, and decimal text."""
    if isinstance(value, datetime):
        return iso_millis(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no JSON form")


def parse_json(body: bytes) -> Any:
    """JSON in UTF-8 with exact numbers.

    Raises InvalidRequest for malformed, doubled, endless or too deeply nested things, and for text
    that cannot be stored.
    """
    try:
        document = json.loads(
            body.decode(),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body is not valid JSON.", code="malformed_json") from error
    _check(document, MAX_DEPTH)
    return document


def iso_millis(at: datetime) -> str:
    """`2026-03-09T14:32:00.000Z`: UTC with milliseconds, cut off, not rounded."""
    return aware(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_seconds(at: datetime) -> str:
    """`2026-02-26T15:45:00Z`: UTC with whole seconds, cut off, not rounded."""
    return aware(at).isoformat(timespec="seconds").replace("+00:00", "Z")


def number(money: Money | None) -> float | None:
    """Units as a JSON number for contracts that demand one: the shortest that reads back equal.

    Exact for amounts of up to 15 significant digits; computing happens before, in nanos.
    """
    return None if money is None else float(money.amount)


def camel(name: str) -> str:
    """`resets_at` as `resetsAt`."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        storable(value)
    elif isinstance(value, (dict, list)):
        if depth == 0:
            raise InvalidRequest(f"The body is nested more than {MAX_DEPTH} levels deep.")
        for item in (*value, *value.values()) if isinstance(value, dict) else value:
            _check(item, depth - 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(name)
