"""Native: bills in FOCUS form, taken in whole or not at all, and what is stored as such a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import marshmallow
from flask import Response, request
from marshmallow import fields, validate
from webargs.fields import DelimitedList

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor, instance
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.items import Day
from billing_plugin.dialects.native.shapes import MONEY
from billing_plugin.dialects.native.tables import download
from billing_plugin.dialects.openapi import CSV, WHOLE, many, shape
from billing_plugin.errors import UnsupportedMediaType
from billing_plugin.money import Exact
from billing_plugin.operations.item_filters import EVERY_SOURCE, ITEM_SOURCES, SpendFilter

TAGS = ["FOCUS"]
_TEXT = validate.Length(min=1, max=500)
IMPORTED = shape(
    "FocusImport",
    "What a file says, and what became of it: a row that was known is `unchanged`.",
    rows=WHOLE,
    created=WHOLE,
    updated=WHOLE,
    unchanged=WHOLE,
    totals=many(MONEY),
)


class ExportQuery(Strict):
    """What is written; `from` and `to` are UTC days, both included."""

    category = fields.String(load_default=None, validate=_TEXT)
    provider = fields.String(load_default=None, validate=_TEXT)
    service = fields.String(load_default=None, validate=_TEXT)
    to = Day(load_default=None)
    source = DelimitedList(
        fields.String(validate=validate.OneOf(EVERY_SOURCE)),
        validate=validate.Length(min=1),
    )
    since = Day(load_default=None, data_key="from")


@native.view(answers={200: IMPORTED}, reads=CSV, tags=TAGS)
def import_focus() -> Response:
    """Import a FOCUS bill

    Versions 1.0 to 1.2. With a wrong row nothing is stored, and `errors` names line and column of
    each; the same file again changes nothing.
    """
    idempotency_key()  # any will do: rows are known by what they say
    with _received() as file:
        done = operations.import_focus(actor(), account_id(), file)
    told = {
        "rows": done.rows, "created": done.created, "updated": done.updated,
        "unchanged": done.unchanged, "totals": [_money(*one) for one in done.totals.items()],
    }  # fmt: skip
    return ok(told, replayed=done.rows > 0 and done.unchanged == done.rows)


@native.view(answers={200: None}, refusals=(404,), csv=True, tags=TAGS)
@native.arguments(ExportQuery(), location="query", unknown=marshmallow.RAISE)
def export_focus(query: dict[str, Any]) -> Response:
    """Export as FOCUS 1.2

    A line for each item, and for each metered use where `source` names `metered`; the totals are
    those of the reports of the same filter.
    """
    chosen = SpendFilter(
        category=query["category"], provider=query["provider"], service=query["service"],
        since=query["since"], until=query["to"], sources=query.get("source", ITEM_SOURCES),
    )  # fmt: skip
    asking, account = actor(), account_id()
    days = [str(day) for day in (chosen.since, chosen.until) if day is not None]
    return download(
        "-".join(["focus", *days]),
        lambda file: operations.export_focus(asking, account, file, chosen=chosen),
    )


@contextmanager
def _received() -> Iterator[BinaryIO]:
    """The body as a file that can be read twice; never all of it is in memory.

    Raises UnsupportedMediaType; a body that is cut off or too large is an HTTP error.
    """
    if request.mimetype != CSV:
        raise UnsupportedMediaType(f"The body must be {CSV}.")
    request.max_content_length = instance().settings.max_import_bytes
    with TemporaryFile() as file:
        copyfileobj(request.stream, file)
        file.seek(0)
        yield file


def _money(currency: str, total: Exact) -> dict[str, Any]:
    return {"amount": total.text(currency), "cents": total.cents(currency), "currency": currency}
