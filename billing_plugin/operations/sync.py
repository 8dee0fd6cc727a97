"""Asking vendors for balance and spend: all side by side, stored together, never failing as one.

A vendor that cannot be read fails alone: its error is kept on the integration, its last good
snapshot stays, and totals say what they cover.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing_plugin.context import (
    Actor,
    after_commit,
    current,
    now,
    refuse_in_transaction,
    write_transaction,
)
from billing_plugin.errors import (
    BillingError,
    NotFound,
    ProviderUnavailable,
    ProviderUnreadable,
    RateLimited,
)
from billing_plugin.models import accounts, integrations, sync_jobs
from billing_plugin.models.integrations import Integration, Snapshot
from billing_plugin.models.sync_jobs import SyncJob
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.integrations import opened
from billing_plugin.providers import load
from billing_plugin.providers.provider import Reading

SCHEDULE = "sync"
JOB = "worker.jobs.run_sync_job"
MAX_THREADS = 32
ABANDONED_AFTER = timedelta(seconds=60)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one vendor said (`snapshot`), or our sentence about why it could not be read."""

    integration: Integration
    synced_at: datetime
    snapshot: Snapshot | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The results of one run, and the totals of what was exposed, by currency."""

    results: list[SyncResult]

    @property
    def synced(self) -> int:
        """How many vendors were read."""
        return sum(result.error is None for result in self.results)

    @property
    def failed(self) -> int:
        """How many vendors could not be read."""
        return len(self.results) - self.synced

    def total(self, name: str, currency: str) -> Money:
        """Sum of `balance`, `usage_today` or `usage_month` over the vendors that expose it."""
        figures = [getattr(result.snapshot, name) for result in self.results if result.snapshot]
        known = [money for money in figures if money and money.currency == currency]
        return sum(known, Money.zero(currency))


@operation(scope="integrations:sync", effect="asks")
def sync_integrations(actor: Actor, account_id: str, *, provider: str | None = None) -> SyncReport:
    """Asks the account's vendors now (all, or those of one provider) and stores snapshots.

    Raises RateLimited when the account did so within the setting manual_sync_interval_s, NotFound
    for a provider that is not known here.
    """
    del actor
    if provider is not None and provider not in current().providers:
        raise NotFound("That provider is not known here.")
    _take_turn(account_id)
    with write_transaction():
        job = sync_jobs.create(account_id, "manual", now(), provider=provider)
        sync_jobs.start(job.id, now(), abandoned_before=now())
    return _run(job)


@operation(scope="integrations:sync", effect="asks")
def request_sync(actor: Actor, account_id: str, *, provider: str | None = None) -> SyncJob:
    """Stores a sync job and hands its id to the queue once committed; returns the job.

    Raises NotFound for a provider that is not known here.
    """
    del actor
    if provider is not None and provider not in current().providers:
        raise NotFound("That provider is not known here.")
    with write_transaction():
        accounts.get(account_id)
        job = sync_jobs.create(account_id, "request", now(), provider=provider)
        _enqueue_after_commit(job.id)
    return sync_jobs.get(job.id)


@operation(scope="integrations:read", effect="reads")
def list_sync_jobs(
    actor: Actor, account_id: str, *, provider: str | None = None, limit: int = 50
) -> list[SyncJob]:
    """The account's sync jobs, newest first."""
    del actor
    return sync_jobs.newest(account_id, limit=limit, provider=provider)


@operation(scope="integrations:read", effect="reads")
def get_sync_job(actor: Actor, account_id: str, job_id: str) -> SyncJob:
    """One sync job of the account. Raises NotFound."""
    del actor
    return sync_jobs.get(job_id, account_id)


@operation(scope="jobs:run", effect="asks")
def run_sync_job(actor: Actor, job_id: str) -> bool:
    """Runs a stored job once. False when it was done already or somebody else is at it."""
    del actor
    with write_transaction():
        if not sync_jobs.start(job_id, now(), abandoned_before=now() - ABANDONED_AFTER):
            return False
    _run(sync_jobs.get(job_id))
    return True


@operation(scope="jobs:run", effect="writes")
def schedule_syncs(actor: Actor) -> list[str]:
    """Stores and enqueues a job for each account with integrations, once per slot of the schedule.

    A slot is the setting sync_interval_s (default 4 hours), aligned to the epoch. Any number of
    schedulers may call this at any time. Jobs that should long have run are enqueued again.
    """
    del actor
    at = now()
    slot = int(at.timestamp()) // current().settings.sync_interval_s
    with write_transaction():
        job_ids = sync_jobs.unfinished(at - ABANDONED_AFTER)
        if sync_jobs.claim_slot(SCHEDULE, slot, at):
            owners = accounts.every_id_with_integrations()
            job_ids += [sync_jobs.create(owner, "scheduled", at).id for owner in owners]
        for job_id in job_ids:
            _enqueue_after_commit(job_id)
    return job_ids


def _take_turn(account_id: str) -> None:
    interval_s = current().settings.manual_sync_interval_s
    at = now()
    with write_transaction():
        last = accounts.claim_manual_sync(
            account_id, at, not_after=at - timedelta(seconds=interval_s)
        )
    if last is not None:
        wait_s = max(1, interval_s - int((at - last).total_seconds()))
        raise RateLimited(
            f"A sync by hand is possible again in {wait_s} s.", extra={"retry_after_s": wait_s}
        )


def _enqueue_after_commit(job_id: str) -> None:
    enqueue = current().enqueue
    after_commit(lambda: enqueue(JOB, job_id))


def _run(job: SyncJob) -> SyncReport:
    asked = integrations.active(job.account_id, job.provider)
    answers = _ask_all(asked)
    with write_transaction():
        results = [
            _kept(integration, answer, job)
            for integration, answer in zip(asked, answers, strict=True)
        ]
        report = SyncReport(results)
        job.synced, job.failed = report.synced, report.failed
        sync_jobs.finish(job, now())
    return report


def _ask_all(asked: Sequence[Integration]) -> list[Reading | BillingError]:
    """One answer for each integration, in order; the slowest decides how long it takes."""
    refuse_in_transaction()
    if not asked:
        return []
    timeout_s = current().settings.provider_timeout_s
    pool = ThreadPoolExecutor(min(len(asked), MAX_THREADS))
    futures = [_asking(pool, integration, timeout_s) for integration in asked]
    wait([future for future in futures if isinstance(future, Future)], timeout=timeout_s + 5)
    pool.shutdown(wait=False, cancel_futures=True)
    return [_answer(future) for future in futures]


def _asking(
    pool: ThreadPoolExecutor, integration: Integration, timeout_s: int
) -> Future[Reading] | BillingError:
    try:
        provider = load(current().providers[integration.provider])
        credentials = opened(integration)
    except KeyError:
        return NotFound("That provider is not known here any more.")
    except BillingError as error:
        return error
    settings: dict[str, Any] = integration.settings
    return pool.submit(provider.read, credentials, settings, at=now(), timeout_s=timeout_s)


def _answer(future: Future[Reading] | BillingError) -> Reading | BillingError:
    if isinstance(future, BillingError):
        return future
    if not future.done():
        return ProviderUnavailable("The provider did not answer in time.")
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BillingError):
        return error
    log.error("a provider adapter failed: %s", type(error).__name__)
    return ProviderUnreadable("The provider's answer could not be read.")


def _kept(integration: Integration, answer: Reading | BillingError, job: SyncJob) -> SyncResult:
    at = now()
    if isinstance(answer, BillingError):
        integrations.keep_error(integration, answer.message, at)
        return SyncResult(integration, at, error=answer.message)
    snapshot = integrations.keep_snapshot(
        integration, at, job_id=job.id,
        balance_nanos=_nanos(answer.balance), usage_today_nanos=_nanos(answer.usage_today),
        usage_month_nanos=_nanos(answer.usage_month), currency=answer.currency,
        facts=answer.facts, as_of=answer.as_of,
    )  # fmt: skip
    return SyncResult(integration, at, snapshot)


def _nanos(money: Money | None) -> int | None:
    return None if money is None else money.nanos
