"""Events through a real queue: a worker spreads and sends them, and makes up for a lost Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from billing_plugin import Billing
from tests.factories import account_with, billing_on
from tests.receivers.servers import Receiver, receiver
from tests.telling import buy, deliveries, endpoint
from tests.worker.processes import burst, environment


@pytest.fixture
def billing(database_url: str, redis_url: str) -> Billing:
    """One that hands its jobs to a Redis, with the clock of the wall."""
    return billing_on(database_url, redis_url=redis_url, webhook_local=True)


@pytest.fixture
def env(database_url: str, redis_url: str) -> dict[str, str]:
    """A worker that may tell this machine."""
    return environment(database_url, redis_url, BILLING_WEBHOOK_LOCAL="true")


@pytest.fixture
def there() -> Iterator[Receiver]:
    """A receiver at work."""
    with receiver() as found:
        yield found


@pytest.mark.parametrize("lost", [False, True])
def test_an_event_reaches_its_receiver(
    billing: Billing, env: dict[str, str], redis_url: str, there: Receiver, *, lost: bool
) -> None:
    actor = account_with(billing)
    made = endpoint(actor, there.url)
    buy(actor)
    assert there.received == []
    if lost:
        redis.Redis.from_url(redis_url).flushdb()
    done = burst(env)
    assert done.returncode == 0, done.stdout
    [got] = there.received
    assert got.verified(made.secret)["type"] == "topup.succeeded"
    [found] = deliveries(actor, made)
    assert (found.status, found.attempts, found.event_id) == ("delivered", 1, got.id)
    assert made.secret not in done.stdout
