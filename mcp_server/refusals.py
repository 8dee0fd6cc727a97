"""What an agent is told when a call does not succeed: a code, a sentence of ours, the facts.

Nothing else gets out: texts of other people's exceptions, traces and rejected values stay here,
and the log names an unexpected exception by its type and place only.
"""

from __future__ import annotations

import logging
from typing import Any

from mcp import types
from mcp.server.mcpserver.exceptions import UnexpectedToolError
from pydantic import TypeAdapter, ValidationError

from billing_plugin.errors import (
    BillingError,
    InternalError,
    InvalidRequest,
    NotFound,
    place_of,
)

log = logging.getLogger(__name__)
_JSON = TypeAdapter(dict[str, Any])
_LONGEST_NAME = 60
_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "is not an argument of this tool",
    "int_type": "must be a whole number: no text, no fraction, no true or false",
    "int_from_float": "must be a whole number: no text, no fraction, no true or false",
    "string_type": "must be text",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must be a day written YYYY-MM-DD",
    "literal_error": "must be {expected}",
}


def refused(tool: str, error: BaseException) -> types.CallToolResult:
    """The answer to a call of `tool` that ended in what the SDK made of our exception."""
    found = _found(tool, error)
    if found.status >= 500:
        log.error("%s: %s %s", tool, found.code, found.details)
    facts = {**found.extra, "code": found.code, "message": found.message}
    body = _JSON.dump_python({**facts, "retryable": found.retryable}, mode="json")
    text = _JSON.dump_json(body).decode()
    return types.CallToolResult(
        is_error=True,
        content=[types.TextContent(type="text", text=text)],
        structured_content=body,
    )


def plain(text: str) -> str:
    """A name from outside, short and without invisible or control characters."""
    return "".join(letter for letter in text if letter.isprintable())[:_LONGEST_NAME]


def _found(tool: str, error: BaseException) -> BillingError:
    cause = error.__cause__
    if isinstance(cause, BillingError):
        return cause
    if isinstance(cause, ValidationError) and not isinstance(error, UnexpectedToolError):
        return _wrong_arguments(cause)
    if isinstance(error, UnexpectedToolError):
        return InternalError("Something went wrong on our side.", details=place_of(cause or error))
    return NotFound("There is no such tool.", code="unknown_tool", extra={"tool": plain(tool)})


def _wrong_arguments(error: ValidationError) -> InvalidRequest:
    wrong = error.errors(include_url=False, include_input=False)
    fields = {_name(one["loc"]): _sentence(one["type"], one.get("ctx", {})) for one in wrong}
    text = "; ".join(f"{name} {sentence}" for name, sentence in fields.items())
    return InvalidRequest(f"The arguments are not valid: {text}.", extra={"fields": fields})


def _name(location: tuple[int | str, ...]) -> str:
    return plain(str(location[0])) if location else "arguments"


def _sentence(kind: str, limits: dict[str, Any]) -> str:
    return _SENTENCES.get(kind, "is not valid").format_map(limits)
