"""Sync jobs (one run of asking an account's vendors) and the slots of their schedule.

The row is the job: Redis holds only its id, and whoever finds an unfinished row may run it again.
"""

from __future__ import annotations

from datetime import datetime

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import Table, UTCDateTimeField, execute, fetch_one

PREFIX = "job"
PENDING, RUNNING, COMPLETED, FAILED = "pending", "running", "completed", "failed"


class SyncJob(Table):
    """One run. `origin` is manual, request or scheduled; synced + failed = integrations asked."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    provider = peewee.TextField(null=True)
    origin = peewee.TextField()
    status = peewee.TextField()
    synced = peewee.IntegerField(default=0)
    failed = peewee.IntegerField(default=0)
    error = peewee.TextField(null=True)
    created_at = UTCDateTimeField()
    started_at = UTCDateTimeField(null=True)
    completed_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "billing_sync_job"


def create(account_id: str, origin: str, at: datetime, *, provider: str | None = None) -> SyncJob:
    """Stores a pending job."""
    job_id = ids.new_id(PREFIX)
    return SyncJob.create(
        id=job_id, account_id=account_id, provider=provider, origin=origin,
        status=PENDING, created_at=at,
    )  # fmt: skip


def get(job_id: str, account_id: str | None = None) -> SyncJob:
    """One job, of that account when named. Raises NotFound."""
    job = SyncJob.get_or_none(SyncJob.id == job_id)
    if job is None or account_id not in (None, job.account_id):
        raise NotFound("There is no such sync job.")
    return job


def newest(account_id: str, *, limit: int, provider: str | None = None) -> list[SyncJob]:
    """The account's jobs, newest first."""
    wanted = SyncJob.account_id == account_id
    if provider is not None:
        wanted &= SyncJob.provider == provider
    return list(SyncJob.select().where(wanted).order_by(SyncJob.id.desc()).limit(limit))


def start(job_id: str, at: datetime, *, abandoned_before: datetime) -> bool:
    """Claims a job: a pending one, or a running one whose runner began before that and vanished."""
    row = fetch_one(
        "UPDATE billing_sync_job SET status = 'running', started_at = ? WHERE id = ?"
        " AND (status = 'pending' OR (status = 'running' AND started_at < ?)) RETURNING id",
        (at, job_id, abandoned_before),
    )
    return row is not None


def finish(job: SyncJob, at: datetime, *, error: str | None = None) -> None:
    """Ends the job with its counts; failed when there is an error."""
    job.status, job.error, job.completed_at = (FAILED if error else COMPLETED), error, at
    job.save()


def unfinished(before: datetime) -> list[str]:
    """Ids of jobs that should long have run: pending or running since before that instant."""
    rows = execute(
        "SELECT id FROM billing_sync_job WHERE status IN ('pending', 'running')"
        " AND COALESCE(started_at, created_at) < ? ORDER BY id",
        (before,),
    )
    return [row[0] for row in rows.fetchall()]


def claim_slot(schedule: str, slot: int, at: datetime) -> bool:
    """Takes one slot of a schedule. True for exactly one caller, ever."""
    row = fetch_one(
        "INSERT INTO billing_schedule_slot (schedule, slot, taken_at) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING slot",
        (schedule, slot, at),
    )
    return row is not None
