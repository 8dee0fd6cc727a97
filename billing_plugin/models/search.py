"""The index of cost items' words, kept in the transaction of each change.

SQLite keeps it in a table of FTS5, PostgreSQL in text vectors with a GIN index. Each word carries a
mark of its account, so that nobody's search reads through the items of others; a word of the name
stands there twice, under another mark, so that items named so are found by themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from billing_plugin.context import is_sqlite
from billing_plugin.models.base import Row, execute, execute_many, fetch_all, fetch_one, insert_many
from billing_plugin.models.words import GAP, MAX_SAME, Term, bounded, words_in

TABLE = "billing_item_search"
NAME, ANYWHERE = "n", "a"
SEARCHED = "account_id, id, name, description, provider, service_id, provider_ref, tags"
NEWEST = 1_000  # items that are read one by one before the index is asked for something frequent
_AT_ONCE = 5_000  # rows
_VECTOR = re.compile(r"'([^']+)':([0-9,]+)")
_NUMBER = "(SELECT number FROM billing_item WHERE id = ?)"
# An INSERT of a SELECT would write the index out after each row.
_ADD_SQLITE = f"INSERT INTO {TABLE} (words, rowid) VALUES (?, {_NUMBER})"
_SET_SQLITE = f"UPDATE {TABLE} SET words = ? WHERE rowid = {_NUMBER}"
_DROP_SQLITE = f"DELETE FROM {TABLE} WHERE rowid = {_NUMBER}"
_CLEAR_SQLITE = (
    f"DELETE FROM {TABLE} WHERE rowid IN (SELECT number FROM billing_item WHERE account_id = ?)"
)
# An ANALYZE while the index was small has SQLite read all of its pages when it is large.
_COUNTED = "SELECT name FROM sqlite_master WHERE name = 'sqlite_stat1'"
_IS_LARGE = f"UPDATE sqlite_stat1 SET stat = '1000000' WHERE tbl = '{TABLE}_data'"
_COLUMNS = "words, item_id, account_id"
_SET = f"UPDATE {TABLE} SET words = CAST(? AS tsvector) WHERE item_id = ? AND account_id = ?"
_DROP = f"DELETE FROM {TABLE} WHERE item_id = ? AND account_id = ?"
_CLEAR = f"DELETE FROM {TABLE} WHERE account_id = ?"
_ITEMS = f"SELECT {SEARCHED} FROM billing_item WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?"
_KEPT_SQLITE = (
    f"SELECT {SEARCHED}, words FROM billing_item i LEFT JOIN {TABLE} s ON s.rowid = i.number"
    " WHERE id > ? ORDER BY id LIMIT ?"
)
_KEPT = (
    f"SELECT {SEARCHED.replace('account_id', 'i.account_id')}, CAST(words AS text)"
    f" FROM billing_item i LEFT JOIN {TABLE} s ON s.item_id = i.id AND s.account_id = i.account_id"
    " WHERE id > ? ORDER BY id LIMIT ?"
)
_LEFT_SQLITE = f"SELECT rowid FROM {TABLE} WHERE rowid NOT IN (SELECT number FROM billing_item)"
_LEFT = (
    f"SELECT item_id FROM {TABLE} s WHERE NOT EXISTS (SELECT 1 FROM billing_item i"
    " WHERE i.id = s.item_id AND i.account_id = s.account_id)"
)


class Said(NamedTuple):
    """What of an item is searched."""

    account_id: str
    id: str
    name: str
    description: str | None
    provider: str | None
    service_id: str | None
    provider_ref: str | None
    tags_text: str


def add(new: Sequence[Said]) -> None:
    """Enters new items, which are stored already."""
    if is_sqlite():
        execute_many(_ADD_SQLITE, ((_text(one), one.id) for one in new))
    else:
        rows = ((_vector(one), one.id, one.account_id) for one in new)
        insert_many(TABLE, _COLUMNS, rows, number=len(new))


def change(pairs: Sequence[tuple[Said, Said]]) -> None:
    """Says anew what has changed of stored items."""
    now = [new for old, new in pairs if new != old]
    if is_sqlite():
        execute_many(_SET_SQLITE, ((_text(one), one.id) for one in now))
    else:
        execute_many(_SET, ((_vector(one), one.id, one.account_id) for one in now))


def drop(account_id: str, item_id: str) -> None:
    """Forgets an item, which is still stored."""
    if is_sqlite():
        execute(_DROP_SQLITE, (item_id,))
    else:
        execute(_DROP, (item_id, account_id))


def rebuild(account_id: str) -> None:
    """Makes the account's part of the index anew, in the present transaction."""
    execute(_CLEAR_SQLITE if is_sqlite() else _CLEAR, (account_id,))
    if is_sqlite():
        execute(_LEFT_SQLITE.replace("SELECT rowid", "DELETE"))
        if fetch_one(_COUNTED):
            execute(_IS_LARGE)
            execute("ANALYZE sqlite_master")  # which only reads it
    last = ""
    while rows := fetch_all(_ITEMS, (account_id, last, _AT_ONCE)):
        add([Said._make(row) for row in rows])
        last = rows[-1][1]


def drifted() -> list[str]:
    """Items that the index does not know as they are, and what it knows without an item."""
    found, last = [], ""
    while rows := fetch_all(_KEPT_SQLITE if is_sqlite() else _KEPT, (last, _AT_ONCE)):
        found += [f"{row[0]}: {row[1]} is not found by what it says" for row in rows
                  if not _is_right(row)]  # fmt: skip
        last = rows[-1][1]
    left = fetch_all(_LEFT_SQLITE if is_sqlite() else _LEFT)
    return found + [f"the search knows {one}, which is not there" for (one,) in left]


def expression(account_id: str, terms: Sequence[Term], *, mark: str) -> str:
    """The question for those terms, in the database's words."""
    start = _start(account_id) + mark
    spoken = _phrase_sqlite if is_sqlite() else _phrase
    joint = " AND " if is_sqlite() else " & "
    return joint.join(spoken([start + word for word in one.words], one.begins) for one in terms)


def patterns(account_id: str, terms: Sequence[Term], *, mark: str) -> list[str]:
    """The same for GLOB, over what SQLite keeps of an item with a space before and after."""
    start = _start(account_id) + mark
    return [
        f"* {' '.join(start + word for word in one.words)}{'*' if one.begins else ' *'}"
        for one in terms
    ]


def _phrase_sqlite(words: Sequence[str], begins: bool) -> str:
    return f'"{" ".join(words)}"{" *" if begins else ""}'


def _phrase(words: Sequence[str], begins: bool) -> str:
    return "(" + " <-> ".join(f"'{word}'" for word in words) + (":*)" if begins else ")")


def _marked(said: Said) -> list[str]:
    """Every word under its mark, in order, with gaps over which no phrase reaches."""
    start = _start(said.account_id)
    tags = json.loads(said.tags_text) if said.tags_text != "[]" else []
    rest = (said.description, said.provider, said.service_id, said.provider_ref, *tags)
    marked = [start + NAME + word for word in words_in(said.name)]
    start += ANYWHERE
    for text in (said.name, *rest):
        if text:
            marked.append(GAP)
            marked += [start + word for word in words_in(text)]
    return marked if len(marked) <= MAX_SAME else list(bounded(marked))


def _text(said: Said) -> str:
    return " ".join(_marked(said))


def _places(said: Said) -> dict[str, list[str]]:
    """Where each word stands."""
    found: dict[str, list[str]] = {}
    for place, word in enumerate(_marked(said), 1):
        if word != GAP:
            found.setdefault(word, []).append(str(place))
    return found


def _vector(said: Said) -> str:
    return " ".join(f"'{word}':{','.join(at)}" for word, at in _places(said).items())


def _is_right(row: Row) -> bool:
    said, kept = Said._make(row[:-1]), row[-1]
    if kept is None or is_sqlite():
        return bool(kept == _text(said))
    return {word: at.split(",") for word, at in _VECTOR.findall(kept)} == _places(said)


@lru_cache
def _start(account_id: str) -> str:
    return blake2b(account_id.encode(), digest_size=3).hexdigest()
