"""OpenAPI 3.1: how answers are described, and the document of a face.

Answers are described in plain JSON Schema: they are written by functions, so a marshmallow class
for each would only cost time at every start. The document is built aside, in an app of its own, so
that the host's own documents stay as they are.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Flask
from flask_smorest import Api, Blueprint

DISTRIBUTION = "flask-billing-plugin"
JSON = "application/json"
CSV = "text/csv"
PDF = "application/pdf"
SPARE = {"Error", "PaginationMetadata"}  # flask-smorest's own, which nothing here points to


class Shape(dict[str, Any]):
    """A piece of JSON Schema. It is never changed, so copying it is free."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Shape:
        return self


TEXT = Shape(type="string")
FLAG = Shape(type="boolean")
WHOLE = Shape(type="integer")
NUMBER = Shape(type="number")
TIME = Shape(type="string", format="date-time")
OPEN = Shape(type="object")  # any members: metadata, facts


def shape(title: str, about: str, *, optional: tuple[str, ...] = (), **members: Any) -> Shape:
    """A closed object with a name; every member is there unless it is named as optional."""
    required = [name for name in members if name not in optional]
    return Shape(
        type="object",
        title=title,
        description=about,
        properties=members,
        required=required,
        additionalProperties=False,
    )


def many(item: Shape) -> Shape:
    """An array of them."""
    return Shape(type="array", items=item)


def nullable(one: Shape) -> Shape:
    """That, or null."""
    return Shape(anyOf=[one, {"type": "null"}])


def word(*words: str) -> Shape:
    """One of a few words."""
    return Shape(type="string", enum=list(words))


def header(about: str, schema: Shape = TEXT, *, required: bool = False) -> dict[str, Any]:
    """One header of an answer; `required` where no such answer lacks it."""
    return {"description": about, "schema": schema} | ({"required": True} if required else {})


# What the answers of every operation carry, and what those of one status carry besides.
HEADERS = {
    "X-Request-Id": header("Yours where it is well-formed, else ours.", required=True),
    "RateLimit-Policy": header("How many requests (`q`) are answered in how many seconds (`w`)."),
    "RateLimit": header("How many requests are left (`r`), and in how many seconds all are (`t`)."),
}
OF_A_FILE = {"Content-Disposition": header("What a file is called.")}
HEADERS_AT: dict[int | str, dict[str, Any]] = {
    401: {"WWW-Authenticate": header("How a key is sent.", required=True)},
    429: {"Retry-After": header("In how many seconds to ask again.", WHOLE)},
}


def answer(
    about: str, content: Shape | None, *, headers: dict[str, Any] | None = None, file: str = ""
) -> dict[str, Any]:
    """One answer of an operation; without a body where there is no content. It may be a file of a
    media type, too."""
    told: dict[str, Any] = {"description": about} | ({"headers": headers} if headers else {})
    kinds = ({} if content is None else {JSON: content}) | ({file: TEXT} if file else {})
    return told | (
        {"content": {kind: {"schema": one} for kind, one in kinds.items()}} if kinds else {}
    )


class _Aside(Api):
    """An Api that binds no error handler and serves no page."""

    def _register_error_handlers(self) -> None:
        """Nothing: faces answer their own errors."""


def document(face: Blueprint, prefix: str, *, title: str) -> dict[str, Any]:
    """The face's OpenAPI document with its paths under `prefix`."""
    aside = Flask("billing-openapi")
    aside.config.update(API_TITLE=title, API_VERSION=version(DISTRIBUTION), OPENAPI_VERSION="3.1.0")
    info = {"description": face.description}
    security: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
    api = _Aside(aside, spec_kwargs={"info": info, "security": security})
    schemes = api.spec.components
    schemes.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    schemes.security_scheme("apiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    api.register_blueprint(face, url_prefix=prefix)
    return _with_names(api.spec.to_dict())


def _with_names(written: dict[str, Any]) -> dict[str, Any]:
    """Moves every titled object and every header to the components, once, and points to it."""
    written.pop("tags", None)  # the operations' own; flask-smorest adds the blueprint's name
    found: dict[str, Any] = {}
    paths = _pointing(written["paths"], found)
    headers = _named_headers(paths)
    components = written["components"]
    schemas = {name: schema for name, schema in components["schemas"].items() if name not in SPARE}
    named = {"schemas": schemas | found, "headers": headers}
    return written | {"paths": paths, "components": components | named}


def _pointing(node: Any, found: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_pointing(item, found) for item in node]
    if not isinstance(node, dict):
        return node
    content = {name: _pointing(item, found) for name, item in node.items()}
    if content.get("type") == "object" and isinstance(content.get("title"), str):
        found[content["title"]] = content
        return {"$ref": f"#/components/schemas/{content['title']}"}
    return content


def _named_headers(paths: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    operations = [one for item in paths.values() for one in item.values() if isinstance(one, dict)]
    for told in [response for one in operations for response in one["responses"].values()]:
        found |= told["headers"]
        told["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name in told["headers"]
        }
    return found
