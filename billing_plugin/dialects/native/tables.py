"""Native: reports and lists as CSV files that no spreadsheet runs, and how a file is sent.

A file is written aside first, as of one moment: what cannot be written is refused before the first
byte, nobody is sent half of a file as a whole one, and a slow reader keeps no connection. However
long it is, no more than a megabyte of it is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from functools import partial
from operator import attrgetter
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple, TypeVar

from flask import Response, request
from marshmallow import fields, validate

from billing_plugin.context import snapshot
from billing_plugin.dialects.dialect import instance
from billing_plugin.dialects.native.face import Strict, ok
from billing_plugin.dialects.native.paging import Listing, PageQuery
from billing_plugin.dialects.native.shapes import MONEY
from billing_plugin.dialects.openapi import CSV, Shape, nullable
from billing_plugin.dialects.wire import plain
from billing_plugin.errors import InvalidRequest
from billing_plugin.operations.tables import Cell, write_csv

FORMATS = ("json", "csv")
T = TypeVar("T")
_PIECE = 65_536  # bytes that are sent at a time
_IN_MEMORY = 2**20  # bytes; a longer file is on disk
_AT_ONCE = 100  # of a list by ids
_ID = attrgetter("id")
_OF_A_PAGE = ("limit", "cursor", "offset")
# of `meta`, what stands in each line of a report's file
_ABOUT = (
    "currency", "otherCurrencies", "from", "to", "periodStart", "periodEnd", "unit", "zone",
    "source", "sources", "scope", "asOf", "partitions", "limitReached", "coverage", "method",
    "days", "horizonDays", "leastAmount",
)  # fmt: skip


class FormatQuery(Strict):
    """JSON, or a CSV file."""

    format = fields.String(load_default="json", validate=validate.OneOf(FORMATS))


class ListQuery(FormatQuery, PageQuery):
    """A page of a list, or all of it in a file."""


class Rows(NamedTuple):
    """What a list or its file is called, and the shape of its rows."""

    name: str
    shape: Shape


def answer(
    query: Mapping[str, Any], data: Any, rows: Rows, *, meta: dict[str, Any] | None = None
) -> Response:
    """The data in JSON, `meta` beside it; or as a file, with what it is about in each line."""
    if query["format"] != "csv":
        return ok(data, meta=meta)
    return table(rows, data if isinstance(data, list) else [data], meta=meta or {})


def table(rows: Rows, lines: Iterable[dict[str, Any]], *, meta: Mapping[str, Any]) -> Response:
    """Lines as a file, with what they are about in each; their coverage is told in words."""
    also = {name: _cell(meta, (name, None)) for name in _ABOUT if name in meta}
    covered = meta.get("coverage")
    if isinstance(covered, dict):
        also["coverage"] = covered["text"]
    return _table(rows, ({**also, **line} for line in lines), more=tuple(also))


def is_file(query: Mapping[str, Any]) -> bool:
    """Whether a list is asked for as a file. Raises InvalidRequest where a page of it is."""
    if query["format"] != "csv":
        return False
    named = [name for name in _OF_A_PAGE if name in request.args]
    if named:
        message = "A CSV file holds the whole list, not a page of it."
        raise InvalidRequest(message, extra={"fields": dict.fromkeys(named, message)})
    return True


def whole(
    rows: Rows,
    page: Callable[[Any], Sequence[T]],
    *,
    shape: Callable[[T], dict[str, Any]],
    place_of: Callable[[T], Any],
) -> Response:
    """All of a list as a file; `page` finds those after a place (None: the first)."""
    return _table(rows, map(shape, _every(page, place_of)))


def listed(
    query: dict[str, Any],
    rows: Rows,
    page: Callable[..., Sequence[T]],
    *,
    account: str | None,
    shape: Callable[[T], dict[str, Any]],
) -> Response:
    """A page of a list by ids, or all of it as a file; `page` finds `limit` of them that come
    `before` an id. Raises InvalidRequest for a page of a file."""
    if is_file(query):
        found = partial(page, limit=_AT_ONCE)
        return whole(rows, lambda last: found(before=last), shape=shape, place_of=_ID)
    listing = Listing(rows.name, account, query)
    return listing.answer(page(before=listing.before, limit=listing.limit), shape, _ID)


def download(name: str, write: Callable[[IO[bytes]], Any]) -> Response:
    """What `write` puts into a file, as an attachment of that name."""
    with ExitStack() as stack:
        file: IO[bytes] = stack.enter_context(SpooledTemporaryFile(_IN_MEMORY))
        write(file)
        size = file.tell()
        file.seek(0)
        is_short = size <= _IN_MEMORY
        body = file.read() if is_short else iter(partial(file.read, _PIECE), b"")
        response = Response(body, mimetype=CSV)
        response.content_length = size
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
        if not is_short:  # it is read while it is sent, and closed by the server
            response.call_on_close(stack.pop_all().close)
    return response


def _table(rows: Rows, lines: Iterable[dict[str, Any]], *, more: tuple[str, ...] = ()) -> Response:
    columns = list(_columns(rows.shape))
    columns += [(name, None) for name in more if (name, None) not in columns]
    names = [name if part is None else f"{name}.{part}" for name, part in columns]

    def write(file: IO[bytes]) -> None:
        cells = ([_cell(line, column) for column in columns] for line in lines)
        with instance().active(), snapshot():
            for text in write_csv(names, cells):
                file.write(text.encode())

    return download(rows.name, write)


def _columns(shape: Shape) -> Iterator[tuple[str, str | None]]:
    """The members of a shape, and those of the amounts in it."""
    for name, inner in shape["properties"].items():
        is_money = inner in (MONEY, nullable(MONEY))
        yield from ((name, part) for part in (MONEY["properties"] if is_money else (None,)))


def _every(
    page: Callable[[Any], Sequence[T]], place_of: Callable[[T], Any]
) -> Iterator[T]:  # fmt: skip
    found = page(None)
    while found:
        yield from found
        found = page(place_of(found[-1]))


def _cell(line: Mapping[str, Any], column: tuple[str, str | None]) -> Cell:
    name, part = column
    value = line.get(name)
    if part is not None:
        value = None if value is None else value[part]
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=plain)
    found: Cell = value
    return found
