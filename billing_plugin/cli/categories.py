"""`billing categories …`: the tree by which cost items are filtered and reported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.cli.items import ONCE, changed, options
from billing_plugin.cli.tables import CSV, print_rows

COLUMNS = ("id", "name", "parentId", "color", "description", "stageAppId", "authorEmail")
_TEXTS = ("description", "color", "parent", "stage-app-id", "author-email")


@click.group()
def categories() -> None:
    """Categories of cost items."""


@categories.command("list")
@ACCOUNT
@DATABASE
@JSON
@CSV
def list_categories(
    account: str, *, database: str | None, as_json: bool, csv_file: TextIO | None
) -> None:
    """List every category, by name."""
    found = operations.list_categories(operator_of(database), account_id_of(account))
    rows = ([facts(one).get(name) for name in COLUMNS] for one in found)
    print_rows(COLUMNS, rows, as_json=as_json, csv_file=csv_file)


@categories.command("add")
@ACCOUNT
@click.argument("name")
@options(*_TEXTS)
@ONCE
@DATABASE
@JSON
def add_category(
    account: str, name: str, *, database: str | None, as_json: bool, **said: Any
) -> None:
    """Add a category; --color is #RRGGBB, --parent the id or name of the one above."""
    made = operations.create_category(
        operator_of(database), account_id_of(account), name, **said
    )  # fmt: skip
    show(facts(made), as_json=as_json)


@categories.command("edit")
@ACCOUNT
@click.argument("id_or_name")
@options("name", *_TEXTS)
@click.option("--clear", type=click.Choice(_TEXTS), multiple=True, help="May be repeated.")
@DATABASE
@JSON
def edit_category(
    account: str, id_or_name: str, *, clear: Iterable[str], database: str | None, as_json: bool,
    **said: Any,
) -> None:  # fmt: skip
    """Change what is named of a category; --clear parent makes it one of the top."""
    operator, account_id = operator_of(database), account_id_of(account)
    changes = changed(said, clear)
    category = operations.update_category(operator, account_id, id_or_name, changes=changes)
    show(facts(category), as_json=as_json)


@categories.command("remove")
@ACCOUNT
@click.argument("id_or_name")
@DATABASE
def remove_category(account: str, id_or_name: str, *, database: str | None) -> None:
    """Take a category away that nothing uses."""
    operations.delete_category(operator_of(database), account_id_of(account), id_or_name)
    click.echo("Removed.", err=True)


def facts(category: Any) -> dict[str, Any]:
    """One category, without what it does not say."""
    found = {
        "id": category.id, "name": category.name, "parentId": category.parent_id,
        "color": category.color, "description": category.description,
        "stageAppId": category.stage_app_id, "authorEmail": category.author_email,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}
