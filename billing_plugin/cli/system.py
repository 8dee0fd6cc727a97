"""Commands about the whole system: serve, demo, migrate, doctor, and a fresh secret key."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from flask import Flask

from billing_plugin import demo as demonstration
from billing_plugin import migrations
from billing_plugin.cli.base import DATABASE, JSON, billing_of
from billing_plugin.config import Settings
from billing_plugin.doctor import examine
from billing_plugin.extension import Billing


@click.command()
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
        url = f"http://{host}:{server.effective_port}"
        click.echo(f"Serving on {url}", err=True)
        click.echo(_words(billing, url), err=True)
        server.run()


@click.command()
@click.option("--check", is_flag=True, help="Take the tour without a person, then stop.")
@click.option("--port", default=0, help="Port of the host application; 0 takes a free one.")
def demo(check: bool, port: int) -> None:
    """Start a host application with everything mounted, and show it."""
    sys.exit(demonstration.run(check=check, port=port))


@click.command()
@DATABASE
def migrate(database: str | None) -> None:
    """Create or upgrade the tables."""
    instance = billing_of(database).instance
    instance.prepare = None
    with instance.active():
        done = migrations.migrate(instance.database)
    click.echo("\n".join(done) or "Nothing to do.", err=True)


@click.command()
@DATABASE
@JSON
def doctor(database: str | None, as_json: bool) -> None:
    """Check database, Redis, keys and the ledger's invariants; exit code 1 if one is ill."""
    found = examine(billing_of(database))
    if as_json:
        click.echo(json.dumps({"healthy": found.healthy, "checks": found.as_dict()}))
    else:
        for line in found.lines():
            click.echo(line)
    sys.exit(0 if found.healthy else 1)


@click.command("new-secret-key")
def new_secret_key() -> None:
    """Print a fresh key for BILLING_SECRET_KEYS."""
    from billing_plugin.vault import new_key  # lazy: only this command needs cryptography

    click.echo(new_key())


def _serving(redis: str | None) -> dict[str, str]:
    """What `serve` sets by itself: the queue it was told of; a processor where none is named; the
    pages for people, unless the environment puts them elsewhere or switches them off."""
    named = Settings.from_environment()
    own = {
        "processor": named.get("processor") or "fake",
        "dashboard_prefix": named.get("dashboard_prefix", demonstration.PAGES),
    }
    return own | ({} if redis is None else {"redis_url": redis})


def _words(billing: Billing, url: str) -> str:
    prefix = billing.instance.settings.dashboard_prefix
    return f"Pages: {url}{prefix} (an API key is the password)" if prefix else "No pages."
