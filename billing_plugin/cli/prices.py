"""`billing prices …`: the price book, what it changes, and what a use would cost."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show, word
from billing_plugin.errors import InvalidRequest
from billing_plugin.operations import PriceChange, Usage

ANYONE = click.option("--account", metavar="ID", help="Of this account; left out: of everybody.")
MILLION = 6  # a power of ten


def instant(text: str) -> datetime:
    """An instant in ISO 8601 with its zone, such as 2026-04-01T00:00Z."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter("A time is such as 2026-04-01T00:00Z.") from error


@click.group()
def prices() -> None:
    """The price book: prices of our own, before those of the price list."""


@prices.command("list")
@ANYONE
@click.option("--at", type=instant, help="Only what is in force then.")
@DATABASE
@JSON
def list_prices(
    account: str | None, at: datetime | None, *, database: str | None, as_json: bool
) -> None:
    """List the prices of the book, for one unit each."""
    found = operations.list_prices(operator_of(database), account_id=_whose(account), at=at)
    _lines((_price_facts(price) for price in found), as_json=as_json)


@prices.command("set")
@click.argument("provider")
@click.argument("model")
@click.argument("units", nargs=-1, required=True, metavar="UNIT=PRICE...")
@click.option("--per-million", is_flag=True, help="The prices are for a million units.")
@ANYONE
@click.option("--currency", help="ISO 4217; the account's, or BILLING_CURRENCY.")
@click.option("--from", "valid_from", type=instant, help="When it begins; left out: now.")
@click.option("--until", "valid_until", type=instant, help="When it ends; left out: never.")
@click.option("--source", default="price book", show_default=True, help="Kept with each use.")
@click.option("--retroactive", is_flag=True, help="It may begin in the past.")
@DATABASE
@JSON
def set_price(
    provider: str, model: str, units: Iterable[str], *, per_million: bool, account: str | None,
    database: str | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Add a price. PROVIDER and MODEL both * set the fallback price.

    UNIT is input_tokens, output_tokens, cache_read_tokens, …, or requests.
    """
    exponent = -MILLION if per_million else 0
    price = operations.set_price(
        operator_of(database), provider, model, account_id=_whose(account),
        prices=dict(_unit(text, exponent) for text in units), **options,
    )  # fmt: skip
    show(_price_facts(price), as_json=as_json)


@prices.command("end")
@click.argument("price_id")
@click.option("--at", type=instant, help="Left out: now.")
@DATABASE
@JSON
def end_price(price_id: str, at: datetime | None, *, database: str | None, as_json: bool) -> None:
    """End a price of the book; what it overruled holds again."""
    show(
        _price_facts(operations.end_price(operator_of(database), price_id, at=at)), as_json=as_json
    )


@prices.command("diff")
@click.option("--since", type=instant, help="Left out: compare with the price list alone.")
@click.option("--until", type=instant, help="Left out: now.")
@click.option("--model", help="Only this one.")
@ANYONE
@DATABASE
@JSON
def diff_prices(
    since: datetime | None, until: datetime | None, *, model: str | None,
    account: str | None, database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Show what is paid otherwise than at another time, or than by the price list."""
    found = operations.diff_prices(
        operator_of(database), since=since, until=until, model=model, account_id=_whose(account)
    )
    _lines((_change_facts(change) for change in found), as_json=as_json)


@prices.command("preview")
@ACCOUNT
@click.argument("model")
@click.option("--provider", default="", help="Of the model; guessed when left out.")
@click.option("--input-tokens", default=0, help="All that are read.")
@click.option("--output-tokens", default=0, help="The least that are written.")
@click.option("--max-output-tokens", type=int, help="The most that are written.")
@DATABASE
@JSON
def preview_cost(
    account: str, model: str, *, provider: str, input_tokens: int, output_tokens: int,
    max_output_tokens: int | None, database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Say what a use will cost at least and at most."""
    usage = Usage(model, provider, input_tokens, output_tokens)
    preview = operations.preview_cost(
        operator_of(database), account_id_of(account), usage, max_output_tokens=max_output_tokens
    )
    facts = {"lower": str(preview.lower), "upper": str(preview.upper)}
    names = {"provider": preview.provider, "model": preview.model, "flagged": preview.flagged}
    show(facts | names, as_json=as_json)


def _whose(account: str | None) -> str | None:
    return None if account is None else account_id_of(account)


def _unit(text: str, exponent: int) -> tuple[str, Decimal]:
    unit, _, price = text.partition("=")
    try:
        sign, digits, power = Decimal(price).as_tuple()
        return unit, Decimal((sign, digits, int(power) + exponent))
    except (InvalidOperation, ValueError) as error:
        raise InvalidRequest(f"{text[:80]} is no price such as input_tokens=2.50.") from error


def _price_facts(price: Any) -> dict[str, Any]:
    return {
        "id": price.id,
        "accountId": price.account_id,
        "provider": price.provider,
        "model": price.model,
        "currency": price.currency,
        "prices": price.prices,
        "validFrom": price.valid_from.isoformat(),
        "validUntil": price.valid_until and price.valid_until.isoformat(),
        "source": price.source,
    }


def _change_facts(change: PriceChange) -> dict[str, Any]:
    return {
        "provider": change.provider,
        "model": change.model,
        "unit": change.unit,
        "old": _plain(change.old),
        "new": _plain(change.new),
        "currency": change.currency,
        "aboveInputTokens": change.above if change.above >= 0 else None,
    }


def _plain(price: Decimal | None) -> str | None:
    """The shortest exact text."""
    if price is None:
        return None
    text = format(price, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _lines(rows: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    """One JSON array, or a line for each row without what is unknown."""
    if as_json:
        click.echo(json.dumps(list(rows)))
        return
    for row in rows:
        click.echo("  ".join(word(value) for value in row.values() if value is not None))
