"""Native: the audit trail."""

from __future__ import annotations

from typing import Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import native
from billing_plugin.dialects.native.paging import Listing, PageQuery, pages
from billing_plugin.dialects.openapi import OPEN, TEXT, TIME, nullable, shape
from billing_plugin.operations.audit import Change


class ChangesQuery(PageQuery):
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


@native.view(answers={200: pages(CHANGE)}, tags=["Audit"])
@native.arguments(ChangesQuery(), location="query", unknown=marshmallow.RAISE)
def list_changes(query: dict[str, Any]) -> Response:
    """List changes

    Newest first: of limits, keys, raises, holds, allowances, items and categories, or with
    `money=true` of the balance.
    """
    listing = Listing("changes", account_id(), query)
    found = operations.list_changes(
        actor(),
        account_id(),
        money=query["money"] == "true",
        before=listing.before,
        limit=listing.limit,
    )
    return listing.answer(found, _shape, lambda change: change.id)


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
