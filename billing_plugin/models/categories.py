"""Categories of cost items: a tree for each account, with names that differ by more than case."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import Table, UTCDateTimeField, fetch_all, fetch_one

PREFIX = "cat"
_BELOW = (
    "WITH RECURSIVE below (id) AS"
    " (SELECT id FROM billing_category WHERE account_id = ? AND id = ?"
    " UNION SELECT c.id FROM billing_category c JOIN below b ON c.parent_id = b.id)"
    " SELECT id FROM below"
)
_TREE = "SELECT id, name, parent_id FROM billing_category WHERE account_id = ?"
_IN_USE = (
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM billing_category WHERE parent_id = ?)"
    " OR EXISTS (SELECT 1 FROM billing_item WHERE account_id = ? AND category_id = ?)"
)


class Category(Table):
    """One category: `parent_id` None stands at the top, `color` is #rrggbb."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    name = peewee.TextField()
    name_key = peewee.TextField()
    description = peewee.TextField(null=True)
    color = peewee.TextField(null=True)
    parent_id = peewee.TextField(null=True)
    stage_app_id = peewee.TextField(null=True)
    author_email = peewee.TextField(null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_category"


def key_of(name: str) -> str:
    """What tells two names of an account apart."""
    return name.strip().lower()


def create(account_id: str, at: datetime, **values: Any) -> Category:
    """Stores a new category, by its columns."""
    return Category.create(
        id=ids.new_id(PREFIX), account_id=account_id, created_at=at, updated_at=at, **values
    )


def find(account_id: str, id_or_name: str) -> Category | None:
    """The account's category of that id, or else of that name, whatever its case."""
    owned = Category.account_id == account_id
    found: Category | None = Category.get_or_none(owned & (Category.id == id_or_name))
    return found or Category.get_or_none(owned & (Category.name_key == key_of(id_or_name)))


def get(account_id: str, id_or_name: str) -> Category:
    """The same. Raises NotFound."""
    found = find(account_id, id_or_name)
    if found is None:
        raise NotFound("There is no such category.")
    return found


def every(account_id: str) -> list[Category]:
    """The account's categories, by name."""
    query = Category.select().where(Category.account_id == account_id)
    return sorted(query, key=lambda category: str(category.name_key))


def names(account_id: str) -> dict[str, str]:
    """What the account's categories are called, by id."""
    return tree(account_id)[0]


def tree(account_id: str) -> tuple[dict[str, str], dict[str, str | None]]:
    """What the account's categories are called, and which one each is in; both by id."""
    rows = fetch_all(_TREE, (account_id,))
    return {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}


def count(account_id: str) -> int:
    """How many the account has."""
    return int(Category.select().where(Category.account_id == account_id).count())


def below(account_id: str, category_id: str) -> list[str]:
    """Ids of the category and of all below it, in order."""
    return sorted(row[0] for row in fetch_all(_BELOW, (account_id, category_id)))


def change(category: Category, at: datetime, **values: Any) -> None:
    """Changes columns of a category."""
    Category.update(updated_at=at, **values).where(Category.id == category.id).execute()


def is_in_use(category: Category) -> bool:
    """Whether an item has it, or another category is below it."""
    used = fetch_one(_IN_USE, (category.id, category.account_id, category.id))
    return used is not None


def delete(category: Category) -> None:
    """Takes it away. The caller holds the account's items and has seen that it is not in use."""
    Category.delete().where(Category.id == category.id).execute()
