"""What every tool is: a function over one operation, with strict arguments, hints and schemas.

The hints come from the operation's effect in the catalogue. The published schemas are kept short,
because an agent pays for every word of them in every conversation.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any

from mcp import types
from mcp.server.mcpserver.tools import Tool
from pydantic import Field

from billing_plugin.money import MAX_CENTS
from billing_plugin.operations import CATALOGUE

NOISE = {"title"}
# Some clients check a refusal's structured content against the output schema too.
REFUSAL = {"required": ["code", "message", "retryable"]}

Cents = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=MAX_CENTS,
        description="Whole cents of the account's currency: 2000 is 20.00",
    ),
]
Day = Annotated[
    str | None,
    Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="YYYY-MM-DD, UTC"),
]

OPERATIONS: dict[str, str] = {}  # the operation of each tool

# A write replaces what stood there; a spend moves real money, so clients should ask their user.
# Repeating either changes nothing more: limits are set, top-ups carry an idempotency key.
HINTS = {
    "reads": types.ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    ),
    "writes": types.ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
    ),
    "spends": types.ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
    ),
    "asks": types.ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
    ),
}


def tool(title: str, *, of: str | None = None) -> Callable[[Callable[..., Any]], Tool]:
    """Makes a function the tool of an operation, which has its name unless `of` says which; its
    docstring is what agents read."""

    def declare(function: Callable[..., Any]) -> Tool:
        OPERATIONS[function.__name__] = named = of or function.__name__
        made = Tool.from_function(
            function,
            title=title,
            description=inspect.getdoc(function),
            annotations=HINTS[CATALOGUE[named].effect],
        )
        arguments = made.fn_metadata.arg_model
        arguments.model_config["extra"] = "forbid"
        arguments.model_rebuild(force=True)
        made.parameters = slim(_without_null(arguments.model_json_schema()))
        made.fn_metadata.output_schema = answer_schema(made.fn_metadata.output_schema or {})
        return made

    return declare


def answer_schema(success: dict[str, Any]) -> dict[str, Any]:
    """The schema of what a tool answers: its view, or a refusal, both objects."""
    view = slim(success, {*NOISE, "description"})
    named = view.pop("$defs", {})
    del view["type"]  # it is said once for both
    for part in named.values():
        del part["required"]  # the view's own are enough to tell it from a refusal
    return _inlined({"type": "object", "anyOf": [view, REFUSAL], "$defs": named})


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with each definition that is used once in its place."""
    for name, part in list(schema["$defs"].items()):
        text, reference = json.dumps(schema), json.dumps({"$ref": f"#/$defs/{name}"})
        if text.count(reference) == 1:
            schema = json.loads(text.replace(reference, json.dumps(part)))
            del schema["$defs"][name]
    return schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Arguments that may be left out without the null that says the same; it is taken too."""
    for name, part in schema["properties"].items():
        if part.get("default", ...) is None:
            [said] = [one for one in part["anyOf"] if one != {"type": "null"}]
            kept = {key: value for key, value in part.items() if key not in ("anyOf", "default")}
            schema["properties"][name] = said | kept
    return schema


def slim(schema: dict[str, Any], noise: set[str] = NOISE) -> dict[str, Any]:
    """The schema without the words that pydantic adds and nobody needs."""
    return {
        key: {name: slim(part, noise) for name, part in value.items()}
        if key in ("properties", "$defs")
        else _slim(value, noise)
        for key, value in schema.items()
        if key not in noise
    }


def _slim(value: Any, noise: set[str]) -> Any:
    if isinstance(value, dict):
        return slim(value, noise)
    return [_slim(part, noise) for part in value] if isinstance(value, list) else value
