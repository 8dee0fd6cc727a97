"""A host answers the same, byte for byte, with and without the plugin on every path not ours."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from copy import copy
from datetime import date
from typing import Any

import marshmallow
import pytest
from flask import (
    Blueprint,
    Flask,
    abort,
    jsonify,
    redirect,
    render_template_string,
    request,
    session,
)
from flask.json.provider import DefaultJSONProvider
from flask.typing import ResponseReturnValue
from flask_smorest import Api
from flask_smorest import Blueprint as ApiBlueprint
from flask_wtf import CSRFProtect, FlaskForm
from werkzeug.exceptions import HTTPException
from wtforms import StringField

from billing_plugin import Billing
from tests.dialects.routes import PREFIXES
from tests.factories import billing_on

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"]
PATHS = [
    *("/", "/page", "/page/", "/folder", "/folder/", "/json", "/form", "/session", "/broken"),
    *("/teapot", "/gone", "/redirect", "/nothing", "/nothing/", "//page", "/static/none.css"),
    *("/api", "/api/", "/api/things", "/api/things/", "/api/things/7", "/api/things/x"),
    *("/api/v1", "/api/v1/", "/api/v1/billingx", "/api/v1/billin", "/api/billingx", "/api/BILLING"),
    *("/api/v1/integration", "/v1/billing", "/area/inner", "/area/nothing", "/area"),
    *("/billingx", "/billin", "/bill/ing", "/style.css", "/costs", "/items", "/ledger"),
    *("/openapi.json", "/docs", "/docs/start.js", "/é", "/%00", "/x" * 500),
]
# What a request brings along; each path is asked with each method and each of these.
BRINGING: dict[str, dict[str, Any]] = {
    "nothing": {},
    "json": {"json": {"name": "x", "size": 3}},
    "bad json": {"data": "{", "content_type": "application/json"},
    "wrong types": {"json": {"name": 1, "size": "big", "more": 1}},
    "a form": {"data": {"name": "x"}},
    "a cross-origin question": {"headers": {"Origin": "https://elsewhere.example"}},
    "a key of ours": {"headers": {"Authorization": "Bearer sk_0_0", "X-Request-Id": "mine"}},
}


# The value of a session cookie holds a random CSRF token and a signature with the time.
UNIQUE = re.compile(r"(?<=session=)[^;]+")


class Things(marshmallow.Schema):
    """What the host's own API takes."""

    name = marshmallow.fields.String(required=True)
    size = marshmallow.fields.Integer(strict=True)


class NameForm(FlaskForm):
    """The host's own form."""

    name = StringField()


class OwnJSON(DefaultJSONProvider):
    """A host that writes JSON in its own way."""

    def response(self, *args: Any, **kwargs: Any) -> Any:
        text = json.dumps({"host says": args or kwargs}, default=str, indent=3)
        return self._app.response_class(text, mimetype="application/vnd.sample+json")


def sample_host() -> Flask:
    """A host with opinions about everything."""
    app = Flask("sample")
    app.config.update(
        SECRET_KEY="sample",
        API_TITLE="Things",
        API_VERSION="3",
        OPENAPI_VERSION="3.0.2",
        OPENAPI_URL_PREFIX="/",
        MAX_CONTENT_LENGTH=2**20,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.json = OwnJSON(app)
    app.jinja_env.globals["site"] = "sample"
    _pages(app)
    _error_pages(app)
    return app


def with_extensions(app: Flask) -> Flask:
    """Flask-WTF and the host's own flask-smorest Api, as hosts set them up: after the routes."""
    CSRFProtect(app).exempt(_things(app))
    return app


def _pages(app: Flask) -> None:
    app.add_url_rule("/", "index", lambda: "<h1>Sample</h1>")
    app.add_url_rule(
        "/page", "page", lambda: render_template_string("{{ site }} {{ request.path }}")
    )
    app.add_url_rule("/folder/", "folder", lambda: "folder", methods=["GET", "POST"])
    app.add_url_rule("/json", "json", lambda: jsonify(day=date(2026, 3, 9), b=1, a=2))
    app.add_url_rule("/form", "form", _form, methods=["GET", "POST"])
    app.add_url_rule("/session", "session", _visits)
    app.add_url_rule("/broken", "broken", _broken)
    app.add_url_rule("/teapot", "teapot", lambda: abort(418))
    app.add_url_rule("/gone", "gone", lambda: abort(410, "long gone"))
    app.add_url_rule("/redirect", "redirect", lambda: redirect("/page", 307), methods=METHODS[:6])
    area = Blueprint("area", "area", url_prefix="/area")
    area.add_url_rule("/inner", "inner", lambda: "inner")
    area.register_error_handler(405, lambda error: ("area says no", 405))
    app.register_blueprint(area)
    app.after_request(_own_headers)


def _form() -> str:
    form = NameForm()
    return f"hello {form.name.data}" if form.validate_on_submit() else "<form></form>"


def _visits() -> str:
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


def _broken() -> str:
    raise KeyError("the host's own bug")


def _own_headers(response: Any) -> Any:
    response.headers["X-Host"] = "sample"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _error_pages(app: Flask) -> None:
    def page(status: int) -> Callable[[Exception], ResponseReturnValue]:
        return lambda error: (f"<h1>{status}</h1>{request.method} {type(error).__name__}", status)

    for status in (404, 405, 500):
        app.register_error_handler(status, page(status))
    app.register_error_handler(
        HTTPException, lambda error: (f"<h1>Oh {error.code}</h1>", error.code)
    )


def _things(app: Flask) -> ApiBlueprint:
    things = ApiBlueprint("things", "things", url_prefix="/api/things")

    @things.route("/", methods=["GET", "POST"])
    @things.arguments(Things)
    @things.response(201, Things)
    def add(thing: dict[str, Any]) -> dict[str, Any]:
        return thing

    @things.route("/<int:number>")
    @things.response(200, Things)
    def see(number: int) -> dict[str, Any]:
        return {"name": str(number)}

    Api(app).register_blueprint(things)
    return things


def before(billing: Billing) -> Flask:
    app = sample_host()
    billing.init_app(app)
    return with_extensions(app)


def after(billing: Billing) -> Flask:
    app = with_extensions(sample_host())
    billing.init_app(app)
    return app


def nested(billing: Billing) -> Flask:
    app = with_extensions(sample_host())
    parent = Blueprint("parent", "parent", url_prefix="/parent")
    parent.register_blueprint(billing.blueprint)
    app.register_blueprint(parent)
    return app


def with_pages(billing: Billing) -> Flask:
    """The pages for people at /billing, beside everything else."""
    url = billing.instance.settings.database_url
    return after(billing_on(url, dashboard_prefix="/billing"))


MOUNTS = [before, after, nested, with_pages]


@pytest.fixture(params=MOUNTS, ids=lambda mount: mount.__name__)
def mounted(request: pytest.FixtureRequest, billing: Billing) -> Flask:
    """The host with the plugin, mounted before or after its own extensions."""
    app: Flask = request.param(billing)
    return app


@pytest.fixture
def alone() -> Flask:
    """The host without the plugin."""
    return with_extensions(sample_host())


def seen(app: Flask, method: str, path: str, **options: Any) -> tuple[Any, ...]:
    """Everything a client sees, except what two runs of one app do not share either."""
    response = app.test_client().open(path, method=method, **options)
    headers = [
        (name, UNIQUE.sub("", value) if name == "Set-Cookie" else value)
        for name, value in response.headers
        if name != "Date"
    ]
    return response.status, headers, response.data


@pytest.mark.parametrize("bringing", BRINGING)
def test_every_path_that_is_not_ours(alone: Flask, mounted: Flask, bringing: str) -> None:
    for path in PATHS:
        for method in METHODS:
            options = BRINGING[bringing]
            expected = seen(alone, method, path, **options)
            assert seen(mounted, method, path, **options) == expected, (method, path)


def test_a_host_with_one_page_for_every_error(billing: Billing) -> None:
    """Without flask-smorest, which takes such a page away."""
    bare, mounted = sample_host(), sample_host()
    billing.init_app(mounted)
    for path in PATHS:
        for method in METHODS:
            expected = seen(bare, method, path)
            assert seen(mounted, method, path) == expected, (method, path)


def test_the_sample_host_has_opinions(alone: Flask) -> None:
    """Otherwise the comparison above would compare nothing."""
    client = alone.test_client()
    assert client.get("/nothing").data == b"<h1>404</h1>GET NotFound"
    assert client.get("/broken").data == b"<h1>500</h1>GET InternalServerError"
    assert client.delete("/page").data == b"<h1>405</h1>DELETE MethodNotAllowed"
    assert client.get("/teapot").json.popitem()[1][0]["code"] == 418  # flask-smorest's word
    assert sample_host().test_client().get("/teapot").data == b"<h1>Oh 418</h1>"
    assert client.get("/folder").status_code == 308
    assert client.post("/form", data={"name": "x"}).status_code == 400
    assert client.get("/json").data.startswith(b'{\n   "host says"')
    assert client.post("/api/things/", json={"size": "big"}).status_code == 422
    assert client.post("/api/things/", json={"name": "x"}).status_code == 201
    assert client.get("/session").headers["Set-Cookie"].startswith("session=")


def test_sessions_go_on(mounted: Flask) -> None:
    client = mounted.test_client()
    assert [client.get("/session").text for _ in range(3)] == ["1", "2", "3"]
    client.get(f"{PREFIXES['native']}/balance")
    assert client.get("/session").text == "4"


def test_our_answers_set_no_cookie_and_are_not_written_by_the_hosts_json(
    mounted: Flask,
) -> None:
    root = "/parent" if "parent.billing" in mounted.extensions["billing"] else ""
    response = mounted.test_client().get(f"{root}{PREFIXES['native']}/nothing")
    assert response.status_code == 404
    assert set(response.json) == {"success", "error"}
    assert "Set-Cookie" not in response.headers
    assert response.headers["X-Host"] == "sample"  # the host's policy holds for ours too


def facts(app: Flask) -> dict[str, Any]:
    """What a host set up, apart from what is ours."""
    ours = ("billing", "parent")
    hooks = {
        name: [hook.__qualname__ for hook in getattr(app, name).get(None, [])]
        for name in ("after_request_funcs", "teardown_request_funcs", "url_value_preprocessors")
    }
    return {
        "config": dict(app.config),
        "globals": set(app.jinja_env.globals),
        "filters": set(app.jinja_env.filters),
        "handlers": {
            code: [kind.__name__ for kind in kinds]
            for code, kinds in app.error_handler_spec[None].items()
            if kinds
        },
        "rules": sorted(
            (rule.rule, rule.endpoint, sorted(rule.methods or ()), rule.strict_slashes)
            for rule in app.url_map.iter_rules()
            if rule.endpoint.split(".")[0] not in ours
        ),
        "blueprints": [name for name in app.blueprints if name.split(".")[0] not in ours],
        "extensions": set(app.extensions) - {"billing"},
        "commands": sorted(app.cli.commands),
        "processors": len(app.template_context_processors[None]),
        "teardown": [one.__qualname__ for one in app.teardown_appcontext_funcs],
        "json": type(app.json),
        "session": type(app.session_interface),
        "slashes": app.url_map.strict_slashes,
        "converters": set(app.url_map.converters),
        "shell": app.shell_context_processors,
        **hooks,
    }


def test_what_the_host_set_up_is_as_it_was(alone: Flask, mounted: Flask) -> None:
    expected, found = facts(alone), facts(mounted)
    for name, value in expected.items():
        assert found[name] == value, name


def test_logging_is_as_it_was(billing: Billing) -> None:
    root, ours = logging.getLogger(), logging.getLogger("billing_plugin")
    was = (copy(root.handlers), root.level, root.filters)
    app = after(billing)
    app.test_client().get(f"{PREFIXES['native']}/balance")
    assert (root.handlers, root.level, root.filters) == was
    assert (ours.handlers, ours.level, ours.propagate) == ([], logging.NOTSET, True)


def test_the_hosts_document_is_as_it_was(alone: Flask, mounted: Flask) -> None:
    expected = alone.test_client().get("/openapi.json")
    assert b"billing" not in expected.data
    assert mounted.test_client().get("/openapi.json").data == expected.data
    paths = [path for path in PREFIXES.values() if path.encode() in expected.data]
    assert paths == []


def test_a_large_form_of_the_host_is_read_with_the_hosts_limit(database_url: str) -> None:
    """Our own limit is set on our requests alone."""
    app = after(billing_on(database_url, max_body_bytes=10))
    app.add_url_rule("/length", "length", lambda: str(len(request.data)), methods=["POST"])
    app.config["WTF_CSRF_ENABLED"] = False
    assert app.test_client().post("/length", data=b"x" * 1000).text == "1000"
