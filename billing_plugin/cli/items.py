"""`billing items …`: cost items, entered, found, changed and taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, time
from typing import Any, TextIO

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.cli.tables import CSV, print_rows
from billing_plugin.context import Actor
from billing_plugin.errors import InvalidRequest
from billing_plugin.money import Exact
from billing_plugin.operations.drafts import PERIODS, ItemDraft
from billing_plugin.operations.item_filters import ITEM_SOURCES, ItemFilter
from billing_plugin.operations.items import MAX_PAGE
from billing_plugin.periods import parse_day, parse_time

COLUMNS = (
    "id", "date", "name", "amount", "currency", "provider", "serviceId", "categoryId", "tags",
    "recurring", "source",
)  # fmt: skip
ONCE = click.option("--idempotency-key", help="The same key does it once.")
FROM = click.option("--from", "since", type=parse_day, metavar="DAY", help="First UTC day.")
TO = click.option("--to", "until", type=parse_day, metavar="DAY", help="Last UTC day, included.")
_TEXTS = (
    "category", "description", "provider", "provider-ref", "adapter", "service-id", "feature-key",
    "stage-app-id", "environment", "author-email",
)  # fmt: skip
CLEARABLE = (*_TEXTS, "tags", "period")


def moment(text: str) -> datetime:
    """An instant in ISO 8601 with its zone, or the beginning of a UTC day."""
    if len(text) == len("2026-03-05"):
        return datetime.combine(parse_day(text), time(), UTC)
    return parse_time(text)


def options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option of text for each name."""

    def declare(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names):
            command = click.option(f"--{name}")(command)
        return command

    return declare


def says(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which a command says what an item is, besides its name and amount."""
    command = options("currency", *_TEXTS)(command)
    command = click.option("--date", type=moment, metavar="TIME", help="A day or an instant.")(
        command
    )
    command = click.option("--tag", "tags", multiple=True, help="May be repeated.")(command)
    command = click.option("--recurring/--not-recurring", default=None)(command)
    return click.option("--period", type=click.Choice(PERIODS))(command)


def amount_of(text: str) -> Exact:
    """Exact units, such as 12.34."""
    return Exact.parse(text)


@click.group()
def items() -> None:
    """Cost items."""


@items.command("list")
@ACCOUNT
@options("category", "provider", "service")
@FROM
@TO
@click.option("--recurring/--not-recurring", default=None)
@click.option("--tag", "tags", multiple=True, help="Has one of these; may be repeated.")
@options("stage-app", "author")
@click.option("--source", type=click.Choice(ITEM_SOURCES))
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, MAX_PAGE))
@click.option("--all", "everything", is_flag=True, help="Every one, whatever the limit.")
@DATABASE
@JSON
@CSV
def list_items(
    account: str, *, limit: int, everything: bool, database: str | None, as_json: bool,
    csv_file: TextIO | None, tags: Sequence[str], **said: Any,
) -> None:  # fmt: skip
    """List cost items, the latest first."""
    chosen = ItemFilter(**said, tags=tags or None)
    operator, account_id = operator_of(database), account_id_of(account)
    if everything:
        found = _every(operator, account_id, chosen)
    else:
        found = iter(operations.list_items(operator, account_id, chosen, limit=limit))
    rows = ([_cell(facts(item).get(name)) for name in COLUMNS] for item in found)
    print_rows(COLUMNS, rows, as_json=as_json, csv_file=csv_file)


@items.command("search")
@ACCOUNT
@click.argument("question")
@options("category", "provider", "service")
@FROM
@TO
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MAX_PAGE))
@DATABASE
@JSON
@CSV
def search_items(
    account: str, question: str, *, limit: int, database: str | None, as_json: bool,
    csv_file: TextIO | None, **said: Any,
) -> None:  # fmt: skip
    """List the items that say every word of QUESTION; "a b" is a phrase, be* begins a word."""
    found = operations.search_items(
        operator_of(database), account_id_of(account), question, chosen=ItemFilter(**said),
        limit=limit,
    )  # fmt: skip
    rows = ([_cell(facts(item).get(name)) for name in COLUMNS] for item in found)
    print_rows(COLUMNS, rows, as_json=as_json, csv_file=csv_file)


@items.command("show")
@ACCOUNT
@click.argument("item_id", required=False)
@options("provider", "provider-ref")
@DATABASE
@JSON
def show_item(
    account: str, item_id: str | None, *, provider: str | None, provider_ref: str | None,
    database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Show one cost item, by its id or by what its provider calls it."""
    operator, account_id = operator_of(database), account_id_of(account)
    if item_id:
        found = operations.get_item(operator, account_id, item_id)
    elif provider and provider_ref:
        found = operations.find_item(operator, account_id, provider, provider_ref=provider_ref)
    else:
        raise InvalidRequest("Say ITEM_ID, or --provider and --provider-ref.")
    show(facts(found), as_json=as_json)


@items.command("add")
@ACCOUNT
@click.argument("name")
@click.argument("amount", type=amount_of)
@says
@ONCE
@DATABASE
@JSON
def add_item(
    account: str, name: str, amount: Exact, *, tags: Sequence[str], idempotency_key: str | None,
    database: str | None, as_json: bool, **said: Any,
) -> None:  # fmt: skip
    """Enter a cost of AMOUNT units (exact; after -- a negative one, for what is given back).

    Where there is one of this provider and provider-ref, that is changed in what is named.
    """
    draft = ItemDraft(name, amount, tags=tags or None, **said)
    stored = operations.create_item(
        operator_of(database), account_id_of(account), draft, idempotency_key=idempotency_key
    )
    show(facts(stored.item) | {"created": stored.created}, as_json=as_json)


@items.command("edit")
@ACCOUNT
@click.argument("item_id")
@click.option("--name")
@click.option("--amount", type=amount_of, metavar="UNITS")
@says
@click.option("--clear", type=click.Choice(CLEARABLE), multiple=True, help="May be repeated.")
@DATABASE
@JSON
def edit_item(
    account: str, item_id: str, *, tags: Sequence[str], clear: Iterable[str],
    database: str | None, as_json: bool, **said: Any,
) -> None:  # fmt: skip
    """Change what is named of a cost item; --clear takes away."""
    changes = changed({**said, "tags": tags or None}, clear)
    operator, account_id = operator_of(database), account_id_of(account)
    item = operations.update_item(operator, account_id, item_id, changes=changes)
    show(facts(item), as_json=as_json)


@items.command("remove")
@ACCOUNT
@click.argument("item_id")
@DATABASE
def remove_item(account: str, item_id: str, *, database: str | None) -> None:
    """Take a cost item away."""
    operations.delete_item(operator_of(database), account_id_of(account), item_id)
    click.echo("Removed.", err=True)


def changed(said: dict[str, Any], clear: Iterable[str]) -> dict[str, Any]:
    """What was said, and None for what is to be cleared. Raises InvalidRequest for both or none."""
    changes = {name: value for name, value in said.items() if value is not None}
    cleared = {name.replace("-", "_"): None for name in clear}
    if set(changes) & set(cleared) or not (changes or cleared):
        raise InvalidRequest("Say something to change, and nothing that is cleared too.")
    return {**changes, **cleared}


def facts(item: Any) -> dict[str, Any]:
    """One item, without what it does not say."""
    found = {
        "id": item.id, "name": item.name, "amount": item.amount.text(item.currency),
        "currency": item.currency, "date": item.date.isoformat(), "categoryId": item.category_id,
        "tags": item.tags or None, "description": item.description, "provider": item.provider,
        "providerRef": item.provider_ref, "adapter": item.adapter, "source": item.source,
        "recurring": item.recurring, "period": item.period, "serviceId": item.service_id,
        "featureKey": item.feature_key, "stageAppId": item.stage_app_id,
        "environment": item.environment, "scope": item.scope, "usage": item.usage,
        "authorEmail": item.author_email, "meta": item.meta or None,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _every(operator: Actor, account_id: str, chosen: ItemFilter) -> Iterator[Any]:
    """Every item that is wanted, a page at a time."""
    before = None
    while True:
        page = operations.list_items(operator, account_id, chosen, before=before, limit=MAX_PAGE)
        yield from page
        if len(page) < MAX_PAGE:
            return
        before = operations.Place(page[-1].date, page[-1].id)


def _cell(value: Any) -> Any:
    """Tags in one cell; flags as words."""
    if isinstance(value, list):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else value
