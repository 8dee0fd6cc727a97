"""Sync jobs (one run of asking an account's vendors) and the slots of their schedule.

The row is the job: Redis holds only its id, and whoever finds an abandoned row may run it again.
A runner holds a job by its attempt number and shows that it is alive. Whoever was taken for dead
has lost the job: what it still brings is not stored, so a job has one effect however often it ran.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import (
    Table,
    UTCDateTimeField,
    execute,
    execute_many,
    fetch_all,
    fetch_one,
)

PREFIX = "job"
PENDING, RUNNING, COMPLETED, FAILED = "pending", "running", "completed", "failed"
_START = (
    "UPDATE billing_sync_job SET status = 'running', attempt = attempt + 1,"
    " started_at = COALESCE(started_at, ?), alive_at = ? WHERE id = ?"
    " AND (status = 'pending' OR (status = 'running' AND alive_at < ?)) RETURNING id"
)
_KEEP_ALIVE = (
    "UPDATE billing_sync_job SET alive_at = ? WHERE id = ? AND attempt = ? AND status = 'running'"
)
_FINISH = (
    "UPDATE billing_sync_job SET status = ?, synced = ?, failed = ?, error = ?, completed_at = ?"
    " WHERE id = ? AND attempt = ? AND status = 'running' RETURNING id"
)
_ABANDONED = (
    "SELECT id, attempt FROM billing_sync_job WHERE status IN ('pending', 'running')"
    " AND COALESCE(alive_at, created_at) < ? ORDER BY id"
)
_GIVE_UP = (
    "UPDATE billing_sync_job SET status = 'failed', completed_at = ?, error = ?"
    " WHERE status IN ('pending', 'running') AND COALESCE(alive_at, created_at) < ?"
    " AND attempt >= ? RETURNING account_id, id"
)


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
    attempt = peewee.IntegerField(default=0)
    created_at = UTCDateTimeField()
    started_at = UTCDateTimeField(null=True)
    alive_at = UTCDateTimeField(null=True)
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


def create_for(account_ids: Iterable[str], origin: str, at: datetime) -> list[str]:
    """Stores a pending job for each account, in one statement; returns their ids."""
    rows = [(ids.new_id(PREFIX), account_id, origin, PENDING, at) for account_id in account_ids]
    execute_many(
        "INSERT INTO billing_sync_job (id, account_id, origin, status, created_at)"
        " VALUES (?, ?, ?, ?, ?)",
        rows,
    )
    return [row[0] for row in rows]


def get(job_id: str, account_id: str | None = None) -> SyncJob:
    """One job, of that account when named. Raises NotFound."""
    job = SyncJob.get_or_none(SyncJob.id == job_id)
    if job is None or account_id not in (None, job.account_id):
        raise NotFound("There is no such sync job.")
    return job


def waiting(account_id: str, provider: str | None) -> SyncJob | None:
    """A job of the account that asks the same and has not begun."""
    same = SyncJob.provider.is_null() if provider is None else SyncJob.provider == provider
    wanted = (SyncJob.account_id == account_id) & (SyncJob.status == PENDING) & same
    found: SyncJob | None = SyncJob.select().where(wanted).order_by(SyncJob.id).first()
    return found


def newest(account_id: str, *, limit: int, provider: str | None = None) -> list[SyncJob]:
    """The account's jobs, newest first."""
    wanted = SyncJob.account_id == account_id
    if provider is not None:
        wanted &= SyncJob.provider == provider
    return list(SyncJob.select().where(wanted).order_by(SyncJob.id.desc()).limit(limit))


def count(account_id: str) -> int:
    """How many the account has had."""
    return int(SyncJob.select().where(SyncJob.account_id == account_id).count())


def start(job_id: str, at: datetime, *, silent_since: datetime) -> bool:
    """Takes a job: a pending one, or a running one whose runner was last alive before that."""
    return fetch_one(_START, (at, at, job_id, silent_since)) is not None


def keep_alive(job: SyncJob, at: datetime) -> None:
    """Shows that the job's runner is at work, if the job is still its own."""
    execute(_KEEP_ALIVE, (at, job.id, job.attempt))


def finish(job: SyncJob, at: datetime, *, error: str | None = None) -> bool:
    """Ends the job with its counts; failed when there is an error. False if it was lost."""
    status = FAILED if error else COMPLETED
    values = (status, job.synced, job.failed, error, at, job.id, job.attempt)
    return fetch_one(_FINISH, values) is not None


def abandoned(silent_since: datetime) -> list[tuple[str, int]]:
    """Jobs that nobody runs though somebody should: the id, and how often it was tried."""
    return [(row[0], row[1]) for row in fetch_all(_ABANDONED, (silent_since,))]


def give_up(silent_since: datetime, at: datetime, *, attempts: int) -> list[tuple[str, str]]:
    """Fails the abandoned jobs that were tried that often; returns their accounts and ids."""
    error = f"Given up after {attempts} attempts."
    rows = fetch_all(_GIVE_UP, (at, error, silent_since, attempts))
    return [(row[0], row[1]) for row in rows]


def slot_is_free(schedule: str, slot: int) -> bool:
    """Whether nobody took that slot yet. Only `claim_slot` decides."""
    taken = "SELECT 1 FROM billing_schedule_slot WHERE schedule = ? AND slot = ?"
    return fetch_one(taken, (schedule, slot)) is None


def claim_slot(schedule: str, slot: int, at: datetime) -> bool:
    """Takes one slot of a schedule. True for exactly one caller, ever."""
    row = fetch_one(
        "INSERT INTO billing_schedule_slot (schedule, slot, taken_at) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING slot",
        (schedule, slot, at),
    )
    return row is not None
