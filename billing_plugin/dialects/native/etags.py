"""Native: ETag, If-Match and If-None-Match of things that have a revision.

A tag reads `"7.9f86d081884c"`: the revision, which the next change raises, and a fingerprint of
what is shown, which also moves with what was spent. Conditions on a change are about the revision;
conditions on a look are about everything that is shown.
"""

from __future__ import annotations

import hashlib

from flask import Response, request

from billing_plugin.dialects.openapi import header

_HEADER = {"in": "header", "required": False, "schema": {"type": "string", "minLength": 1}}
IF_MATCH = {
    **_HEADER,
    "name": "If-Match",
    "description": "The ETag that was seen last, or `*`: changed meanwhile, nothing is done.",
}
IF_NONE_MATCH = {
    **_HEADER,
    "name": "If-None-Match",
    "description": "The ETag that was seen last: unchanged, the answer is an empty 304.",
}
ETAG = header("The revision, and a fingerprint of what is shown.", required=True)
MAX_DIGITS = 18


def tagged(response: Response, revision: int) -> Response:
    """The response with its ETag, which may be kept if it is asked about each time."""
    shown = hashlib.sha256(response.get_data()).hexdigest()[:12]
    response.set_etag(f"{revision}.{shown}")
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def unless_seen(response: Response) -> Response:
    """The tagged response, or an empty 304 where the caller has seen just this."""
    tag, _ = response.get_etag()
    if tag is None or not request.if_none_match.contains_weak(tag):
        return response
    seen = Response(status=304)
    del seen.headers["Content-Type"]
    for name in ("ETag", "Cache-Control"):
        seen.headers[name] = response.headers[name]
    return seen


def expected_revisions() -> set[int] | None:
    """The revisions that If-Match allows; None where any will do. Weak tags match nothing."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    heads = [str(tag).partition(".")[0] for tag in request.if_match]
    return {int(head) for head in heads if head.isdecimal() and len(head) <= MAX_DIGITS}
