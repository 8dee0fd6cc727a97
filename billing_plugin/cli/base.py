"""What every command shares: its options, the system it works on, how it prints and how it fails.

Data goes to stdout, talk to stderr. Exit codes: 0 done, 1 found wrong, 2 usage, 3 limit or
balance, 4 declined, 5 provider, 6 settings, 7 not known yet.
"""

from __future__ import annotations

import json
from typing import Any

import click
from flask.cli import ScriptInfo

from billing_plugin.context import Actor
from billing_plugin.errors import (
    BillingError,
    ConfigurationError,
    InsufficientFunds,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PaymentDeclined,
    ProviderError,
    RateLimited,
)
from billing_plugin.extension import Billing
from billing_plugin.ids import from_hex

DECLINED = 4
EXIT_CODES: tuple[tuple[type[BillingError], int], ...] = (
    (InvalidRequest, 2),
    (NotFound, 2),
    (LimitExceeded, 3),
    (InsufficientFunds, 3),
    (RateLimited, 3),
    (PaymentDeclined, DECLINED),
    (ProviderError, 5),
    (ConfigurationError, 6),
)
DATABASE = click.option("--database", metavar="URL", help="Instead of BILLING_DATABASE_URL.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ACCOUNT = click.option("--account", "account", required=True, metavar="ID", help="The account.")


class Commands(click.Group):
    """A group whose errors are one sentence on stderr and an exit code with a meaning."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a BillingError becomes its exit code."""
        try:
            return super().invoke(ctx)
        except BillingError as error:
            click.echo(f"Error: {error.message}", err=True)
            code = next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)
            ctx.exit(code)


def billing_of(database: str | None) -> Billing:
    """The host's own system under `flask billing`, else one made from the environment."""
    context = click.get_current_context()
    script = context.find_object(ScriptInfo)
    if script is None:
        billing = Billing.from_environment(database)
        billing.configure({})  # now, so that a wrong setting is said once
        context.call_on_close(billing.close)
        return billing
    mounted: dict[str, Billing] = script.load_app().extensions.get("billing", {})
    if not mounted:
        raise ConfigurationError("This application has not mounted the billing plugin.")
    return next(iter(mounted.values()))


def operator_of(database: str | None) -> Actor:
    """The operator of that system."""
    return billing_of(database).operator()


def account_id_of(text: str) -> str:
    """The account id behind any of its forms. Raises NotFound."""
    return text if text.startswith("acct_") else from_hex("acct", text)


def show(facts: dict[str, Any], *, as_json: bool) -> None:
    """Prints facts: one JSON object, or a line for each."""
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        click.echo(f"{name}: {word(value)}")


def word(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, dict):
        return " ".join(f"{name}={inner}" for name, inner in value.items())
    return " ".join(value) if isinstance(value, list) else str(value)
