"""`billing keys …`: making API keys and ending them."""

from __future__ import annotations

from collections.abc import Iterable

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.ids import hex_of


@click.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@ACCOUNT
@click.option("--scope", "scopes", multiple=True, help="May be repeated; none: every scope.")
@click.option("--name", default="", help="To know it by.")
@click.option("--agent", help="The program it is for; such a key never approves a raise.")
@DATABASE
@JSON
def create_key(
    account: str, scopes: Iterable[str], *, name: str, agent: str | None, database: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Make an API key. It is shown this once; only its hash is stored."""
    made = operations.create_key(
        operator_of(database), account_id_of(account), scopes, name=name, agent=agent
    )
    digits, _, secret = made.token.removeprefix("sk_").partition("_")
    parts = f"cli_{hex_of(made.key.account_id)}:sk_{digits}:secret_{secret}"
    facts = {"id": made.key.id, "accountId": made.key.account_id, "key": made.token}
    show(facts | {"spideriqToken": parts, "scopes": made.key.scopes.split()}, as_json=as_json)


@keys.command("revoke")
@ACCOUNT
@click.argument("key_id")
@DATABASE
def revoke_key(account: str, key_id: str, database: str | None) -> None:
    """End an API key at once and for good."""
    operations.revoke_key(operator_of(database), account_id_of(account), key_id)
    click.echo("Revoked.", err=True)
