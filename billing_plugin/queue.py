"""Handing work to the background: RQ by dotted name where there is a Redis, else right here.

A job's only argument is an id. The row with that id is the job; what is lost here is found again
by the sweeper, so a Redis that is away never fails the request that wanted the job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from billing_plugin.config import Settings

SERIALIZER = "json"
JOB_TIMEOUT_S = 300
RESULT_TTL_S = 3600
log = logging.getLogger(__name__)


def enqueuer(settings: Settings) -> Callable[[str, str], None]:
    """How this instance starts jobs: through RQ with a Redis URL, else in this process."""
    return Enqueuer(settings) if settings.redis_url else run_now


def run_now(name: str, identifier: str) -> None:
    """Runs the job `module.function` with the id, in this process and at once."""
    module, _, function = name.rpartition(".")
    getattr(import_module(module), function)(identifier)


class Enqueuer:
    """Enqueues by dotted name, JSON serializer only, without waiting for a Redis that is away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queue: Any = None

    def __call__(self, name: str, identifier: str) -> None:
        """Enqueues the job with its id. A Redis that is away is logged; the sweeper will retry."""
        import redis  # an optional extra, and only where jobs are enqueued

        try:
            self._connected().enqueue(
                name, identifier, job_timeout=JOB_TIMEOUT_S,
                result_ttl=RESULT_TTL_S, failure_ttl=RESULT_TTL_S,
                description=f"{name.rpartition('.')[2]} {identifier}",
            )  # fmt: skip
        except redis.RedisError as error:
            log.warning("not enqueued, the sweeper will: %s %s", name, type(error).__name__)

    def _connected(self) -> Any:
        if self._queue is None:
            self._queue = queue(self._settings.redis_url, self._settings.queue_name, timeout_s=2)
        return self._queue


def queue(url: str, name: str, *, timeout_s: int | None = None) -> Any:
    """The RQ queue. `timeout_s` bounds each call for callers who cannot wait; workers can."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
    from rq import Queue

    patience: dict[str, Any] = {"socket_timeout": None}
    if timeout_s is not None:
        patience = {
            "socket_timeout": timeout_s,
            "socket_connect_timeout": timeout_s,
            "retry": Retry(NoBackoff(), 0),
        }
    return Queue(name, connection=redis.Redis.from_url(url, **patience), serializer=SERIALIZER)
