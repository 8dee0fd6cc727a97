"""Cost items: lines of what was spent, entered by somebody, read from a provider or from a file.

Who changes items holds the account's items: a single change shares them with other single changes,
whatever changes many (a batch, a recount, the tree of categories) has them alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import peewee

from billing_plugin.context import is_sqlite
from billing_plugin.errors import Conflict, NotFound
from billing_plugin.models import search
from billing_plugin.models.base import (
    Row,
    array_of,
    dump,
    execute,
    execute_many,
    fetch_all,
    fetch_one,
    insert_many,
    load,
    load_said,
    locking,
    read_time,
)
from billing_plugin.money import Exact
from billing_plugin.periods import END

PREFIX = "item"
MANUAL, SYNC, FOCUS = "manual", "sync", "focus"
SOURCES = (MANUAL, SYNC, FOCUS)
TABLE, TAGS = "billing_item", "billing_item_tag"
TAG_COLUMNS = "account_id, tag, day, item_id"
FIXED = 4  # of the columns, those that never change
COLUMNS = (
    "id, account_id, source, created_at, name, nanos, attos, currency, category_id, tags, date,"
    " day, description, provider, provider_ref, adapter, recurring, period, service_id,"
    " feature_key, stage_app_id, environment, scope, usage, author_email, meta, updated_at"
)
_NAMES = COLUMNS.split(", ")
_SELECT = f"SELECT {COLUMNS} FROM {TABLE}"
_UPDATE = f"UPDATE {TABLE} SET {' = ?, '.join(_NAMES[FIXED:])} = ? WHERE id = ?"
_DELETE = f"DELETE FROM {TABLE} WHERE id = ?"
_UNTAG = f"DELETE FROM {TAGS} WHERE account_id = ? AND tag = ? AND day = ? AND item_id = ?"
_SHARE = "SELECT pg_advisory_xact_lock_shared(hashtextextended(?, 26))"
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(?, 26))"
_REF = "SELECT pg_advisory_xact_lock(hashtextextended(?, 27))"
_LISTED = "(SELECT value FROM json_each(?))"
_UNNESTED = "(SELECT unnest(CAST(? AS text[])))"

Ref = tuple[str, str]  # provider, provider_ref


class CostItem(NamedTuple):
    """One stored item: its row as it is stored, by COLUMNS, read where somebody asks.

    `day` is the UTC day of its date. A time is what the database takes or gave: text, or on
    PostgreSQL an instant.
    """

    id: str
    account_id: str
    source: str
    created: str | datetime
    name: str
    nanos: int
    attos: int
    currency: str
    category_id: str | None
    tags_text: str
    dated: str | datetime
    day: str
    description: str | None
    provider: str | None
    provider_ref: str | None
    adapter: str | None
    recurs: int
    period: str | None
    service_id: str | None
    feature_key: str | None
    stage_app_id: str | None
    environment: str | None
    scope_text: str | None
    usage_text: str | None
    author_email: str | None
    meta_text: str | None
    updated: str | datetime

    @property
    def amount(self) -> Exact:
        """What it cost, of `currency`; negative for what was given back."""
        return Exact(self.nanos, self.attos)

    @property
    def tags(self) -> list[str]:
        """Its tags, as they were said."""
        return tags_in(self.tags_text)

    @property
    def date(self) -> datetime:
        """When it was spent."""
        return read_time(self.dated) or END

    @property
    def recurring(self) -> bool:
        """Whether it comes again."""
        return self.recurs == 1

    @property
    def scope(self) -> dict[str, str] | None:
        """What it is about at its provider: kind, id, name."""
        return None if self.scope_text is None else load(self.scope_text)

    @property
    def usage(self) -> dict[str, Any] | None:
        """How much was used: amount (a number, or exact text), unit, sku_id, sku_description."""
        return None if self.usage_text is None else load_said(self.usage_text)

    @property
    def meta(self) -> dict[str, Any]:
        """What its author said about it besides."""
        return {} if self.meta_text is None else load_said(self.meta_text)

    @property
    def created_at(self) -> datetime:
        """When it was stored."""
        return read_time(self.created) or END

    @property
    def updated_at(self) -> datetime:
        """When it was changed last."""
        return read_time(self.updated) or END

    @property
    def ref(self) -> Ref | None:
        """What its provider calls it."""
        return (self.provider or "", self.provider_ref) if self.provider_ref else None

    @property
    def searched(self) -> search.Said:
        """What a search finds it by."""
        return search.Said(
            self.account_id, self.id, self.name, self.description, self.provider, self.service_id,
            self.provider_ref, self.tags_text,
        )  # fmt: skip

    def says(self, other: CostItem) -> bool:
        """Whether both say the same, whenever it was said."""
        mine, theirs = self[FIXED:-1], other[FIXED:-1]
        return mine == theirs or self._said() == other._said()

    def _said(self) -> Row:
        return self._replace(dated=self.date)[FIXED:-1]


def tags_in(text: str) -> list[str]:
    """The tags behind their stored text."""
    found: list[str] = [] if text == "[]" else json.loads(text)
    return found


def share(account_id: str) -> None:
    """Holds the account's items for a single change, until the transaction ends."""
    if not is_sqlite():
        execute(_SHARE, (account_id,))


def hold(account_id: str) -> None:
    """Holds the account's items alone, until the transaction ends."""
    if not is_sqlite():
        execute(_ALONE, (account_id,))


def get(account_id: str, item_id: str, *, lock: bool = False) -> CostItem:
    """One item of the account. Raises NotFound."""
    suffix = locking() if lock else ""
    row = fetch_one(f"{_SELECT} WHERE id = ? AND account_id = ?{suffix}", (item_id, account_id))
    if row is None:
        raise NotFound(f"Item not found: {item_id[:100]}")
    return CostItem._make(row)


def find(account_id: str, ref: Ref, *, lock: bool = False) -> CostItem | None:
    """The account's item of that reference. With `lock` nobody makes or changes one meanwhile."""
    if lock and not is_sqlite():
        execute(_REF, ("\n".join((account_id, *ref)),))
    where = f"WHERE account_id = ? AND provider = ? AND provider_ref = ?{locking() if lock else ''}"
    row = fetch_one(f"{_SELECT} {where}", (account_id, *ref))
    return None if row is None else CostItem._make(row)


def by_refs(account_id: str, refs: Iterable[Ref]) -> dict[Ref, CostItem]:
    """The account's items of those references. The caller holds the items alone."""
    named: dict[str, list[str]] = {}
    for provider, ref in refs:
        named.setdefault(provider, []).append(ref)
    among = _LISTED if is_sqlite() else _UNNESTED
    where = f"WHERE account_id = ? AND provider = ? AND provider_ref IN {among}"
    found: dict[Ref, CostItem] = {}
    for provider, some in named.items():
        listed = dump(some) if is_sqlite() else array_of(some)
        for row in fetch_all(f"{_SELECT} {where}", (account_id, provider, listed)):
            item = CostItem._make(row)
            found[provider, item.provider_ref or ""] = item
    return found


def store(new: Sequence[CostItem]) -> None:
    """Stores new items, their tags and words, in the present transaction."""
    insert_many(TABLE, COLUMNS, map(tuple, new), number=len(new))
    _tag(new)
    search.add([item.searched for item in new])


def change(pairs: Sequence[tuple[CostItem, CostItem]]) -> None:
    """Changes stored items, each from what it was to what it is; tags and words as well.

    Raises Conflict (`item_exists`) where another item has the reference.
    """
    try:
        execute_many(_UPDATE, ((*new[FIXED:], new.id) for _, new in pairs))
    except peewee.IntegrityError as error:
        raise Conflict("Another item has this reference.", code="item_exists") from error
    moved = [pair for pair in pairs if _tag_rows([pair[0]]) != _tag_rows([pair[1]])]
    execute_many(_UNTAG, _tag_rows([old for old, _ in moved]))
    _tag([new for _, new in moved])
    search.change([(old.searched, new.searched) for old, new in pairs])


def delete(item: CostItem) -> None:
    """Takes an item away, its tags and words."""
    search.drop(item.account_id, item.id)
    execute_many(_UNTAG, _tag_rows([item]))
    execute(_DELETE, (item.id,))


def _tag(items: Sequence[CostItem]) -> None:
    rows = _tag_rows(items)
    insert_many(TAGS, TAG_COLUMNS, rows, number=len(rows))


def _tag_rows(items: Sequence[CostItem]) -> list[Row]:
    return [(one.account_id, tag, one.day, one.id) for one in items for tag in one.tags]
