"""Cost items: entering, finding, changing, listing and removing them, with every sum kept right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing_plugin import ids
from billing_plugin.context import Actor, now, write_transaction
from billing_plugin.errors import InvalidRequest, NotFound
from billing_plugin.models import (
    accounts,
    audit,
    categories,
    item_lines,
    item_pages,
    items,
    rollups,
)
from billing_plugin.models.base import stored_time
from billing_plugin.models.item_lines import ItemLine
from billing_plugin.models.item_pages import Place, Wanted
from billing_plugin.models.items import MANUAL, CostItem
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.drafts import ItemDraft, columns_of, known, revised, said_in
from billing_plugin.operations.item_filters import ItemFilter, wanted
from billing_plugin.operations.once import Once, done_before, once_without_lock

MAX_PAGE = 1_000
EVERYTHING = ItemFilter()


@dataclass(frozen=True, slots=True)
class ItemStored:
    """An item as it is now, and whether this call made it.

    `created` is False where an item of its provider_ref was there, which was updated, and of a
    call that is `replayed`.
    """

    item: CostItem
    created: bool
    replayed: bool = False


@operation(scope="items:write", effect="writes")
def create_item(
    actor: Actor, account_id: str, draft: ItemDraft, *, idempotency_key: str | None = None
) -> ItemStored:
    """Enters an item; where the account has one of this provider and provider_ref, updates that.

    An update leaves alone what the draft does not say. Raises InvalidRequest, NotFound for an
    unknown category, IdempotencyConflict.
    """
    columns = columns_of(said_in(draft))
    said = Once("item", idempotency_key, draft.content)
    with write_transaction():
        account, at = accounts.get(account_id), now()
        items.share(account_id)
        ref = (draft.provider or "", draft.provider_ref) if draft.provider_ref else None
        old = items.find(account_id, ref, lock=True) if ref else None
        base = old or blank(account_id, account.currency, source=MANUAL, at=at)
        # whoever holds the reference sees its key; a new id tells by itself whose it is
        made = done_before(account_id, said) if old else None
        found, replayed = (made, True) if made else _claimed(said, base, at=at)
        if replayed:
            return ItemStored(items.get(account_id, found), created=False, replayed=True)
        return ItemStored(_write(actor, old, _settled(base, columns, at=at)), created=old is None)


@operation(scope="items:read", effect="reads")
def get_item(actor: Actor, account_id: str, item_id: str) -> CostItem:
    """One item of the account. Raises NotFound."""
    del actor
    return items.get(account_id, item_id)


@operation(scope="items:read", effect="reads")
def find_item(actor: Actor, account_id: str, provider: str, *, provider_ref: str) -> CostItem:
    """The item that the provider calls so. Raises NotFound."""
    del actor
    found = items.find(account_id, (provider, provider_ref))
    if found is None:
        raise NotFound("There is no such item.")
    return found


@operation(scope="items:write", effect="writes")
def update_item(
    actor: Actor, account_id: str, item_id: str, *, changes: Mapping[str, Any]
) -> CostItem:
    """Changes what is named, by the names of ItemDraft; None takes away what may be missing.

    Without `recurring` there is no period. Raises Conflict (`item_exists`) where another item has
    the provider_ref, NotFound, InvalidRequest.
    """
    columns = columns_of(known(changes, ItemDraft._fields))
    with write_transaction():
        items.share(account_id)
        old = items.get(account_id, item_id, lock=True)
        return _write(actor, old, _settled(old, columns, at=now()))


@operation(scope="items:write", effect="writes")
def delete_item(actor: Actor, account_id: str, item_id: str) -> None:
    """Takes an item away. Raises NotFound."""
    with write_transaction():
        items.share(account_id)
        item = items.get(account_id, item_id, lock=True)
        items.delete(item)
        rollups.apply(account_id, [item], [], many=False)
        _audit(actor, "item.delete", item, before=facts(item))


@operation(scope="items:read", effect="reads")
def list_items(
    actor: Actor,
    account_id: str,
    chosen: ItemFilter = EVERYTHING,
    *,
    before: Place | None = None,
    limit: int = 50,
) -> list[CostItem]:
    """Items by date, the latest first, then by id; `before` is the place of one to go on from.

    `limit` is 1 to 1000. Raises NotFound for an unknown category, InvalidRequest.
    """
    only = _wanted(actor, account_id, chosen, limit=limit)
    return item_pages.page(account_id, only, before=before, limit=limit)


@operation(scope="items:read", effect="reads")
def list_item_lines(
    actor: Actor,
    account_id: str,
    chosen: ItemFilter = EVERYTHING,
    *,
    names: Mapping[str, str],
    before: Place | None = None,
    limit: int = 50,
) -> list[ItemLine]:
    """What `list_items` lists, written as JSON by the database where lists are long.

    `names` are those in the JSON, each with its column; they are a program's own, never a caller's.
    """
    only = _wanted(actor, account_id, chosen, limit=limit)
    return item_lines.page(account_id, only, names, before=before, limit=limit)


def blank(account_id: str, currency: str, *, source: str, at: datetime) -> CostItem:
    """A new item that says nothing yet: of now, by nobody, of no amount."""
    said = stored_time(at)
    return CostItem._make((
        ids.new_id(items.PREFIX), account_id, source, said, "", 0, 0, currency, None, "[]", said,
        said[:10], *[None] * 4, 0, *[None] * 9, said,
    ))  # fmt: skip


def facts(item: CostItem) -> dict[str, Any]:
    """What the audit trail keeps of an item."""
    return {
        "name": item.name, "amount": item.amount.text(item.currency), "currency": item.currency,
        "date": stored_time(item.date), "category_id": item.category_id, "tags": item.tags,
        "provider": item.provider, "provider_ref": item.provider_ref, "service_id": item.service_id,
        "recurring": item.recurring,
    }  # fmt: skip


def with_category(account_id: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns with the category's id for its id or name. Raises NotFound."""
    named = columns.get("category_id")
    if named is None:
        return dict(columns)
    return {**columns, "category_id": categories.get(account_id, named).id}


def _wanted(actor: Actor, account_id: str, chosen: ItemFilter, *, limit: int) -> Wanted:
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit is 1 to {MAX_PAGE}.")
    if actor.currency is None:  # a key's account is known to be there
        accounts.get(account_id)
    return wanted(account_id, chosen)


def _claimed(said: Once, base: CostItem, *, at: datetime) -> tuple[str, bool]:
    return once_without_lock(said, base.id, at=at, account_id=base.account_id)


def _settled(base: CostItem, columns: Mapping[str, Any], *, at: datetime) -> CostItem:
    item = revised(base, with_category(base.account_id, columns))
    return item._replace(updated=stored_time(at))


def _write(actor: Actor, old: CostItem | None, item: CostItem) -> CostItem:
    if old is None:
        items.store([item])
    else:
        items.change([(old, item)])
    before: Sequence[CostItem] = [old] if old else []
    rollups.apply(item.account_id, before, [item], many=False)
    done = "item.update" if old else "item.create"
    _audit(actor, done, item, before=facts(old) if old else None, after=facts(item))
    return item


def _audit(actor: Actor, action: str, item: CostItem, **change: dict[str, Any] | None) -> None:
    audit.write(
        actor.signature, action, item.id, account_id=item.account_id, at=now(), **change
    )  # fmt: skip
