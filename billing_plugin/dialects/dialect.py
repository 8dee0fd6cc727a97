"""What every face is made of: a blueprint with its own errors, its own parser and its own keys.

Whatever goes wrong under a face's prefix is answered in that face's shape; the host's error pages
stay the host's. Unknown paths and wrong methods never reach a blueprint, so `Dialect.unmatched`
answers them from a hook that the mount installs.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any, ClassVar, NoReturn

import marshmallow
from flask import Request, Response, current_app, g, request
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from billing_plugin import errors, ids
from billing_plugin.context import Actor, Instance
from billing_plugin.dialects.wire import parse_json
from billing_plugin.errors import BillingError, InternalError, InvalidRequest, Unauthenticated
from billing_plugin.operations import authenticate

EXTENSION = "billing"
log = logging.getLogger("billing_plugin")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_BY_STATUS: dict[int, type[BillingError]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
    429: errors.RateLimited,
    500: errors.InternalError,
    503: errors.StorageUnavailable,
}
_STATUSES = (400, 406, 408, 409, 410, 411, 412, 414, 416, 417, 422, 423, 424, 428, 431, 451, 501)


class Parser(FlaskParser):
    """Reads arguments strictly, whatever JSON provider the host has, and raises InvalidRequest."""

    def _raw_load_json(self, req: Request) -> Any:
        body = req.get_data(cache=True)
        if not body:
            return marshmallow.missing
        if not req.is_json:
            raise errors.UnsupportedMediaType("The body must be application/json.")
        return parse_json(body)

    def handle_error(self, error: marshmallow.ValidationError, *_: Any, **__: Any) -> NoReturn:
        """One InvalidRequest that names every field that is wrong."""
        messages = error.normalized_messages()
        fields = {path: text for part in messages.values() for path, text in _flat(part)}
        raise InvalidRequest(
            "The request is not valid: " + "; ".join(f"{k}: {v}" for k, v in fields.items()),
            extra={"fields": fields},
        )


class Dialect(Blueprint):
    """A face. Subclasses say how an error is written and where the caller's key is found."""

    ARGUMENTS_PARSER = Parser()
    PUBLIC: ClassVar[frozenset[str]] = frozenset()  # endpoints that need no key

    def __init__(self, name: str, import_name: str, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self.before_request(self._authenticate)
        self.after_request(self._sign)
        self.register_error_handler(BillingError, self.answer)
        self.register_error_handler(Exception, self._bug)
        for status in (*_BY_STATUS, *_STATUSES):
            self.register_error_handler(status, self._http_error)

    def write_error(self, error: BillingError) -> Response:
        """The error in the face's own shape."""
        raise NotImplementedError

    def token(self) -> str:
        """The caller's key as the request carries it, or an empty text."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else ""

    def answer(self, error: BillingError) -> Response:
        """The face's response to an error, with the headers that belong to it."""
        if error.status >= 500:
            log.error("%s %s: %s %s", request_id(), error.code, error, error.details)
        response = self.write_error(error)
        if "retry_after_s" in error.extra:
            response.headers["Retry-After"] = str(error.extra["retry_after_s"])
        if "allow" in error.extra:
            response.headers["Allow"] = ", ".join(error.extra["allow"])
        if isinstance(error, Unauthenticated):
            response.headers["WWW-Authenticate"] = 'Bearer realm="billing"'
        return response

    def unmatched(self, error: HTTPException) -> Response | None:
        """The face's answer to a path or method that no route has; None for redirects."""
        if isinstance(error, RequestRedirect):
            return None
        return self._sign(self._http_error(error))

    def _authenticate(self) -> None:
        request.max_content_length = instance().settings.max_body_bytes
        if request.endpoint and request.endpoint.rpartition(".")[2] in self.PUBLIC:
            return
        g.billing_actor = replace(self._actor(), request_id=request_id())

    def _actor(self) -> Actor:
        host_says = current_app.extensions[EXTENSION][mount_name()].authenticate
        found: Actor | None = host_says(request) if host_says else None
        return found or authenticate(instance(), self.token())

    def _sign(self, response: Response) -> Response:
        response.headers["X-Request-Id"] = request_id()
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _http_error(self, error: HTTPException) -> Response:
        kind = _BY_STATUS.get(error.code or 500, InvalidRequest)
        allow = sorted(getattr(error, "valid_methods", None) or ())
        message = "There is nothing at this path." if kind is errors.NotFound else error.name + "."
        return self.answer(kind(message, extra={"allow": allow} if allow else None))

    def _bug(self, error: Exception) -> Response:
        log.error("%s failed: %s", request_id(), type(error).__name__, exc_info=error)
        return self.answer(InternalError("Something went wrong on our side."))


def actor() -> Actor:
    """Who asks, in the present request."""
    found: Actor = g.billing_actor
    return found


def account_id() -> str:
    """The account of the key that asks. Raises InvalidRequest for an operator without account."""
    asking = actor()
    if asking.account_id is None:
        raise InvalidRequest("This needs the key of an account.")
    return asking.account_id


def currency() -> str:
    """The currency of the account that asks."""
    return actor().currency or instance().settings.currency


def instance() -> Instance:
    """The instance that the present request belongs to."""
    found: Instance = current_app.extensions[EXTENSION][mount_name()].instance
    return found


def mount_name() -> str:
    """Name under which the billing system of the present request was mounted."""
    mounted = current_app.extensions[EXTENSION]
    return next(name for name in request.blueprints if name in mounted)


def request_id() -> str:
    """The caller's X-Request-Id where it is well-formed, otherwise our own."""
    if "billing_request_id" not in g:
        given = request.headers.get("X-Request-Id", "")
        g.billing_request_id = given if _REQUEST_ID.fullmatch(given) else ids.new_id("req")
    found: str = g.billing_request_id
    return found


def _flat(messages: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(messages, dict):
        named = [(f"{path}.{name}" if path else str(name), rest) for name, rest in messages.items()]
        return [pair for name, rest in named for pair in _flat(rest, name)]
    if isinstance(messages, list) and all(isinstance(text, str) for text in messages):
        return [(path or "body", " ".join(messages))]
    return [(path or "body", str(messages))]
