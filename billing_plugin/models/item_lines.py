"""Items of a list as lines of JSON, which the database writes.

A hundred items are the product's longest answer. Read as rows and written again they cost twice
what they cost the database to write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from billing_plugin.context import is_sqlite
from billing_plugin.models.base import Row, fetch_all, load_said, read_time
from billing_plugin.models.item_pages import Place, Wanted, ordered
from billing_plugin.periods import END

_OFTEN = (  # what most items say
    "name", "tags", "source", "recurring", "created_at", "updated_at", "category_id",
    "description", "provider", "provider_ref", "service_id",
)  # fmt: skip
_TIMES = ("created_at", "updated_at")
_FLAG = "CASE recurring WHEN 1 THEN 'true' ELSE 'false' END"
_UTC = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.{}"Z"')"""
# Each database writes most of an item as it does fastest: SQLite an object, PostgreSQL its members.
_OBJECT_SQLITE = {
    "tags": "json(tags)", "recurring": f"json({_FLAG})",
    **{time: f"substr({time}, 1, 23) || 'Z'" for time in _TIMES},
}  # fmt: skip
_DATE_SQLITE, _DATE = "date", _UTC.format("date", "US")
_TEXT = "CAST(to_json({}) AS text)"
_TEXT_SQLITE = "CASE WHEN {0} IS NOT NULL THEN json_quote({0}) END"
_VALUES = {
    "tags": "tags", "recurring": _FLAG, "scope": "scope", "meta": "nullif(meta, '{}')",
    **{time: f"""'"' || {_UTC.format(time, "MS")} || '"'""" for time in _TIMES},
}  # fmt: skip
# Within a text a quote has a backslash before it: this is found between members alone.
_SILENT = re.compile(r',"\w+":null')


class ItemLine(NamedTuple):
    """An item: some of it as it is stored, and all else that was asked for as JSON.

    `dated` is its date as SQLite keeps it. `members` are those of an object, each with a comma
    before it.
    """

    id: str
    dated: str
    nanos: int
    attos: int
    currency: str
    usage_text: str | None
    members: str

    @property
    def date(self) -> datetime:
        """When it was spent."""
        return read_time(self.dated) or END

    @property
    def usage(self) -> dict[str, Any] | None:
        """As CostItem has it."""
        return None if self.usage_text is None else load_said(self.usage_text)


def page(
    account_id: str, wanted: Wanted, names: Mapping[str, str], *,
    before: Place | None = None, limit: int = 50,
) -> list[ItemLine]:  # fmt: skip
    """What `item_pages.page` finds; `names` are those in the JSON, each with its column. What an
    item does not say is not written."""
    date, written = _written(tuple(names.items()), is_sqlite())
    columns = f"id, {date}, nanos, attos, currency, usage, {written}"
    sql, values = ordered(columns, account_id, wanted, before=before, limit=limit)
    line_of = _line_of_object if is_sqlite() else ItemLine._make
    return list(map(line_of, fetch_all(sql, values)))


def _line_of_object(row: Row) -> ItemLine:
    item_id, dated, nanos, attos, currency, usage, often, seldom = row
    if ":null" in often:
        often = _SILENT.sub("", often)
    members = f",{often[1:-1]}{seldom}" if often != "{}" else seldom
    return ItemLine(item_id, dated, nanos, attos, currency, usage, members)


@lru_cache
def _written(names: tuple[tuple[str, str], ...], sqlite: bool) -> tuple[str, str]:
    """How the date is read, and the rest; what hardly an item says is looked at in one go."""
    text = _TEXT_SQLITE if sqlite else _TEXT
    often = [one for one in names if one[1] in _OFTEN]
    seldom = [one for one in names if one[1] not in _OFTEN]
    silent = f"coalesce({', '.join(column for _, column in seldom)}) IS NULL"
    said = f"CASE WHEN {silent} THEN '' ELSE {_members(seldom, text)} END"
    if not sqlite:
        return _DATE, f"{_members(often, text)} || {said}"
    pairs = [f"'{name}', {_OBJECT_SQLITE.get(column, column)}" for name, column in often]
    return _DATE_SQLITE, f"json_object({', '.join(pairs)}), {said}"


def _members(names: Sequence[tuple[str, str]], text: str) -> str:
    """Those that an item says."""
    return " || ".join(
        f"coalesce(',\"{name}\":' || {_VALUES.get(column, text.format(column))}, '')"
        for name, column in names
    )
