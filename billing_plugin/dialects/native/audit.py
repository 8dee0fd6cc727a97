"""Native: the audit trail."""

from __future__ import annotations

from functools import partial
from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import native
from billing_plugin.dialects.native.paging import pages
from billing_plugin.dialects.native.tables import ListQuery, Rows, listed
from billing_plugin.dialects.openapi import OPEN, TEXT, TIME, nullable, shape
from billing_plugin.operations.audit import Change


class ChangesQuery(ListQuery):
    """Which changes: of the balance, or (false) of everything else."""

    money = fields.String(load_default="false", validate=validate.OneOf(("true", "false")))


CHANGE = shape(
    "Change",
    "Who did what to which thing, in which request, before and after.",
    id=TEXT,
    at=TIME,
    actor=TEXT,
    keyId=nullable(TEXT),
    requestId=nullable(TEXT),
    action=TEXT,
    subjectId=TEXT,
    before=nullable(OPEN),
    after=nullable(OPEN),
)


@native.view(answers={200: pages(CHANGE)}, csv=True, tags=["Audit"])
@native.arguments(ChangesQuery(), location="query", unknown=marshmallow.RAISE)
def list_changes(query: dict[str, Any]) -> Response:
    """List changes

    Newest first: of limits, keys, raises, holds, allowances, items and categories, or with
    `money=true` of the balance.
    """
    account, money = account_id(), query["money"] == "true"
    page = partial(operations.list_changes, actor(), account, money=money)
    return listed(query, Rows("changes", CHANGE), page, account=account, shape=_shape)


def _shape(change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "at": change.at,
        "actor": change.actor,
        "keyId": change.key_id,
        "requestId": change.request_id,
        "action": change.action,
        "subjectId": change.subject_id,
        "before": change.before,
        "after": change.after,
    }
