"""`billing import-usage`: charging a file of requests."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import BinaryIO

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show


@click.command("import-usage")
@click.argument("file", type=click.File("rb"))
@click.option("--model", required=True)
@click.option("--provider", default="", help="Of the model; guessed when left out.")
@ACCOUNT
@DATABASE
@JSON
def import_usage(
    file: BinaryIO, model: str, *, provider: str, account: str, database: str | None, as_json: bool
) -> None:
    """Rate and charge a CSV of requests (TIMESTAMP, ContextTokens, GeneratedTokens).

    The same file again changes nothing. Stops at the first request that does not fit, exit code 3.
    """
    done = operations.import_usage(
        operator_of(database),
        account_id_of(account),
        _text_lines(file),
        model=model,
        provider=provider,
    )
    facts = {"read": done.read, "recorded": done.recorded, "replayed": done.replayed}
    show(facts | {"charged": str(done.charged)}, as_json=as_json)
    if done.refusal:
        click.echo(f"Stopped at line {done.line}: {done.refusal.message}", err=True)
        sys.exit(3)


def _text_lines(file: BinaryIO) -> Iterable[str]:
    return (line.decode("utf-8", "replace") for line in file)
