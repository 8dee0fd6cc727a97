"""The OpenAPI 3.1 document of a face, built aside so that the host's own documents stay as is."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_smorest import Api, Blueprint

from billing_plugin import __version__


class _Aside(Api):
    """An Api that binds no error handler and serves no page."""

    def _register_error_handlers(self) -> None:
        """Nothing: faces answer their own errors."""


def document(face: Blueprint, prefix: str, *, title: str, error_schema: Any) -> dict[str, Any]:
    """The face's OpenAPI document with its paths under `prefix`."""
    aside = Flask("billing-openapi")
    aside.config.update(API_TITLE=title, API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    _Aside.ERROR_SCHEMA = error_schema
    api = _Aside(aside, spec_kwargs={"security": [{"bearer": []}, {"apiKey": []}]})
    schemes = api.spec.components
    schemes.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    schemes.security_scheme("apiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    api.register_blueprint(face, url_prefix=prefix)
    found: dict[str, Any] = api.spec.to_dict()
    return found
