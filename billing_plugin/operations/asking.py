"""Asking vendors side by side: one answer for each integration, whatever the others do.

The slowest vendor decides how long it takes, and the setting provider_timeout_s how slow one may
be. The threads are daemons: a vendor that never answers cannot keep a process from ending.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from threading import Thread

from billing_plugin.context import current, now, refuse_in_transaction
from billing_plugin.errors import (
    BillingError,
    NotFound,
    ProviderUnavailable,
    ProviderUnreadable,
)
from billing_plugin.models.integrations import Integration
from billing_plugin.operations.integrations import opened
from billing_plugin.providers import load
from billing_plugin.providers.provider import Provider, Reading

MAX_THREADS = 32
GRACE_S = 5  # beyond the vendor's own deadline, for an adapter that overlooks it
BEAT_S = 5
Answer = Reading | BillingError
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What one vendor is asked, with everything its adapter needs."""

    provider: Provider
    credentials: dict[str, str]
    integration: Integration
    at: datetime
    timeout_s: int


Work = SimpleQueue[tuple[Future[Answer], Question]]


def ask_all(asked: Sequence[Integration], meanwhile: Callable[[], None]) -> list[Answer]:
    """One answer for each integration, in order. Calls `meanwhile` every 5 s until they are in.

    Raises ConfigurationError inside a transaction, never for what a vendor does.
    """
    refuse_in_transaction()
    answers = [_begun(integration) for integration in asked]
    work: Work = SimpleQueue()
    for future, question in answers:
        if question:
            work.put((future, question))
    rounds = -(-work.qsize() // MAX_THREADS)
    _start_threads(work)
    futures = [future for future, _ in answers]
    _wait(futures, (current().settings.provider_timeout_s + GRACE_S) * rounds, meanwhile)
    return [_result(future) for future in futures]


def _begun(integration: Integration) -> tuple[Future[Answer], Question | None]:
    future: Future[Answer] = Future()
    try:
        return future, _question(integration)
    except BillingError as error:
        future.set_result(error)
    except Exception as error:
        log.warning("the adapter %s cannot be loaded: %s", integration.provider, _kind(error))
        future.set_result(ProviderUnreadable("The provider's adapter cannot be loaded."))
    return future, None


def _question(integration: Integration) -> Question:
    known = current().providers
    if integration.provider not in known:
        raise NotFound("That provider is not known here any more.")
    return Question(
        load(known[integration.provider]),
        opened(integration),
        integration,
        now(),
        current().settings.provider_timeout_s,
    )


def _start_threads(work: Work) -> None:
    for _ in range(min(work.qsize(), MAX_THREADS)):
        Thread(target=_answer_from, args=(work,), name="billing-asks", daemon=True).start()


def _answer_from(work: Work) -> None:
    while True:
        try:
            future, question = work.get_nowait()
        except Empty:
            return
        if future.set_running_or_notify_cancel():
            future.set_result(_answer(question))


def _answer(question: Question) -> Answer:
    settings = question.integration.settings
    try:
        reading = question.provider.read(
            question.credentials, settings, at=question.at, timeout_s=question.timeout_s
        )
    except BillingError as error:
        return error
    except Exception as error:  # any adapter's, also a host's own: it fails alone
        log.warning("the adapter %s failed: %s", question.integration.provider, _kind(error))
        return ProviderUnreadable("The provider's answer could not be read.")
    if not isinstance(reading, Reading):
        log.warning("the adapter %s gave no Reading", question.integration.provider)
        return ProviderUnreadable("The provider's answer could not be read.")
    return reading


def _wait(futures: list[Future[Answer]], within_s: int, meanwhile: Callable[[], None]) -> None:
    until = time.monotonic() + within_s
    while (left_s := until - time.monotonic()) > 0:
        if not wait(futures, timeout=min(BEAT_S, left_s)).not_done:
            return
        meanwhile()
    for future in futures:
        future.cancel()


def _result(future: Future[Answer]) -> Answer:
    if future.cancelled() or not future.done():
        return ProviderUnavailable("The provider did not answer in time.")
    return future.result()


def _kind(error: Exception) -> str:
    """The class alone: an adapter's own words may hold a credential."""
    return type(error).__name__
