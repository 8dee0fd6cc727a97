"""Asking vendors for balance and spend: all side by side, stored together, never failing as one.

A vendor that cannot be read fails alone: its error is kept on the integration, its last good
snapshot stays, and totals say what they cover.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing_plugin.context import Actor, after_commit, current, now, write_transaction
from billing_plugin.errors import (
    BillingError,
    Conflict,
    NotFound,
    RateLimited,
    StorageUnavailable,
)
from billing_plugin.models import accounts, events, integrations, sync_jobs
from billing_plugin.models.integrations import Integration, Snapshot
from billing_plugin.models.sync_jobs import SyncJob
from billing_plugin.money import Money
from billing_plugin.operations.asking import Answer, ask_all
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.once import Once, marked, once
from billing_plugin.operations.till import open_book

SCHEDULE = "sync"
JOB = "worker.jobs.run_sync_job"
SILENCE = timedelta(seconds=20)  # a runner shows itself every 5 s; after this it counts as dead
MAX_ATTEMPTS = 5


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
        sync_jobs.start(job.id, now(), silent_since=now())
    return _run(sync_jobs.get(job.id))


@operation(scope="integrations:sync", effect="asks")
def request_sync(
    actor: Actor,
    account_id: str,
    *,
    provider: str | None = None,
    idempotency_key: str | None = None,
) -> SyncJob:
    """Stores a sync job and hands its id to the queue once committed; returns the job.

    While a job that asks the same still waits, that one is returned. Raises NotFound for a
    provider that is not known here, IdempotencyConflict.
    """
    if provider is not None and provider not in current().providers:
        raise NotFound("That provider is not known here.")
    said = Once("sync", idempotency_key, provider)
    with write_transaction():
        book = open_book(actor, account_id)
        job_id, replayed = once(
            account_id, said, lambda: _requested(account_id, provider), at=book.at
        )  # fmt: skip
    return marked(sync_jobs.get(job_id), replayed=replayed)


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
    """Runs a stored job. False when it was done already, or somebody else is at it or took it."""
    del actor
    with write_transaction():
        if not sync_jobs.start(job_id, now(), silent_since=now() - SILENCE):
            return False
    try:
        _run(sync_jobs.get(job_id))
    except Conflict:
        return False
    return True


@operation(scope="jobs:run", effect="writes")
def schedule_syncs(actor: Actor) -> list[str]:
    """Stores and enqueues a job for each account with integrations, once per slot of the schedule.

    A slot is the setting sync_interval_s (default 4 hours), aligned to the epoch. Any number of
    schedulers may call this at any time. Jobs that nobody runs though somebody should are
    enqueued again, and fail after 5 attempts. Returns the ids of what was enqueued.
    """
    del actor
    silent_since = now() - SILENCE
    found = sync_jobs.abandoned(silent_since)
    job_ids = [job_id for job_id, attempt in found if attempt < MAX_ATTEMPTS]
    if len(job_ids) < len(found):
        with write_transaction():
            for account_id, job_id in sync_jobs.give_up(silent_since, now(), attempts=MAX_ATTEMPTS):
                told = {"jobId": job_id, "synced": 0, "failed": []}
                events.tell("sync.failed", account_id, told)
    job_ids += _due()
    for job_id in job_ids:
        _enqueue_after_commit(job_id)
    return job_ids


def _requested(account_id: str, provider: str | None) -> str:
    job = sync_jobs.waiting(account_id, provider) or sync_jobs.create(
        account_id, "request", now(), provider=provider
    )
    _enqueue_after_commit(job.id)
    return str(job.id)


def _due() -> list[str]:
    slot = int(now().timestamp()) // current().settings.sync_interval_s
    if not sync_jobs.slot_is_free(SCHEDULE, slot):
        return []
    with write_transaction():
        if not sync_jobs.claim_slot(SCHEDULE, slot, now()):
            return []
        return sync_jobs.create_for(accounts.every_id_with_integrations(), "scheduled", now())


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
    instance = current()

    def enqueue() -> None:
        # The commit may be the host's own, long after this instance was at work.
        with instance.active():
            instance.enqueue(JOB, job_id)

    after_commit(enqueue)


def _run(job: SyncJob) -> SyncReport:
    """Asks and stores, or stores nothing: Conflict when the job was lost to another runner."""
    asked = integrations.active(job.account_id, job.provider)
    answers = ask_all(asked, lambda: _stay_alive(job))
    with write_transaction():
        results = [
            _kept(integration, answer, job)
            for integration, answer in zip(asked, answers, strict=True)
        ]
        report = SyncReport(results)
        job.synced, job.failed = report.synced, report.failed
        if not sync_jobs.finish(job, now()):
            raise Conflict("Another runner has taken this sync over.")
        if report.failed:
            events.tell("sync.failed", job.account_id, _told(job, report))
    return report


def _told(job: SyncJob, report: SyncReport) -> dict[str, Any]:
    failed = [
        {
            "integrationId": result.integration.id,
            "provider": result.integration.provider,
            "error": result.error,
        }
        for result in report.results
        if result.error is not None
    ]
    return {"jobId": job.id, "synced": report.synced, "failed": failed}


def _stay_alive(job: SyncJob) -> None:
    with suppress(StorageUnavailable), write_transaction():
        sync_jobs.keep_alive(job, now())


def _kept(integration: Integration, answer: Answer, job: SyncJob) -> SyncResult:
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
