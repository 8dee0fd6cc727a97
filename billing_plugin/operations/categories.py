"""Categories of cost items: a tree for each account, by which items are filtered and reported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing_plugin.context import Actor, now, write_transaction
from billing_plugin.errors import Conflict, InvalidRequest
from billing_plugin.models import accounts, audit, categories, items
from billing_plugin.models.categories import Category
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.drafts import known, text_within
from billing_plugin.operations.once import Once, marked, once

MAX_NAME_LENGTH = 200
MAX_LENGTH = 2_000
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_CHANGES = ("name", "description", "color", "parent", "stage_app_id", "author_email")


@operation(scope="items:write", effect="writes")
def create_category(
    actor: Actor,
    account_id: str,
    name: str,
    *,
    description: str | None = None,
    color: str | None = None,
    parent: str | None = None,
    stage_app_id: str | None = None,
    author_email: str | None = None,
    idempotency_key: str | None = None,
) -> Category:
    """Adds a category; `color` is #RRGGBB, `parent` the id or name of the one above (None: top).

    Raises Conflict (`category_exists`) where another has the name, whatever its case, NotFound for
    an unknown parent, InvalidRequest, IdempotencyConflict.
    """
    said = {
        "name": name, "description": description, "color": color, "parent": parent,
        "stage_app_id": stage_app_id, "author_email": author_email,
    }  # fmt: skip
    with write_transaction():
        at = _hold(account_id)
        key = Once("category", idempotency_key, said)
        made_id, replayed = once(account_id, key, lambda: _create(actor, account_id, said), at=at)
        return marked(categories.get(account_id, made_id), replayed=replayed)


@operation(scope="items:read", effect="reads")
def list_categories(actor: Actor, account_id: str) -> list[Category]:
    """Every category of the account, by name. Raises NotFound."""
    del actor
    accounts.get(account_id)
    return categories.every(account_id)


@operation(scope="items:read", effect="reads")
def get_category(actor: Actor, account_id: str, id_or_name: str) -> Category:
    """The category of that id, or of that name whatever its case. Raises NotFound."""
    del actor
    return categories.get(account_id, id_or_name)


@operation(scope="items:write", effect="writes")
def update_category(
    actor: Actor, account_id: str, id_or_name: str, *, changes: Mapping[str, Any]
) -> Category:
    """Changes what is named: name, description, color, parent, stage_app_id, author_email.

    `parent` is an id or name; None: the top. Raises InvalidRequest (`category_cycle` where the
    parent is the category itself or below it), Conflict (`category_exists`), NotFound.
    """
    with write_transaction():
        at = _hold(account_id)
        category = categories.get(account_id, id_or_name)
        columns = _columns(account_id, known(changes, _CHANGES), own=category)
        categories.change(category, at, **columns)
        after = categories.get(account_id, category.id)
        audit.write(
            actor.signature, "category.update", category.id, account_id=account_id, at=at,
            before=facts(category), after=facts(after),
        )  # fmt: skip
        return after


@operation(scope="items:write", effect="writes")
def delete_category(actor: Actor, account_id: str, id_or_name: str) -> Category:
    """Takes a category away; what it was.

    Raises Conflict (`category_in_use`) while an item has it or another category is below it,
    NotFound.
    """
    with write_transaction():
        at = _hold(account_id)
        category = categories.get(account_id, id_or_name)
        if categories.is_in_use(category):
            raise Conflict("Items or other categories use it.", code="category_in_use")
        categories.delete(category)
        audit.write(
            actor.signature, "category.delete", category.id, account_id=account_id, at=at,
            before=facts(category),
        )  # fmt: skip
        return category


def _create(actor: Actor, account_id: str, said: Mapping[str, Any]) -> str:
    at = now()
    made = categories.create(account_id, at, **_columns(account_id, said))
    audit.write(
        actor.signature, "category.create", made.id, account_id=account_id, at=at,
        after=facts(made),
    )  # fmt: skip
    return str(made.id)


def facts(category: Category) -> dict[str, Any]:
    """What the audit trail keeps of a category."""
    said = {
        "name": category.name, "description": category.description, "color": category.color,
        "parent_id": category.parent_id, "stage_app_id": category.stage_app_id,
        "author_email": category.author_email,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def _hold(account_id: str) -> datetime:
    """Nobody changes items or categories of the account meanwhile; the present instant."""
    accounts.get(account_id)
    items.hold(account_id)
    return now()


def _columns(
    account_id: str, said: Mapping[str, Any], *, own: Category | None = None
) -> dict[str, Any]:
    """What was said, checked, as it is stored."""
    columns = dict(said)
    for name in ("description", "stage_app_id", "author_email"):
        if columns.get(name) is not None:
            text_within(name, columns[name], MAX_LENGTH)
    if columns.get("color") is not None and not _COLOR.fullmatch(str(columns["color"])):
        raise InvalidRequest("A color is written #RRGGBB.")
    if "name" in columns:
        columns["name"] = _free_name(account_id, columns["name"], own=own)
        columns["name_key"] = categories.key_of(columns["name"])
    if "parent" in columns:
        columns["parent_id"] = _parent(account_id, columns.pop("parent"), own=own)
    return columns


def _free_name(account_id: str, name: object, *, own: Category | None) -> str:
    text = text_within("name", name, MAX_NAME_LENGTH).strip()
    other = categories.find(account_id, text_within("name", text, MAX_NAME_LENGTH))
    if other is not None and (own is None or other.id != own.id):
        raise Conflict("There is a category of this name.", code="category_exists")
    return text


def _parent(account_id: str, parent: str | None, *, own: Category | None) -> str | None:
    if parent is None:
        return None
    parent_id = str(categories.get(account_id, parent).id)
    if own is not None and parent_id in categories.below(account_id, own.id):
        raise InvalidRequest("It would be below itself.", code="category_cycle")
    return parent_id
