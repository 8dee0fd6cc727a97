"""The entrance of a face: paths at once, everything else at the first request."""

from __future__ import annotations

import gc
import subprocess
import sys
from typing import Any

import pytest
from flask import Flask, url_for
from werkzeug.routing import Rule

from billing_plugin import Billing
from billing_plugin.dialects import conduit, native, spideriq
from billing_plugin.dialects.entrance import Entrance, patient_rules, without_collections
from tests.factories import app_with

NOT_AT_MOUNT = ("billing_plugin.operations", "billing_plugin.models", "billing_plugin.money")
FACES = {"native": native.ROUTES, "conduit": conduit.ROUTES, "spideriq": spideriq.ROUTES}


def test_mounting_loads_no_view_no_operation_and_no_client() -> None:
    code = (
        "import sys, flask, billing_plugin;"
        "b = billing_plugin.Billing('sqlite:///unused.db', dashboard_prefix='/billing');"
        "b.init_app(flask.Flask('x'));"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = set(loaded.stdout.split())
    wanted_not = {*NOT_AT_MOUNT, "requests", "rq", "redis", "mcp", "pydantic", "cryptography"}
    assert not modules & wanted_not
    for face in ("dialects.native.", "dashboard."):
        assert not [name for name in modules if name.startswith(f"billing_plugin.{face}")]


@pytest.mark.parametrize("name", FACES)
def test_every_route_has_its_view_and_every_view_its_route(name: str) -> None:
    routes = FACES[name]
    found = Entrance(name, routes).face
    assert set(found.views) == {view.rpartition(".")[2] for view in routes}
    for view in routes:
        module, _, function = view.rpartition(".")
        assert found.views[function].__module__.endswith(f"dialects.{name}.{module}")


def test_a_host_can_build_our_urls_and_its_own(billing: Billing) -> None:
    app = app_with(billing)
    app.add_url_rule("/thing/<name>", "thing", lambda name: name)
    with app.test_request_context():
        assert url_for("billing.native.get_limit", limit_id="lim_1", a=2) == (
            "/api/v1/billing/limits/lim_1?a=2"
        )
        assert url_for("billing.conduit.get_balance") == "/api/billing/balance"
        assert url_for("thing", name="x") == "/thing/x"
    assert type(next(app.url_map.iter_rules("thing"))) is Rule


def test_a_hosts_own_rule_class_comes_back() -> None:
    class Own(Rule):
        """A host's own."""

    class Host(Flask):
        url_rule_class: Any = Own

    app = Host("host")
    with patient_rules(app):
        assert issubclass(app.url_rule_class, Own)
    assert app.url_rule_class is Own
    assert "url_rule_class" not in vars(app)
    app.url_rule_class = Rule
    with patient_rules(app):
        pass
    assert app.url_rule_class is Rule


def test_garbage_waits_while_routes_are_made_and_no_longer() -> None:
    with pytest.raises(ZeroDivisionError), without_collections():
        assert not gc.isenabled()
        raise ZeroDivisionError
    assert gc.isenabled()


def test_a_host_that_collects_by_itself_goes_on_to() -> None:
    gc.disable()
    try:
        with without_collections():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
