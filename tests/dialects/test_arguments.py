"""Requests are read strictly; what is wrong is named, and not without end."""

from __future__ import annotations

import pytest
from flask import Flask, request
from marshmallow import Schema, ValidationError, fields

from billing_plugin.dialects.arguments import MAX_COMPLAINTS, MAX_NAME, Parser, whole_number
from billing_plugin.errors import InvalidRequest, UnsupportedMediaType


class Query(Schema):
    """One of each."""

    limit = whole_number(1, 100, default=10)
    name = fields.String(load_default="", data_key="Name")


class Body(Schema):
    """Numbers by name."""

    numbers = fields.Dict(values=fields.Integer(strict=True))


def asked(query: str) -> dict[str, object]:
    with Flask("x").test_request_context(f"/?{query}"):
        found: dict[str, object] = Parser(400).parse(Query(), request, location="query")
        return found


def test_a_query_is_read_with_its_defaults() -> None:
    assert asked("") == {"limit": 10, "name": ""}
    assert asked("limit=7&Name=x") == {"limit": 7, "name": "x"}


@pytest.mark.parametrize("query", ["limit=1&limit=2", "Name=a&Name=b"])
def test_what_is_known_stands_once(query: str) -> None:
    with pytest.raises(InvalidRequest, match="stands twice"):
        asked(query)


@pytest.mark.parametrize("text", ["+1", " 1", "1_0", "\u0663", "1.0", ""])
def test_digits_alone_are_a_whole_number(text: str) -> None:
    with pytest.raises(ValidationError):
        whole_number(1, 100, default=1).deserialize(text)


def test_a_body_is_json_by_its_type() -> None:
    options = {"method": "POST", "data": "{}", "content_type": "text/plain"}
    with (
        Flask("x").test_request_context("/", **options),
        pytest.raises(UnsupportedMediaType),
    ):
        Parser(400).parse(Body(), request, location="json")


def test_complaints_name_their_fields_and_come_to_an_end() -> None:
    said = {"numbers": {"n" * 500 + str(one): "x" for one in range(100)}}
    with (
        Flask("x").test_request_context("/", method="POST", json=said),
        pytest.raises(InvalidRequest) as refused,
    ):
        Parser(400).parse(Body(), request, location="json")
    named = refused.value.extra["fields"]
    assert 0 < len(named) <= MAX_COMPLAINTS
    assert all(name.startswith("numbers.n") and len(name) <= MAX_NAME for name in named)
