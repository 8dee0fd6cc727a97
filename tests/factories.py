"""Short ways to the things that most tests begin with."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.vault import new_key

SECRET_KEY = new_key()
START = datetime(2026, 3, 9, 14, 32, tzinfo=UTC)
OPENED: list[Billing] = []
_numbers = itertools.count()


class Clock:
    """A clock that stands still until told to move."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **duration: int) -> None:
        """Moves on by hours=…, days=…."""
        self.at += timedelta(**duration)


def billing_on(database_url: str, **options: Any) -> Billing:
    """A billing system with the fake processor and a vault key."""
    given = {"processor": "fake", "secret_keys": SECRET_KEY, "auto_migrate": True} | options
    system = Billing(database_url, **given)
    OPENED.append(system)
    return system


def app_with(billing: Billing) -> Flask:
    """A bare host with the plugin mounted."""
    app = Flask(f"host{next(_numbers)}")
    billing.init_app(app)
    return app


def account_with(billing: Billing, units: str = "0") -> Actor:
    """An actor of a fresh account that has `units` of credit; it holds every account scope."""
    operator = billing.operator()
    account = operations.create_account(operator, f"Account {next(_numbers)}")
    if units != "0":
        operations.adjust(operator, account.id, Money.parse(units))
    return billing.actor(account.id, scopes=operations.account_scopes())


def token_of(billing: Billing, actor: Actor, *scopes: str) -> str:
    """A fresh API key of the actor's account: every account scope, or just those named."""
    return operations.create_key(billing.operator(), str(actor.account_id), scopes).token


class Caller:
    """A client of the mounted app that sends an account's key."""

    def __init__(self, app: Flask, token: str) -> None:
        self.client: FlaskClient = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **options)
