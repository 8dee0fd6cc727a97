"""Storing many cost items at once: what a sync has read, or a file says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from billing_plugin import ids
from billing_plugin.context import Actor, now, write_transaction
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, audit, categories, items, rollups
from billing_plugin.models.items import SOURCES, CostItem, Ref
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.drafts import ItemDraft, columns_of, revised, said_in
from billing_plugin.operations.items import blank

MAX_BATCH = 50_000


class StoredItems(NamedTuple):
    """How many drafts made an item, changed one, or said what was known."""

    created: int
    updated: int
    unchanged: int


@operation(scope="items:write", effect="writes")
def store_items(
    actor: Actor, account_id: str, drafts: Sequence[ItemDraft], *, source: str
) -> StoredItems:
    """Stores up to 50,000 items of a `source` (sync, focus, manual) in one transaction.

    Each has a provider and provider_ref: an item of the same reference is updated, and keeps what
    the draft does not say. Drafts of one reference count one after the other. Raises InvalidRequest
    (`fields` names the first bad draft), NotFound for an unknown category; nothing is stored then.
    """
    if source not in SOURCES:
        raise InvalidRequest(f"A source is one of {', '.join(SOURCES)}.")
    if len(drafts) > MAX_BATCH:
        raise InvalidRequest(f"A batch has at most {MAX_BATCH} items.")
    said = [_read(number, draft) for number, draft in enumerate(drafts)]
    with write_transaction():
        currency = accounts.get(account_id).currency
        items.hold(account_id)
        shelf = _Shelf(blank(account_id, currency, source=source, at=now()))
        shelf.known = items.by_refs(account_id, {_ref(columns) for columns in said})
        _find_categories(account_id, said)
        for number, columns in enumerate(said):
            shelf.put(number, columns)
        shelf.store()
        done = StoredItems(*shelf.counts)
        audit.write(
            actor.signature, "items.store", account_id, account_id=account_id, at=now(),
            after={"source": source, **done._asdict()},
        )  # fmt: skip
        return done


class _Shelf:
    """Items as they were and as they become, by reference."""

    def __init__(self, base: CostItem) -> None:
        self.base = base
        self.known: dict[Ref, CostItem] = {}
        self.now: dict[Ref, CostItem] = {}
        self.counts = [0, 0, 0]

    def put(self, number: int, columns: dict[str, Any]) -> None:
        """Makes or changes the item of the draft, and counts what that was."""
        ref = _ref(columns)
        old = self.now.get(ref) or self.known.get(ref)
        item = _revised(number, old or self.base, columns)
        same = old is not None and item.says(old)
        self.counts[0 if old is None else 2 if same else 1] += 1
        if not same:
            self.now[ref] = item

    def store(self) -> None:
        """Writes what has become of them, in one go."""
        new = [item for ref, item in self.now.items() if ref not in self.known]
        made = ids.new_ids(items.PREFIX, len(new))
        new = [item._replace(id=item_id) for item, item_id in zip(new, made, strict=True)]
        at = self.base.updated
        pairs = [
            (self.known[ref], item._replace(updated=at))
            for ref, item in self.now.items()
            if ref in self.known and not item.says(self.known[ref])
        ]
        items.store(new)
        items.change(pairs)
        before, after = [old for old, _ in pairs], [item for _, item in pairs]
        rollups.apply(self.base.account_id, before, new + after, many=True)


def _read(number: int, draft: ItemDraft) -> dict[str, Any]:
    try:
        columns = columns_of(said_in(draft))
    except InvalidRequest as error:
        raise _at(number, error) from error
    if not ("provider" in columns and "provider_ref" in columns):
        raise _at(number, InvalidRequest("It needs a provider and a provider_ref."))
    return columns


def _revised(number: int, item: CostItem, columns: dict[str, Any]) -> CostItem:
    try:
        return revised(item, columns)
    except InvalidRequest as error:
        raise _at(number, error) from error


def _at(number: int, error: InvalidRequest) -> InvalidRequest:
    """The refusal of one draft, by its place in the batch."""
    said = f"Item {number}: {error.message}"
    return InvalidRequest(said, code=error.code, extra={"fields": {str(number): error.message}})


def _ref(columns: dict[str, Any]) -> Ref:
    return (columns["provider"], columns["provider_ref"])


def _find_categories(account_id: str, said: Sequence[dict[str, Any]]) -> None:
    """Puts ids in place of categories' names."""
    named = {columns["category_id"] for columns in said if "category_id" in columns}
    found = {name: str(categories.get(account_id, name).id) for name in named}
    for columns in said:
        if "category_id" in columns:
            columns["category_id"] = found[columns["category_id"]]
