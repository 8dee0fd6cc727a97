"""Native: asking the vendors on demand, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.arguments import whole_number
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.openapi import TEXT, TIME, WHOLE, many, nullable, shape, word

if TYPE_CHECKING:
    from billing_plugin.models.sync_jobs import SyncJob

TAGS = ["Sync"]
_NAME = validate.Length(min=1, max=100)


class SyncBody(Strict):
    """Which provider; none: all that are connected."""

    provider = fields.String(load_default=None, allow_none=True, validate=_NAME)


class JobsQuery(Strict):
    """Which jobs."""

    provider = fields.String(load_default=None, validate=_NAME)
    limit = whole_number(1, 100, default=50)


SYNC_JOB = shape(
    "SyncJob",
    "One run of asking.",
    id=TEXT,
    provider=nullable(TEXT),
    origin=TEXT,
    status=word("pending", "running", "completed", "failed"),
    synced=WHOLE,
    failed=WHOLE,
    createdAt=TIME,
    startedAt=nullable(TIME),
    completedAt=nullable(TIME),
)


@native.view(answers={202: SYNC_JOB}, refusals=(404,), tags=TAGS)
@native.arguments(SyncBody(), required=False)
def request_sync(body: dict[str, Any]) -> Response:
    """Request a sync

    A worker runs it; without Redis it has run when this answers.
    """
    job = operations.request_sync(
        actor(), account_id(), provider=body["provider"], idempotency_key=idempotency_key()
    )
    return ok(_shape(job), 202, replayed=job.replayed)


@native.view(answers={200: many(SYNC_JOB)}, tags=TAGS)
@native.arguments(JobsQuery(), location="query", unknown=marshmallow.RAISE)
def list_sync_jobs(query: dict[str, Any]) -> Response:
    """List sync jobs

    Newest first.
    """
    jobs = operations.list_sync_jobs(
        actor(), account_id(), provider=query["provider"], limit=query["limit"]
    )
    return ok([_shape(job) for job in jobs])


@native.view(answers={200: SYNC_JOB}, tags=TAGS)
def get_sync_job(job_id: str) -> Response:
    """See one sync job"""
    return ok(_shape(operations.get_sync_job(actor(), account_id(), job_id)))


def _shape(job: SyncJob) -> dict[str, Any]:
    return {
        "id": job.id,
        "provider": job.provider,
        "origin": job.origin,
        "status": job.status,
        "synced": job.synced,
        "failed": job.failed,
        "createdAt": job.created_at,
        "startedAt": job.started_at,
        "completedAt": job.completed_at,
    }
