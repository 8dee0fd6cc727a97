"""`billing profile …`: to whom an account's bills go, by the operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show
from billing_plugin.operations.billing_profiles import FIELDS

HELP = {"country": "ISO 3166, two capital letters.", "tax_id_type": "Such as eu_vat or us_ein."}


def _every_field(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option for each field of a profile."""
    for name in reversed(FIELDS):
        flag = f"--{name.replace('_', '-')}"
        command = click.option(flag, name, help=HELP.get(name))(command)
    return command


@click.group()
def profile() -> None:
    """To whom bills go."""


@profile.command("show")
@ACCOUNT
@DATABASE
@JSON
def show_profile(account: str, *, database: str | None, as_json: bool) -> None:
    """Show to whom the bills go."""
    found = operations.get_billing_profile(operator_of(database), account_id_of(account))
    show(facts(found), as_json=as_json)


@profile.command("set")
@ACCOUNT
@_every_field
@DATABASE
@JSON
def set_profile(account: str, *, database: str | None, as_json: bool, **said: str | None) -> None:
    """Set to whom the bills go; what is not said stays, and "" takes it away."""
    operator, account_id = operator_of(database), account_id_of(account)
    known = facts(operations.get_billing_profile(operator, account_id))
    stated = {name: value for name, value in said.items() if value is not None}
    made = operations.set_billing_profile(operator, account_id, known | stated)
    show(facts(made), as_json=as_json)


def facts(found: Any) -> dict[str, str]:
    """Every field of a profile; "" is not stated."""
    return {name: getattr(found, name) for name in FIELDS}
