"""Native: asking the vendors on demand, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import Schema, fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, native, ok

if TYPE_CHECKING:
    from billing_plugin.models.sync_jobs import SyncJob

_NAME = validate.Length(min=1, max=100)


class SyncBody(Strict):
    """Which provider; none: all that are connected."""

    provider = fields.String(load_default=None, allow_none=True, validate=_NAME)


class JobsQuery(Strict):
    """Which jobs."""

    provider = fields.String(load_default=None, validate=_NAME)
    limit = fields.Integer(load_default=50, validate=validate.Range(min=1, max=100))


class SyncJobShape(Schema):
    """One run of asking. Status: pending, running, completed or failed."""

    id = fields.String(required=True)
    provider = fields.String(required=True, allow_none=True)
    origin = fields.String(required=True)
    status = fields.String(required=True)
    synced = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    createdAt = fields.DateTime(required=True)
    startedAt = fields.DateTime(required=True, allow_none=True)
    completedAt = fields.DateTime(required=True, allow_none=True)


@native.route("/sync", methods=["POST"])
@native.arguments(SyncBody())
@native.response(202, SyncJobShape)
def request_sync(body: dict[str, Any]) -> Response:
    """Request a sync

    A worker runs it; without Redis it has run when this answers.
    """
    job = operations.request_sync(actor(), account_id(), provider=body["provider"])
    return ok(_shape(job), 202)


@native.route("/sync/jobs")
@native.arguments(JobsQuery(), location="query", unknown=marshmallow.RAISE)
@native.response(200, SyncJobShape(many=True))
def list_sync_jobs(query: dict[str, Any]) -> Response:
    """List sync jobs

    Newest first.
    """
    jobs = operations.list_sync_jobs(
        actor(), account_id(), provider=query["provider"], limit=query["limit"]
    )
    return ok([_shape(job) for job in jobs])


@native.route("/sync/jobs/<job_id>")
@native.response(200, SyncJobShape)
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
