"""`python -m worker`: runs jobs and keeps the schedule until it is told to stop.

With a Redis it listens to the queue; without one it does in this process what is due. Any number
may run. What it needs is in the BILLING_ settings of its environment.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pkgutil import resolve_name
from threading import Event
from types import FrameType
from typing import Any

from billing_plugin import Billing, vault
from billing_plugin.errors import BillingError, ConfigurationError
from worker import jobs
from worker.schedule import TICK_S, tick

try:
    from worker.listening import listen
except ImportError:  # rq and redis are an optional extra
    listen = None  # type: ignore[assignment]  # said plainly in run()

EXIT_SETTINGS = 6
PRELOADED = (vault,)  # loaded before the first fork, together with the providers
log = logging.getLogger("worker")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the worker; returns its exit code."""
    said = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    try:
        billing = _billing(said)
        jobs.serve(billing)
        preload(billing)
        return run(billing, stopped_by_signal(), burst=said.burst)
    except BillingError as error:
        log.critical(error.message)
        return EXIT_SETTINGS


def run(billing: Billing, stop: Event, *, burst: bool) -> int:
    """Works until stopped; with `burst` until nothing is left to do. Returns the exit code."""
    if billing.instance.settings.redis_url:
        if listen is None:
            raise ConfigurationError("A Redis is set; install the extra `redis`.")
        return listen(billing, stop, burst=burst)
    log.info("no Redis is set: jobs run in this process")
    tick(billing)
    while not burst and not stop.wait(TICK_S):
        tick(billing)
    return 0


def preload(billing: Billing) -> None:
    """Imports what jobs will need, so that no forked job pays for it (20 ms instead of 336)."""
    for provider in billing.instance.providers.values():
        if isinstance(provider, str):
            try:
                resolve_name(provider)
            except (ImportError, AttributeError, ValueError) as error:
                log.warning("%s cannot be loaded: %s", provider, type(error).__name__)


def stopped_by_signal() -> Event:
    """An event that SIGTERM or SIGINT sets; the second one ends the process at once."""
    stop = Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise SystemExit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Runs billing jobs.")
    parser.add_argument("--database", metavar="URL", help="instead of BILLING_DATABASE_URL")
    parser.add_argument("--redis", metavar="URL", help="instead of BILLING_REDIS_URL; empty: none")
    parser.add_argument("--burst", action="store_true", help="end when nothing is left to do")
    parser.add_argument(
        "--billing", metavar="MODULE:NAME", help="a host's own Billing, or its Flask app"
    )
    return parser.parse_args(argv)


def _billing(said: argparse.Namespace) -> Billing:
    if said.billing:
        return _of_host(said.billing)
    given = {"database_url": said.database, "redis_url": said.redis}
    return Billing.from_environment(
        **{key: value for key, value in given.items() if value is not None}
    )


def _of_host(place: str) -> Billing:
    try:
        found: Any = resolve_name(place)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{place} cannot be loaded: {error}") from error
    mounted = getattr(found, "extensions", {}).get("billing", {})
    found = next(iter(mounted.values()), found)
    if not isinstance(found, Billing):
        raise ConfigurationError(f"{place} is neither a Billing nor an app that mounted one.")
    return found


if __name__ == "__main__":
    sys.exit(main())
