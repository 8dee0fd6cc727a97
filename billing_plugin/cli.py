"""The command line: `billing …` alone, `flask billing …` inside a host. Data goes to stdout, talk
to stderr. Exit codes: 0 done, 1 found wrong, 2 usage, 3 limit or balance, 5 provider, 6 settings.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, BinaryIO

import click
from flask import Flask
from flask.cli import ScriptInfo

from billing_plugin import demo as demonstration
from billing_plugin import migrations, operations
from billing_plugin.config import Settings
from billing_plugin.context import Actor
from billing_plugin.doctor import examine
from billing_plugin.errors import (
    BillingError,
    ConfigurationError,
    InsufficientFunds,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    ProviderError,
)
from billing_plugin.extension import Billing
from billing_plugin.ids import from_hex, hex_of, uuid_of
from billing_plugin.money import Money

EXIT_CODES: tuple[tuple[type[BillingError], int], ...] = (
    (InvalidRequest, 2),
    (NotFound, 2),
    (LimitExceeded, 3),
    (InsufficientFunds, 3),
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


@click.group(cls=Commands)
@click.version_option(package_name="flask-billing-plugin")
def main() -> None:
    """Billing and AI-spend control."""


@main.command()
@DATABASE
@click.option("--redis", metavar="URL", help="Instead of BILLING_REDIS_URL; empty: no queue.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
def serve(database: str | None, redis: str | None, *, host: str, port: int) -> None:
    """Serve every face over HTTP, without a host application.

    Top-ups use the fake processor unless BILLING_PROCESSOR names one.
    """
    from waitress.server import create_server

    billing = Billing.from_environment(database, **_serving(redis))
    app = Flask("billing")
    billing.init_app(app)
    server: Any = create_server(app, host=host, port=port, threads=8)
    with demonstration.ticking(billing):
        click.echo(f"Serving on http://{host}:{server.effective_port}", err=True)
        server.run()


@main.command()
@click.option("--check", is_flag=True, help="Take the tour without a person, then stop.")
@click.option("--port", default=0, help="Port of the host application; 0 takes a free one.")
def demo(check: bool, port: int) -> None:
    """Start a host application with everything mounted, and show it."""
    sys.exit(demonstration.run(check=check, port=port))


@main.group()
def accounts() -> None:
    """Accounts."""


@accounts.command("create")
@click.argument("name")
@click.option("--currency", help="ISO 4217; the setting BILLING_CURRENCY if left out.")
@DATABASE
@JSON
def create_account(name: str, currency: str | None, *, database: str | None, as_json: bool) -> None:
    """Open an account and print the id that each dialect knows it by."""
    account = operations.create_account(_operator(database), name, currency=currency)
    facts = {
        "id": account.id,
        "name": account.name,
        "currency": account.currency,
        "cloudflareAccountId": hex_of(account.id),
        "xaiTeamId": uuid_of(account.id),
        "spideriqClientId": f"cli_{hex_of(account.id)}",
    }
    _print(facts, as_json=as_json)


@accounts.command("credit")
@ACCOUNT
@click.argument("amount")
@click.option("--reason", default="", help="Kept with the entry.")
@click.option("--idempotency-key", help="The same key credits once.")
@DATABASE
@JSON
def credit_account(
    account: str, amount: str, *, reason: str, idempotency_key: str | None,
    database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Enter a support credit of AMOUNT units (a negative one takes away)."""
    operator = _operator(database)
    holder = operations.get_account(operator, _account_id(account))
    entry = operations.adjust(
        operator, holder.id, Money.parse(amount, holder.currency),
        reason=reason, idempotency_key=idempotency_key,
    )  # fmt: skip
    _print({"id": entry.id, "balanceAfter": entry.balance_after.text}, as_json=as_json)


@main.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@ACCOUNT
@click.option("--scope", "scopes", multiple=True, help="May be repeated; none: every scope.")
@click.option("--name", default="", help="To know it by.")
@DATABASE
@JSON
def create_key(
    account: str, scopes: Iterable[str], *, name: str, database: str | None, as_json: bool
) -> None:
    """Make an API key. It is shown this once; only its hash is stored."""
    made = operations.create_key(_operator(database), _account_id(account), scopes, name=name)
    digits, _, secret = made.token.removeprefix("sk_").partition("_")
    parts = f"cli_{hex_of(made.key.account_id)}:sk_{digits}:secret_{secret}"
    facts = {"id": made.key.id, "accountId": made.key.account_id, "key": made.token}
    _print(facts | {"spideriqToken": parts, "scopes": made.key.scopes.split()}, as_json=as_json)


@keys.command("revoke")
@ACCOUNT
@click.argument("key_id")
@DATABASE
def revoke_key(account: str, key_id: str, database: str | None) -> None:
    """End an API key at once and for good."""
    operations.revoke_key(_operator(database), _account_id(account), key_id)
    click.echo("Revoked.", err=True)


@main.group()
def integrations() -> None:
    """Connected vendor accounts."""


@integrations.command("create")
@ACCOUNT
@click.option("--provider", required=True, help="openrouter, fake, …")
@click.option("--label", default="")
@click.option("--setting", "settings", multiple=True, metavar="NAME=TEXT", help="May be repeated.")
@DATABASE
@JSON
def create_integration(
    account: str, *, provider: str, label: str, settings: Iterable[str],
    database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Connect a vendor account.

    Keys are read from BILLING_PROVIDER_API_KEY and BILLING_PROVIDER_MANAGEMENT_KEY, or asked for;
    never from the command line, where others could see them.
    """
    made = operations.connect(
        _operator(database), _account_id(account), provider,
        credentials=_credentials(), label=label,
        settings=dict(setting.partition("=")[::2] for setting in settings),
    )  # fmt: skip
    facts = {"id": made.id, "number": made.number, "provider": made.provider}
    _print(facts | {"keys": made.preview}, as_json=as_json)


@main.command()
@ACCOUNT
@click.option("--provider", help="Only this one.")
@DATABASE
@JSON
def sync(account: str, provider: str | None, *, database: str | None, as_json: bool) -> None:
    """Ask the account's vendors for balance and spend, through the queue if there is one."""
    job = operations.request_sync(_operator(database), _account_id(account), provider=provider)
    facts = {"id": job.id, "status": job.status, "synced": job.synced, "failed": job.failed}
    _print(facts, as_json=as_json)


@main.command("import-usage")
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
        _operator(database), _account_id(account), _text_lines(file), model=model, provider=provider
    )
    facts = {"read": done.read, "recorded": done.recorded, "replayed": done.replayed}
    _print(facts | {"charged": str(done.charged)}, as_json=as_json)
    if done.refusal:
        click.echo(f"Stopped at line {done.line}: {done.refusal.message}", err=True)
        sys.exit(3)


@main.command()
@DATABASE
def migrate(database: str | None) -> None:
    """Create or upgrade the tables."""
    instance = _billing(database).instance
    instance.prepare = None
    with instance.active():
        done = migrations.migrate(instance.database)
    click.echo("\n".join(done) or "Nothing to do.", err=True)


@main.command()
@DATABASE
@JSON
def doctor(database: str | None, as_json: bool) -> None:
    """Check database, Redis, keys and the ledger's invariants; exit code 1 if one is ill."""
    found = examine(_billing(database))
    if as_json:
        click.echo(json.dumps({"healthy": found.healthy, "checks": found.as_dict()}))
    else:
        for line in found.lines():
            click.echo(line)
    sys.exit(0 if found.healthy else 1)


@main.command("new-secret-key")
def new_secret_key() -> None:
    """Print a fresh key for BILLING_SECRET_KEYS."""
    from billing_plugin.vault import new_key  # lazy: only this command needs cryptography

    click.echo(new_key())


def _billing(database: str | None) -> Billing:
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


def _serving(redis: str | None) -> dict[str, str]:
    """What `serve` sets by itself: the queue it was told of; a processor where none is named."""
    processor = Settings.from_environment().get("processor") or "fake"
    return {"processor": processor} | ({} if redis is None else {"redis_url": redis})


def _operator(database: str | None) -> Actor:
    return _billing(database).operator()


def _account_id(text: str) -> str:
    return text if text.startswith("acct_") else from_hex("acct", text)


def _credentials() -> dict[str, str]:
    names = {"api_key": "API_KEY", "management_key": "MANAGEMENT_KEY"}
    found = {kind: os.environ.get(f"BILLING_PROVIDER_{name}", "") for kind, name in names.items()}
    return found if any(found.values()) else {"api_key": click.prompt("API key", hide_input=True)}


def _text_lines(file: BinaryIO) -> Iterable[str]:
    return (line.decode("utf-8", "replace") for line in file)


def _print(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        click.echo(f"{name}: {' '.join(value) if isinstance(value, list) else value}")


flask_commands = main  # `flask billing …`, by entry point


if __name__ == "__main__":
    main()
