"""Lists of cost items: those that a filter leaves, the latest first, or that say some words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from billing_plugin.context import is_sqlite
from billing_plugin.models import search
from billing_plugin.models.base import Row, fetch_all, places
from billing_plugin.models.items import COLUMNS, TABLE, TAGS, CostItem
from billing_plugin.models.words import Term, stand_in
from billing_plugin.periods import Period

_MATCHING_SQLITE = (
    f"SELECT id FROM {search.TABLE} s CROSS JOIN {TABLE} i ON i.number = s.rowid"
    " WHERE s.words MATCH ? AND {where} ORDER BY s.rowid DESC LIMIT ?"
)
_READ_SQLITE = (
    f"SELECT id FROM (SELECT rowid AS place, ' ' || words || ' ' AS said FROM {search.TABLE}"
    f" {{which}} ORDER BY rowid DESC LIMIT ?) CROSS JOIN {TABLE} ON number = place"
    " WHERE {globs} AND {where} ORDER BY place DESC LIMIT ?"
)
_SAYS_SQLITE, _SAYS = "WHERE words MATCH ?", "WHERE words @@ CAST(? AS tsquery)"
_COUNT_SQLITE = f"SELECT COUNT(*) FROM (SELECT 1 FROM {search.TABLE} {_SAYS_SQLITE} LIMIT ?)"
# Left alone, the planner would read an account's items one after the other for a rare word.
_FOUND = f"(SELECT account_id AS owner, item_id AS id FROM {search.TABLE} {_SAYS} OFFSET 0) found"
_LISTED = (
    f"SELECT id FROM {{found}} JOIN {TABLE} USING (id) WHERE {{where}} ORDER BY id DESC LIMIT ?"
)
_LISTED_ALL = "SELECT id FROM {found} WHERE owner = ? ORDER BY id DESC LIMIT ?"
# Nor would it leave a frequent beginning of words alone where the whole words are rare.
_FITTING = "(SELECT owner, id FROM said WHERE fits) found"
_COUNTED = (
    "WITH said AS MATERIALIZED (SELECT account_id AS owner, item_id AS id,"
    f" words @@ CAST(? AS tsquery) AS fits FROM {search.TABLE} {_SAYS} LIMIT ?)"
    " SELECT number, id FROM (SELECT COUNT(*) AS number FROM said) counted"
    " LEFT JOIN ({listed}) listed ON TRUE ORDER BY id DESC"
)
_READ_NEWEST = (
    f"SELECT item_id FROM (SELECT item_id, words FROM {search.TABLE} WHERE account_id = ?"
    f" ORDER BY item_id DESC LIMIT ?) newest {_SAYS} ORDER BY item_id DESC LIMIT ?"
)
_CHOSEN_NEWEST = (
    f"SELECT id FROM (SELECT item_id FROM (SELECT item_id, words FROM {search.TABLE}"
    f" WHERE account_id = ? ORDER BY item_id DESC LIMIT ?) newest {_SAYS} OFFSET 0) said"
    f" JOIN {TABLE} ON id = item_id WHERE {{where}} ORDER BY id DESC LIMIT ?"
)
FEW = 20_000  # items that are gathered by their whole words, rather than those of a beginning
_PLAIN = ("provider", "service_id", "stage_app_id", "author_email", "source")


class Wanted(NamedTuple):
    """Which items: None asks for any. Empty text asks for items that say nothing there.

    `categories` are ids (with "" for none), `tags` are those of which an item has at least one.
    """

    categories: Sequence[str] | None = None
    provider: str | None = None
    service_id: str | None = None
    stage_app_id: str | None = None
    author_email: str | None = None
    source: str | None = None
    recurring: bool | None = None
    tags: Sequence[str] | None = None
    period: Period | None = None


class Place(NamedTuple):
    """Where an item stands in a list, even once it has moved or is gone."""

    date: datetime
    id: str


def page(
    account_id: str, wanted: Wanted, *, before: Place | None = None, limit: int = 50
) -> list[CostItem]:
    """Items of the account by date, then id, the latest first; `before` is where to go on."""
    sql, values = ordered(COLUMNS, account_id, wanted, before=before, limit=limit)
    return list(map(CostItem._make, fetch_all(sql, values)))


def ordered(
    columns: str, account_id: str, wanted: Wanted, *, before: Place | None, limit: int
) -> tuple[str, Sequence[Any]]:
    """The statement for what a page has of each item, and its values."""
    where, values = _conditions(account_id, wanted, before)
    sql = f"SELECT {columns} FROM {TABLE} WHERE {where} ORDER BY date DESC, id DESC LIMIT ?"
    return sql, [*values, limit]


def matching(
    account_id: str, wanted: Wanted, terms: Sequence[Term], *, limit: int = 50
) -> list[CostItem]:
    """Items of the account that say all the terms: first those that say them in their name, then
    the others, among both whatever was entered last first."""
    ids = _matching_sqlite if is_sqlite() else _matching_postgresql
    anywhere = ids(_Asked(account_id, terms, search.ANYWHERE), wanted, limit)
    if len(anywhere) < limit:  # these are all: their names tell which come first
        return sorted(_read(anywhere), key=lambda item: not stand_in(item.name, terms))
    named = ids(_Asked(account_id, terms, search.NAME), wanted, limit)
    return _read(list(dict.fromkeys(named + anywhere))[:limit])


def same(column: str, value: str | None) -> tuple[str, Sequence[Any]]:
    """The condition that an item says just that, and its values; none for None."""
    if value is None:
        return "", ()
    return (f"{column} = ?", (value,)) if value else (f"{column} IS NULL", ())


def among(column: str, values: Sequence[str] | None) -> tuple[str, Sequence[Any]]:
    """The same for one of several."""
    if values is None:
        return "", ()
    if list(values) == [""]:
        return f"{column} IS NULL", ()
    return f"{column} IN ({places(values)})", values


def _read(chosen: Sequence[str]) -> list[CostItem]:
    """The items of those ids, in that order."""
    if not chosen:
        return []
    rows = fetch_all(f"SELECT {COLUMNS} FROM {TABLE} WHERE id IN ({places(chosen)})", chosen)
    known = {row[0]: CostItem._make(row) for row in rows}
    return [known[item_id] for item_id in chosen if item_id in known]


class _Asked(NamedTuple):
    """What is searched, and under which mark."""

    account_id: str
    terms: Sequence[Term]
    mark: str

    @property
    def expression(self) -> str:
        return search.expression(self.account_id, self.terms, mark=self.mark)

    @property
    def patterns(self) -> list[str]:
        return search.patterns(self.account_id, self.terms, mark=self.mark)

    @property
    def whole(self) -> str:
        """Its whole words, where some are only begun: items that have the whole ones are read one
        by one, as a beginning that is frequent takes an index as long as it is frequent."""
        terms = [one for one in self.terms if not one.begins]
        if not terms or len(terms) == len(self.terms):
            return ""
        return search.expression(self.account_id, terms, mark=self.mark)


def _matching_sqlite(asked: _Asked, wanted: Wanted, limit: int) -> list[str]:
    """FTS5 finds a frequent word as fast as a rare one, but not a frequent beginning of words."""
    where, values = _conditions(asked.account_id, wanted)
    rows: list[Row] = []
    whole = asked.whole
    if any(term.begins for term in asked.terms):
        globs = " AND ".join(["said GLOB ?"] * len(asked.terms))
        which, words = (_SAYS_SQLITE, (whole,)) if whole else ("", ())
        sql = _READ_SQLITE.format(which=which, globs=globs, where=where)
        for newest in (search.NEWEST // 10, search.NEWEST):
            if len(rows) < limit:
                rows = fetch_all(sql, (*words, newest, *asked.patterns, *values, limit))
    if len(rows) < limit and not (whole and _is_rare(whole)):
        sql = _MATCHING_SQLITE.format(where=where)
        rows = fetch_all(sql, (asked.expression, *values, limit))
    return [row[0] for row in rows]


def _is_rare(whole: str) -> bool:
    """Whether so few items have those words that all of them have been read."""
    [[number]] = fetch_all(_COUNT_SQLITE, (whole, search.NEWEST + 1))
    return int(number) <= search.NEWEST


def _matching_postgresql(asked: _Asked, wanted: Wanted, limit: int) -> list[str]:
    """A frequent word stands in many of the newest items, a rare one in few altogether."""
    plain = wanted == Wanted()
    where, values = ("", [asked.account_id]) if plain else _conditions(asked.account_id, wanted)
    sql, own = (_READ_NEWEST, ()) if plain else (_CHOSEN_NEWEST.format(where=where), values)
    rows = fetch_all(sql, (asked.account_id, search.NEWEST, asked.expression, *own, limit))
    if len(rows) == limit:
        return [row[0] for row in rows]
    listed = _LISTED_ALL if plain else _LISTED
    if asked.whole:
        sql = _COUNTED.format(listed=listed.format(found=_FITTING, where=where))
        rows = fetch_all(sql, (asked.expression, asked.whole, FEW + 1, *values, limit))
        if rows[0][0] <= FEW:
            return [item_id for _, item_id in rows if item_id]
    sql = listed.format(found=_FOUND, where=where)
    return [row[0] for row in fetch_all(sql, (asked.expression, *values, limit))]


def _conditions(
    account_id: str, wanted: Wanted, before: Place | None = None
) -> tuple[str, Sequence[Any]]:
    """What holds of every item in the list, and the values of it."""
    conditions: list[tuple[str, Sequence[Any]]] = [("account_id = ?", (account_id,))]
    conditions += [same(name, getattr(wanted, name)) for name in _PLAIN]
    conditions.append(among("category_id", wanted.categories))
    if wanted.recurring is not None:
        conditions.append(("recurring = ?", (int(wanted.recurring),)))
    if wanted.period is not None:
        conditions.append(("date >= ? AND date < ?", (wanted.period.start, wanted.period.end)))
    if wanted.tags is not None:
        conditions.append(_tagged(account_id, wanted.tags))
    if before is not None:
        conditions.append(("(date, id) < (?, ?)", (before.date, before.id)))
    where = " AND ".join(condition for condition, _ in conditions if condition)
    return where, [value for _, values in conditions for value in values]


def _tagged(account_id: str, tags: Sequence[str]) -> tuple[str, Sequence[Any]]:
    chosen = f"SELECT item_id FROM {TAGS} WHERE account_id = ? AND tag IN ({places(tags)})"
    return f"id IN ({chosen})", (account_id, *tags)
