"""Shapes of answers, and the document of a face that is built aside."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from flask import Flask
from jsonschema import ValidationError

from billing_plugin import Billing
from billing_plugin.dialects.openapi import (
    FLAG,
    TEXT,
    TIME,
    WHOLE,
    Shape,
    answer,
    header,
    many,
    nullable,
    shape,
    word,
)
from tests.dialects.faces import fits
from tests.dialects.routes import NATIVE
from tests.factories import app_with

PET = shape("Pet", "An animal.", optional=("note",), name=TEXT, legs=WHOLE, note=nullable(TEXT))


def refuses(what: Shape, document: Any) -> bool:
    try:
        fits(what, document)
    except ValidationError:
        return True
    return False


def test_a_shape_is_closed_and_whole() -> None:
    assert fits(PET, {"name": "x", "legs": 4})
    assert fits(PET, {"name": "x", "legs": 4, "note": None})
    for wrong in ({"name": "x"}, {"name": "x", "legs": 4, "more": 1}, {"name": 1, "legs": 4}, []):
        assert refuses(PET, wrong), wrong


@pytest.mark.parametrize(
    ("what", "good", "bad"),
    [
        (many(WHOLE), [1, 2], [1, "2"]),
        (nullable(FLAG), None, 0),
        (word("a", "b"), "a", "c"),
        (TIME, "2026-03-09T14:32:00.000Z", "2026-03-09"),
    ],
)
def test_pieces(what: Shape, good: Any, bad: Any) -> None:
    assert fits(what, good) == good
    assert refuses(what, bad)


def test_an_answer_states_its_headers() -> None:
    told = answer("Good", None, headers={"ETag": header("What was seen.", required=True)})
    assert told["headers"]["ETag"] == {
        "description": "What was seen.",
        "schema": {"type": "string"},
        "required": True,
    }
    assert "headers" not in answer("Good", TEXT)


def test_copying_a_shape_is_free() -> None:
    assert deepcopy({"a": [PET]})["a"][0] is PET


def test_an_answer_names_its_content() -> None:
    assert answer("OK", PET) == {
        "description": "OK",
        "content": {"application/json": {"schema": PET}},
    }


@pytest.fixture
def document(billing: Billing) -> dict[str, Any]:
    found: dict[str, Any] = app_with(billing).test_client().get(f"{NATIVE}/openapi.json").json
    return found


def test_named_objects_stand_once_in_the_components(document: dict[str, Any]) -> None:
    money = document["components"]["schemas"]["Money"]
    assert money["title"] == "Money"
    assert str(document).count("'title': 'Money'") == 1
    balance = document["components"]["schemas"]["Balance"]
    assert balance["properties"]["posted"] == {"$ref": "#/components/schemas/Money"}


def test_flask_smorests_own_components_are_left_out(document: dict[str, Any]) -> None:
    assert "PaginationMetadata" not in document["components"]["schemas"]
    assert document["components"]["schemas"]["Error"]["title"] == "Error"
    assert "tags" not in document


def test_asking_for_the_document_leaves_the_app_alone(billing: Billing) -> None:
    app: Flask = app_with(billing)
    before = (dict(app.config), sorted(map(str, app.url_map.iter_rules())), set(app.extensions))
    assert app.test_client().get(f"{NATIVE}/openapi.json").status_code == 200
    after = (dict(app.config), sorted(map(str, app.url_map.iter_rules())), set(app.extensions))
    assert after == before
