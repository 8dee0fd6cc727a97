"""Handing work to the background: RQ by dotted name where there is a Redis, else right here.

A job's only argument is an id. The row with that id is the job; what is lost here is found again
by the sweeper, so nothing that goes wrong here fails the request that wanted the job.
"""

from __future__ import annotations

import logging
from functools import cache
from pkgutil import resolve_name
from typing import Any

from billing_plugin.config import Settings

SERIALIZER = "json"
JOB_TIMEOUT_S = 300
RESULT_TTL_S = 3600
PATIENCE_S = 2  # of a request that enqueues
log = logging.getLogger(__name__)


def enqueue(settings: Settings, job: str, identifier: str) -> None:
    """Starts the job `module.function` with an id: through RQ with a Redis URL, else here."""
    if settings.redis_url:
        _enqueuer(settings)(job, identifier)
    else:
        run_now(job, identifier)


def run_now(name: str, identifier: str) -> None:
    """Runs the job `module.function` with the id, in this process and at once.

    The instance that enqueued is at work. A job that fails is logged; the sweeper will retry.
    """
    module, _, function = name.rpartition(".")
    try:
        resolve_name(f"{module}:{function}")(identifier)
    except Exception as error:
        log.warning("failed, the sweeper will retry: %s %s: %s", function, identifier, _kind(error))


class Enqueuer:
    """Enqueues by dotted name, JSON serializer only, without waiting for a Redis that is away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queue: Any = None

    def __call__(self, name: str, identifier: str) -> None:
        """Enqueues the job with its id, unless it waits there already.

        A Redis that is away, and a URL that is none, are logged; the sweeper will retry.
        """
        import redis  # an optional extra, and only where jobs are enqueued

        try:
            self._push(name, identifier)
        except (redis.RedisError, ValueError) as error:
            log.warning("not enqueued, the sweeper will: %s %s", identifier, _kind(error))

    def _push(self, name: str, identifier: str) -> None:
        waiting = self._connected()
        if waiting.connection.lpos(waiting.key, identifier) is not None:
            return
        waiting.enqueue(
            name, identifier, job_id=identifier, job_timeout=JOB_TIMEOUT_S,
            result_ttl=RESULT_TTL_S, failure_ttl=RESULT_TTL_S,
            description=f"{name.rpartition('.')[2]} {identifier}",
        )  # fmt: skip

    def _connected(self) -> Any:
        if self._queue is None:
            self._queue = queue(self._settings.redis_url, self._settings.queue_name)
        return self._queue


def answers(settings: Settings) -> bool:
    """Whether the Redis of these settings answers now."""
    import redis

    try:
        return bool(queue(settings.redis_url, settings.queue_name).connection.ping())
    except (redis.RedisError, ValueError):
        return False


def queue(url: str, name: str) -> Any:
    """The RQ queue for callers who cannot wait. Raises ValueError for what is no Redis URL."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
    from rq import Queue

    client = redis.Redis.from_url(
        url,
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )
    return Queue(name, connection=client, serializer=SERIALIZER)


@cache
def _enqueuer(settings: Settings) -> Enqueuer:
    return Enqueuer(settings)


def _kind(error: Exception) -> str:
    """The class alone: a library's own words may hold a URL with its password."""
    return type(error).__name__
