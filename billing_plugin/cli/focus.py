"""`billing focus …`: bills in FOCUS form, taken in and written."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.context import Actor
from billing_plugin.errors import InvalidRequest
from billing_plugin.money import Exact
from billing_plugin.operations import FocusImport, SpendFilter
from billing_plugin.operations.item_filters import EVERY_SOURCE, ITEM_SOURCES
from billing_plugin.periods import parse_day


def day(text: str) -> date:
    """A UTC day, such as 2026-03-01."""
    try:
        return parse_day(text)
    except InvalidRequest as error:
        raise click.BadParameter(error.message) from error


@click.group()
def focus() -> None:
    """Bills in FOCUS form, the CSV that all vendors write alike."""


@focus.command("import")
@click.argument("file", type=click.File("rb"))
@ACCOUNT
@DATABASE
@JSON
def import_file(file: BinaryIO, account: str, *, database: str | None, as_json: bool) -> None:
    """Store the rows of FILE (FOCUS 1.0 to 1.2) as cost items.

    With a wrong row nothing is stored, and each is named with its line and column. The same file
    again changes nothing; what was interrupted goes on when the command is repeated.
    """
    operator, account_id = operator_of(database), account_id_of(account)
    try:
        done = operations.import_focus(operator, account_id, file, progress=_tell)
    except InvalidRequest as error:
        for line, column, message in map(_wrong, error.extra.get("errors", [])):
            click.echo(f"Line {line}{column}: {message}", err=True)
        raise
    facts = {"rows": done.rows, "created": done.created, "updated": done.updated}
    show(facts | {"unchanged": done.unchanged, "totals": _totals(done.totals)}, as_json=as_json)


@focus.command("export")
@ACCOUNT
@click.option("--from", "since", type=day, help="The first UTC day; left out: from the start.")
@click.option("--to", "until", type=day, help="The last UTC day, included.")
@click.option(
    "--source", "sources", type=click.Choice(EVERY_SOURCE), multiple=True,
    help="May be repeated. All but metered when left out: it may be the same money once more.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Into a file."
)
@DATABASE
@JSON
def export_file(
    account: str, output: Path | None, *, sources: tuple[str, ...], database: str | None,
    as_json: bool, **days: Any,
) -> None:  # fmt: skip
    """Write what is stored as a FOCUS 1.2 file; its totals are those of the reports."""
    operator, account_id = operator_of(database), account_id_of(account)
    chosen = SpendFilter(**days, sources=sources or ITEM_SOURCES)
    if output is None:
        operations.export_focus(operator, account_id, sys.stdout.buffer, chosen=chosen)
        return
    done = _written(output, (operator, account_id), chosen)
    show({"rows": done.rows, "totals": _totals(done.totals)}, as_json=as_json)


def _written(
    output: Path, whose: tuple[Actor, str], chosen: SpendFilter
) -> operations.FocusExport:  # fmt: skip
    """The file is there when it is whole, and as it was before if it never is."""
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            done = operations.export_focus(*whose, file, chosen=chosen)
        part.replace(output)
    except OSError as error:
        raise click.FileError(str(output), error.strerror or "") from error
    finally:
        part.unlink(missing_ok=True)
    return done


def _tell(so_far: FocusImport) -> None:
    click.echo(f"{so_far.done} of {so_far.rows} rows", err=True)


def _wrong(error: dict[str, Any]) -> tuple[int, str, str]:
    column = f", {error['column']}" if error["column"] else ""
    return error["line"], column, error["message"]


def _totals(totals: dict[str, Exact]) -> dict[str, str]:
    return {currency: total.text(currency) for currency, total in totals.items()}
