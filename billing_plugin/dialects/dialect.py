"""What every face is made of: a blueprint with its own errors, its own parser and its own keys.

Whatever goes wrong under a face's prefix is answered in that face's shape; the host's error pages
stay the host's. Unknown paths and wrong methods never reach a blueprint, so `Dialect.unmatched`
answers them from a hook that the mount installs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from itertools import chain
from typing import Any, ClassVar

from flask import Response, current_app, g, request
from flask_smorest import Blueprint
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from billing_plugin import errors, ids, operations
from billing_plugin.context import Actor, Instance
from billing_plugin.dialects import throttle
from billing_plugin.dialects.arguments import Parser
from billing_plugin.dialects.entrance import EXTENSION
from billing_plugin.dialects.openapi import (
    CSV,
    HEADERS,
    HEADERS_AT,
    OF_A_FILE,
    PDF,
    TEXT,
    Shape,
    answer,
)
from billing_plugin.dialects.wire import camel
from billing_plugin.errors import BillingError, InternalError, InvalidRequest, Unauthenticated
from billing_plugin.operations.catalogue import HUMAN_SCOPES, storable

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
ACCOUNT_HEADER = "X-Billing-Account"  # which account an operator, who has none, asks about
log = logging.getLogger("billing_plugin")
_INSTANCE = "billing_plugin.instance"  # of the present request
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_BY_STATUS: dict[int, type[BillingError]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    413: errors.PayloadTooLarge,
    415: errors.UnsupportedMediaType,
    429: errors.RateLimited,
    503: errors.StorageUnavailable,
}
# What an HTTP exception knows about its own answer, beyond its status.
_KEPT_HEADERS = ("Allow", "Retry-After")


class Dialect(Blueprint):
    """A face. Subclasses say how an error is written and where the caller's key is found."""

    INVALID: ClassVar[int] = 400  # status of an invalid request
    PUBLIC: ClassVar[frozenset[str]] = frozenset()  # endpoints that need no key
    ERROR: ClassVar[Shape]

    def __init__(self, name: str, routes: Mapping[str, str], **options: Any) -> None:
        super().__init__(name, __name__, **options)
        self.ARGUMENTS_PARSER = Parser(self.INVALID)
        self.views: dict[str, Callable[..., Any]] = {}
        self._routes = {view.rpartition(".")[2]: route for view, route in routes.items()}

    def write_error(self, error: BillingError) -> Response:
        """The error in the face's own shape."""
        raise NotImplementedError  # every face has a shape of its own; none is a default

    def token(self) -> str:
        """The caller's key as the request carries it, or an empty text."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else ""

    def caller(self) -> Actor:
        """Who asks: whom the host's callback names, else the holder of the key."""
        mounted = current_app.extensions[EXTENSION][mount_name()]
        found: Actor | None = mounted.authenticate(request) if mounted.authenticate else None
        if found is None:
            return operations.authenticate(instance(), self.token())
        if found.instance is not instance():
            raise InternalError("The host named an actor of another billing instance.")
        if request.method in BODY_METHODS and not (request.is_json or request.mimetype == CSV):
            # The host may have asked a cookie, which a foreign page's form sends along as well.
            raise errors.UnsupportedMediaType("The request must be application/json.")
        return _narrowed(found)

    def answer(self, error: BillingError) -> Response:
        """The face's response to an error, with the headers that belong to it."""
        if error.status >= 500:
            log.error("%s %s: %s %s", request_id(), error.code, error, error.details)
        response = self.write_error(error)
        if "retry_after_s" in error.extra:
            response.headers["Retry-After"] = str(error.extra["retry_after_s"])
        if isinstance(error, Unauthenticated):
            response.headers["WWW-Authenticate"] = 'Bearer realm="billing"'
        return response

    def failed(self, error: Exception) -> Response:
        """The face's answer to whatever a view raised."""
        if isinstance(error, BillingError):
            return self.answer(error)
        if isinstance(error, HTTPException):
            return self._http_error(error)
        return self._bug(error)

    def unmatched(self, error: HTTPException, mounted: Instance) -> Response | None:
        """The face's answer to a path or method that no route has; None for redirects."""
        if isinstance(error, RequestRedirect):
            return None
        try:
            _count(mounted, _address())
        except errors.RateLimited as refusal:
            return self.sign(self.answer(refusal))
        return self.sign(self._http_error(error))

    def view(
        self,
        *,
        answers: dict[int, Shape | None] | None = None,
        refusals: tuple[int, ...] = (),
        **options: Any,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Makes a function the view of its name in the face's routes.

        `answers` documents what succeeds (None: without a body), `refusals` which errors are its
        own, `headers` what it reads there, `reads` what its body is where it is no JSON; with
        `csv` the answer may be a file, with `pdf` it is one. A view without answers is not
        documented.
        """

        def declare(function: Callable[..., Any]) -> Callable[..., Any]:
            self.views[function.__name__] = function
            if answers is not None:
                self._document(function, answers=answers, refusals=refusals, **options)
            return function

        return declare

    def operation_id(self, name: str) -> str:
        """The operation's name in generated clients."""
        return camel(f"{self.name}_{name}")

    def success(self, content: Shape) -> Shape:
        """How an answer wraps what a route returns."""
        return content

    def headers(self, method: str, status: int, content: Shape | None) -> dict[str, Any]:
        """The headers of a route's good answers, beside those that every answer carries."""
        del method, status, content
        return {}

    def status_of(self, error: BillingError) -> int:
        """The status by which this face reports the error."""
        return self.INVALID if isinstance(error, InvalidRequest) else error.status

    def _document(
        self,
        function: Callable[..., Any],
        *,
        answers: dict[int, Shape | None],
        refusals: tuple[int, ...],
        headers: tuple[dict[str, Any], ...] = (),
        reads: str = "",
        csv: bool = False,
        pdf: bool = False,
        **options: Any,
    ) -> None:
        name = function.__name__
        method, path = self._routes[name].split(" ", 1)
        known = dict(getattr(function, "_apidoc", {}))
        usual = _usual(path, known) | ({413, 415} if reads else set())
        file = CSV if csv else PDF if pdf else ""
        statuses = sorted({self.INVALID, 401, 403, 429, *usual, *refusals})
        known["manual_doc"] = {
            "operationId": self.operation_id(name),
            "responses": self._documented(answers, statuses, method=method, file=file),
            **({"parameters": list(headers)} if headers else {}),
            **({"requestBody": _body(reads)} if reads else {}),
        }
        function._apidoc = known  # type: ignore[attr-defined]  # where flask-smorest looks
        self.add_url_rule(path, name, function, methods=[method], **options)

    def _documented(
        self, answers: dict[int, Shape | None], statuses: list[int], *, method: str, file: str
    ) -> dict[Any, Any]:  # fmt: skip
        beside = OF_A_FILE if file else {}
        good = {
            code: answer(
                HTTPStatus(code).phrase,
                content and self.success(content),
                headers=HEADERS | beside | self.headers(method, code, content),
                file=file,
            )
            for code, content in answers.items()
        }
        refused = {code: self._refused(HTTPStatus(code).phrase, code) for code in statuses}
        return {**good, **refused, "default": self._refused("Any other error", "default")}

    def _refused(self, about: str, code: int | str) -> dict[str, Any]:
        return answer(about, self.ERROR, headers=HEADERS | HEADERS_AT.get(code, {}))

    def admit(self) -> None:
        """Knows the caller before a view runs, and counts the request.

        Raises Unauthenticated, RateLimited, InvalidRequest.
        """
        request.max_content_length = instance().settings.max_body_bytes
        public = request.endpoint and request.endpoint.rpartition(".")[2] in self.PUBLIC
        # A preflight carries no key, and its answer tells nothing but Allow.
        if public or request.method == "OPTIONS":
            return
        g.billing_actor = self._known().traced(request_id())
        _count(instance(), _name(g.billing_actor))
        for text in (request.path, *chain.from_iterable(request.args.items(multi=True))):
            storable(text)

    def sign(self, response: Response) -> Response:
        """Adds the headers that every answer of the face carries."""
        if "billing_quota" not in g:  # whoever could not be told apart by a key
            g.billing_quota = throttle.take(instance(), _address())
        if g.billing_quota:
            response.headers.update(g.billing_quota.headers)
        response.headers["X-Request-Id"] = request_id()
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    def _known(self) -> Actor:
        try:
            return self.caller()
        except Unauthenticated:
            _count(instance(), _address())  # so that keys cannot be guessed for ever
            raise

    def _http_error(self, error: HTTPException) -> Response:
        status = error.code or 500
        other = InternalError if status >= 500 else InvalidRequest
        kind = _BY_STATUS.get(status, other)
        message = "There is nothing at this path." if kind is errors.NotFound else error.name + "."
        response = self.answer(kind(message))
        kept = {name: text for name, text in error.get_headers() if name in _KEPT_HEADERS}
        response.headers.update(kept)
        return response

    def _bug(self, error: Exception) -> Response:
        log.error("%s failed: %s", request_id(), errors.place_of(error))
        return self.answer(InternalError("Something went wrong on our side."))


def actor() -> Actor:
    """Who asks, in the present request."""
    found: Actor = g.billing_actor
    return found


def account_id() -> str:
    """The account that is asked about: the key's own, or the one that an operator names.

    Raises InvalidRequest for an operator who names none, NotFound for another one than the key's.
    """
    found = account_named()
    if found is None:
        raise InvalidRequest(f"This needs the key of an account, or {ACCOUNT_HEADER}.")
    return found


def account_named() -> str | None:
    """The same; None for an operator who names no account."""
    asking, named = actor(), request.headers.get(ACCOUNT_HEADER)
    return asking.owned(named) if named else asking.account_id


def currency() -> str:
    """The currency of the account that asks. Raises NotFound for one the host made up."""
    known = actor().currency
    if known is None:
        operator = operations.operator(instance())
        known = operations.get_account(operator, account_id()).currency
    return known


def instance() -> Instance:
    """The instance that the present request belongs to."""
    kept = request.environ
    if _INSTANCE not in kept:
        kept[_INSTANCE] = current_app.extensions[EXTENSION][mount_name()].instance
    found: Instance = kept[_INSTANCE]
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


def _narrowed(found: Actor) -> Actor:
    """What the host's word is worth: all scopes of an account are those that its keys may hold."""
    scopes = found.scopes
    if found.account_id is not None and "*" in scopes:
        scopes = scopes - {"*"} | operations.account_scopes()
    return found._replace(scopes=scopes - (HUMAN_SCOPES if found.agent else frozenset()))


def _count(mounted: Instance, caller: str) -> None:
    g.billing_quota = throttle.take(mounted, caller)
    if g.billing_quota:
        g.billing_quota.require()


def _name(asking: Actor) -> str:
    """Whose requests are counted together."""
    return asking.key_id or asking.account_id or "operator"


def _address() -> str:
    return f"address {request.remote_addr}"


def _body(kind: str) -> dict[str, Any]:
    return {"required": True, "content": {kind: {"schema": TEXT}}}


def _usual(rule: str, known: dict[str, Any]) -> set[int]:
    """The refusals that follow from how a route is asked: by an id in its path, by a body."""
    reads_body = any(part["in"] == "json" for part in _parameters(known))
    return ({404} if "<" in rule else set()) | ({413, 415} if reads_body else set())


def _parameters(known: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = known.get("arguments", {}).get("parameters", [])
    return found
