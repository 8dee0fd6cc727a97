"""Reading what a request says: strictly, naming the fields that are wrong."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any, NoReturn

import marshmallow
from flask import Request
from marshmallow import fields, validate
from webargs.flaskparser import FlaskParser

from billing_plugin import errors
from billing_plugin.dialects.wire import parse_json
from billing_plugin.errors import InvalidRequest

MAX_COMPLAINTS = 20
MAX_NAME = 100


class Parser(FlaskParser):
    """Reads arguments strictly, whatever JSON provider the host has, and raises InvalidRequest."""

    def __init__(self, invalid: int) -> None:
        super().__init__(error_handler=_refuse)
        self.DEFAULT_VALIDATION_STATUS = invalid

    def load_querystring(self, req: Request, schema: marshmallow.Schema) -> Any:
        """The query, in which nothing that is known may stand twice."""
        asked = req.args.to_dict(flat=False)
        if any(len(values) > 1 for values in asked.values()):
            _refuse_doubled(asked, schema)
        return {name: values[0] for name, values in asked.items()}

    def _raw_load_json(self, req: Request) -> Any:
        body = req.get_data(cache=True)
        if not body:
            return marshmallow.missing
        if not req.is_json:
            raise errors.UnsupportedMediaType("The body must be application/json.")
        return parse_json(body)


class QueryInteger(fields.Integer):
    """Decimal digits in a query: no signs, spaces, underscores or digits of other scripts."""

    def _validated(self, value: Any) -> Any:
        if not (isinstance(value, str) and value.isascii() and value.isdecimal()):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


def whole_number(least: int, most: int, *, default: int) -> QueryInteger:
    """A whole number in a query, between `least` and `most`."""
    return QueryInteger(load_default=default, validate=validate.Range(min=least, max=most))


def _refuse_doubled(asked: dict[str, list[str]], schema: marshmallow.Schema) -> None:
    known = {field.data_key or name for name, field in schema.fields.items()}
    doubled = [name for name, values in asked.items() if name in known and len(values) > 1]
    if doubled:
        raise InvalidRequest(f"{min(doubled)} stands twice in the query.")


def _refuse(error: marshmallow.ValidationError, *_: Any, **__: Any) -> NoReturn:
    parts = error.normalized_messages().values()
    complaints = islice(chain.from_iterable(_flat(part) for part in parts), MAX_COMPLAINTS)
    fields = {path[:MAX_NAME]: text for path, text in complaints}
    raise InvalidRequest(
        "The request is not valid: " + "; ".join(f"{k}: {v}" for k, v in fields.items()),
        extra={"fields": fields},
    )


def _flat(messages: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(messages, dict):
        named = [(f"{path}.{name}" if path else str(name), rest) for name, rest in messages.items()]
        return [pair for name, rest in named for pair in _flat(rest, name)]
    if isinstance(messages, list) and all(isinstance(text, str) for text in messages):
        return [(path or "body", " ".join(messages))]
    return [(path or "body", str(messages))]
