"""`billing methods …`: an account's payment methods, by the operator; payers add them."""

from __future__ import annotations

import json
from typing import Any

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.operations import PaymentMethod


@click.group()
def methods() -> None:
    """Payment methods."""


@methods.command("list")
@ACCOUNT
@DATABASE
@JSON
def list_methods(account: str, *, database: str | None, as_json: bool) -> None:
    """Show what an account can pay with, newest first."""
    found = operations.list_payment_methods(operator_of(database), account_id_of(account))
    if as_json:
        click.echo(json.dumps([facts(one) for one in found]))
        return
    for one in found:
        click.echo(" ".join(f"{name}={value}" for name, value in facts(one).items() if value))


@methods.command("default")
@ACCOUNT
@click.argument("method_id")
@DATABASE
@JSON
def set_default(account: str, method_id: str, *, database: str | None, as_json: bool) -> None:
    """Have a method charged where none is named."""
    chosen = operations.set_default_payment_method(
        operator_of(database), account_id_of(account), method_id
    )
    show(facts(chosen), as_json=as_json)


@methods.command("remove")
@ACCOUNT
@click.argument("method_id")
@DATABASE
@JSON
def remove(account: str, method_id: str, *, database: str | None, as_json: bool) -> None:
    """Take a method away; no other becomes the default in its place."""
    gone = operations.remove_payment_method(
        operator_of(database), account_id_of(account), method_id
    )
    show({"removed": gone.id, "wasDefault": gone.was_default}, as_json=as_json)


def facts(found: PaymentMethod) -> dict[str, Any]:
    """One method, flat: what people know it by."""
    method = found.method
    expires = f"{method.exp_month}/{method.exp_year}" if method.exp_year else ""
    return {
        "id": method.id, "form": method.form, "default": found.is_default, "brand": method.brand,
        "last4": method.last4, "expires": expires, "bank": method.bank_name, "email": method.email,
    }  # fmt: skip
