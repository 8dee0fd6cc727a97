"""A host with the pages switched on, and somebody who looks at them."""

from __future__ import annotations

import pytest
from flask import Flask

from billing_plugin import Actor, Billing
from tests.dashboard.reader import PAGES, Visitor
from tests.factories import Clock, app_with, billing_on, token_of


@pytest.fixture
def billing(database_url: str, clock: Clock) -> Billing:
    """A billing system with its pages switched on."""
    return billing_on(database_url, clock=clock, dashboard_prefix=PAGES)


@pytest.fixture
def app(billing: Billing) -> Flask:
    """A bare host."""
    return app_with(billing)


@pytest.fixture
def person(billing: Billing, actor: Actor, app: Flask) -> Visitor:
    """Somebody with a key of the account that holds every scope."""
    return Visitor(app, token_of(billing, actor))
