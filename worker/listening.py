"""Listening to Redis: an RQ worker that runs our jobs and nothing else, and keeps the schedule.

It listens to one queue (RQ loses jobs of a worker that listens to two), speaks JSON only, and
ticks whenever it shows RQ that it is alive: between jobs, while idle, and while a job runs. The
database pool is emptied before each fork, so that parent and child never share a connection.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from threading import Event
from types import FrameType
from typing import Any

import redis
from redis.client import Pipeline
from rq import Queue, Worker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.worker import WorkerStatus

from billing_plugin import Billing
from billing_plugin.errors import ConfigurationError
from worker import jobs
from worker.schedule import tick

SERIALIZER = "json"
TICK_S = 10
IDLE_S = 15  # how long it waits for a job before it looks at the clock again
MAINTENANCE_S = 30
LONGEST_PAUSE_S = 10
GOOD_RUN_S = 60  # after which an earlier failure is forgotten
BURST_ATTEMPTS = 3
_RQ_MARGIN_S = 15  # RQ waits for a job that much shorter than its worker_ttl
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
log = logging.getLogger(__name__)


class RefusedJobError(Exception):
    """A payload in Redis that names something else than one of our jobs with one id."""


class FailedJobError(Exception):
    """A job that failed: says the class of the reason and none of its words."""


class OurJob(Job):
    """Runs the allowed functions of worker.jobs and no callback, whatever Redis says."""

    @property
    def func(self) -> Callable[..., Any]:
        """The job's function. Raises RefusedJobError for any other."""
        module, _, name = str(self.func_name).rpartition(".")
        one_id = len(self.args) == 1 and isinstance(self.args[0], str) and not self.kwargs
        if module != jobs.__name__ or name not in jobs.ALLOWED or self.instance or not one_id:
            raise RefusedJobError
        function: Callable[..., Any] = getattr(jobs, name)
        return function

    @property
    def success_callback(self) -> None:
        """None: a callback would be a way around the allowed functions."""

    @property
    def failure_callback(self) -> None:
        """None, as above."""

    @property
    def stopped_callback(self) -> None:
        """None, as above."""

    def perform(self) -> Any:
        """Runs the job. What RQ logs and keeps of a failure is its class alone."""
        try:
            return super().perform()
        except Exception as error:
            raise FailedJobError(type(error).__name__) from None

    def send_webhooks(self, *_args: Any, **_kwargs: Any) -> None:
        """Sends nothing: we register no webhook, so one in a payload is somebody else's."""


class OurWorker(Worker):
    """RQ's forking worker, with the schedule and a fork-safe database."""

    max_connection_wait_time = LONGEST_PAUSE_S
    log_result_lifespan = False

    def __init__(self, billing: Billing, connection: redis.Redis, stop: Event) -> None:
        self._billing = billing
        self._stop = stop
        self._ticking = False
        self._tick_at = time.monotonic()
        name = billing.instance.settings.queue_name
        queue = Queue(name, connection=connection, serializer=SERIALIZER, job_class=OurJob)
        super().__init__(
            [queue], connection=connection, serializer=SERIALIZER, job_class=OurJob,
            worker_ttl=IDLE_S + _RQ_MARGIN_S, maintenance_interval=MAINTENANCE_S,
            job_monitoring_interval=TICK_S,
        )  # fmt: skip

    @property
    def is_done(self) -> bool:
        """Whether nothing waits in the queue."""
        return bool(self.queues[0].is_empty())

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Tells RQ that this worker lives, and ticks when it is time."""
        super().heartbeat(timeout, pipeline=pipeline)
        if not self.is_horse and time.monotonic() >= self._tick_at:
            self._tick()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stops after the present job; a tick at work is finished first."""
        self._stop.set()
        if self._ticking:
            self._stop_requested = True
        else:
            super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ types it not

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Forks without an open database connection."""
        close_connections(self._billing)
        super().fork_work_horse(job, queue)

    def _tick(self) -> None:
        self._ticking = True
        try:
            tick(self._billing)
        finally:
            self._ticking = False
            self._tick_at = time.monotonic() + TICK_S
        if self._stop_requested and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested


def listen(billing: Billing, stop: Event, *, burst: bool = False) -> int:
    """Works until stopped, or with `burst` until the queue is empty. Returns the exit code.

    A Redis that is away is waited for, with growing pauses; a burst gives up after 3 attempts.
    Raises ConfigurationError for what is no Redis URL.
    """
    logging.getLogger("rq.worker").addFilter(without_traceback)
    failures = 0
    while not stop.is_set():
        began = time.monotonic()
        if _work(billing, stop, burst=burst):
            return 0
        failures = 1 if time.monotonic() - began > GOOD_RUN_S else failures + 1
        if burst and failures == BURST_ATTEMPTS:
            return 1
        pause_s = min(2 ** (failures - 1), LONGEST_PAUSE_S)
        log.warning("Redis cannot be used now; trying again in %d s", pause_s)
        stop.wait(pause_s)
    return 0


def close_connections(billing: Billing) -> None:
    """Closes every database connection of this process, idle ones in the pool too."""
    database: Any = billing.instance.database
    getattr(database, "close_all", database.close)()


def without_traceback(record: logging.LogRecord) -> bool:
    """Keeps a record and drops its traceback, in which a URL's password might stand."""
    if record.exc_info:
        kind = record.exc_info[0]
        record.msg, record.args = f"{record.getMessage()} {kind.__name__ if kind else ''}", ()
        record.exc_info = None
    return True


def _work(billing: Billing, stop: Event, *, burst: bool) -> bool:
    """Works until the end; False where Redis brought it about too early."""
    connection = _connected(billing.instance.settings.redis_url)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    worker = None
    try:
        worker = OurWorker(billing, connection, stop)
        worker.work(burst=burst)
        return stop.is_set() or (burst and worker.is_done)
    except redis.RedisError as error:
        log.warning("Redis is away: %s", type(error).__name__)
        return stop.is_set()
    finally:
        if worker and worker.pubsub_thread:
            worker.pubsub_thread.stop()
        connection.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _connected(url: str) -> redis.Redis:
    try:
        return redis.Redis.from_url(url, socket_timeout=None)
    except ValueError:
        raise ConfigurationError("BILLING_REDIS_URL is not the URL of a Redis.") from None
