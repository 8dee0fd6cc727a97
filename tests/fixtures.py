"""Fixtures over a mounted billing system, on each database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing_plugin import Actor, Billing
from tests.factories import OPENED, Caller, Clock, account_with, app_with, billing_on, token_of


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Closes the databases of every system that the test opened through factories.billing_on."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still at factories.START."""
    return Clock()


@pytest.fixture
def billing(database_url: str, clock: Clock) -> Billing:
    """A billing system on a fresh database, with a standing clock and the fake processor."""
    return billing_on(database_url, clock=clock)


@pytest.fixture
def actor(billing: Billing) -> Actor:
    """An account with 100 dollars, and every scope a key may hold."""
    return account_with(billing, "100")


@pytest.fixture
def call(billing: Billing, actor: Actor) -> Caller:
    """A client of a mounted host that sends the account's key: call("GET", "/api/…", json=…)."""
    return Caller(app_with(billing), token_of(billing, actor))
