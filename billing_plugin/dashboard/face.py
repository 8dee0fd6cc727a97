"""The face of the pages: HTML for whatever goes wrong, keys by HTTP Basic, a strict policy.

Every page only reads, by GET: there is nothing that a foreign page could make a browser do here,
so no form carries a token (see decision 0029).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from flask import Response, request

from billing_plugin.dashboard import ROUTES
from billing_plugin.dashboard.pages import page
from billing_plugin.dialects.dialect import Dialect, actor, request_id
from billing_plugin.errors import BillingError, InvalidRequest, Unauthenticated

ASK_FOR_KEY = 'Basic realm="billing", charset="UTF-8"'
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Vary": "Authorization, Cookie",
}


class Dashboard(Dialect):
    """Pages for people: whom the host names, or who holds an API key, sees an account's books."""

    PUBLIC: ClassVar[frozenset[str]] = frozenset({"show_stylesheet"})

    def write_error(self, error: BillingError) -> Response:
        """A page that says what went wrong, and what to do about it."""
        status = self.status_of(error)
        return page(
            "error.html",
            status=status,
            title=HTTPStatus(status).phrase,
            error=error,
            fields=error.extra.get("fields", {}),
            request_id=request_id(),
        )

    def token(self) -> str:
        """The password of HTTP Basic, whose user name says nothing; or a bearer token."""
        given = request.authorization
        is_basic = given is not None and given.type == "basic"
        return (given.password or "") if given and is_basic else super().token()

    def answer(self, error: BillingError) -> Response:
        """The page, and the question that makes a browser ask for the key."""
        response = super().answer(error)
        if isinstance(error, Unauthenticated):
            response.headers["WWW-Authenticate"] = ASK_FOR_KEY
        return response

    def sign(self, response: Response) -> Response:
        """Adds the policy: no script, nothing from elsewhere, in nobody's frame."""
        response.headers.update(HEADERS)
        return super().sign(response)


def account_named() -> str | None:
    """The account that the page is about: the key's own, or `?account=`; None for an operator who
    names none. Raises NotFound for another one than the key's."""
    asking, named = actor(), request.args.get("account")
    return asking.owned(named) if named else asking.account_id


def account_id() -> str:
    """The same. Raises InvalidRequest for an operator who names none."""
    found = account_named()
    if found is None:
        raise InvalidRequest("Choose an account first; the overview lists them.")
    return found


dashboard = Dashboard("dashboard", ROUTES, description="Pages for people.")
