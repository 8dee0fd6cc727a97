"""Fixtures of the MCP tests: agents of an account, in both eras of the protocol."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing
from tests.factories import token_of
from tests.mcp_server.agents import Agent


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """The era of the protocol: today's, or the one with the handshake."""
    return str(request.param)


@pytest.fixture
def token(billing: Billing, actor: Actor) -> str:
    """A key of the actor's account with every scope."""
    return token_of(billing, actor)


@pytest.fixture
def agent(billing: Billing, token: str, mode: str) -> Agent:
    """A client in memory that holds the account's key."""
    return Agent(billing, token, mode)
