"""Mounting in every way a host may choose; several systems in one process never mix."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, Request
from flask_smorest import Api
from flask_wtf import CSRFProtect
from openapi_spec_validator import validate

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.errors import ConfigurationError
from tests.dialects.faces import assert_refused
from tests.dialects.routes import CONDUIT, NATIVE, PREFIXES, SPIDERIQ
from tests.factories import Caller, account_with, billing_on, token_of

BALANCES = (f"{NATIVE}/balance", f"{CONDUIT}/balance")
TO_SET = {"json": {"amountCents": 5000}}


def bare(name: str = "host", **config: Any) -> Flask:
    app = Flask(name)
    app.config.update(config)
    return app


def with_init_app(billing: Billing, app: Flask) -> None:
    billing.init_app(app)


def with_register_blueprint(billing: Billing, app: Flask) -> None:
    app.register_blueprint(billing.blueprint)


def with_the_hosts_api(billing: Billing, app: Flask) -> None:
    app.config.update(API_TITLE="Host", API_VERSION="7", OPENAPI_VERSION="3.1.0")
    Api(app).register_blueprint(billing.blueprint)


WAYS = [with_init_app, with_register_blueprint, with_the_hosts_api]
Way = Callable[[Billing, Flask], None]


@pytest.fixture
def token(billing: Billing, actor: Actor) -> str:
    return token_of(billing, actor)


def assert_works(app: Flask, token: str, at: str = "") -> None:
    """Every face answers under its prefix, in its shape, good requests and bad."""
    caller = Caller(app, token)
    for path in BALANCES:
        assert caller("GET", at + path).status_code == 200, path
    assert caller("POST", f"{at}{NATIVE}/limits", **TO_SET).status_code == 201
    assert caller("POST", f"{at}{SPIDERIQ}/sync-billing").status_code in (200, 429)
    for face, prefix in PREFIXES.items():
        assert_refused(caller("GET", f"{at}{prefix}/nothing"), face, 404, "NOT_FOUND")
        wrong = "/sync-billing" if face == "spideriq" else "/balance"
        refused = caller("PUT", at + prefix + wrong)
        assert_refused(refused, face, 405, "METHOD_NOT_ALLOWED")
        assert refused.headers["Allow"]
        code = "API_KEY_INVALID" if face == "conduit" else "UNAUTHENTICATED"
        method = "POST" if face == "spideriq" else "GET"
        assert_refused(Caller(app, "x")(method, at + prefix + wrong), face, 401, code)
    bad = caller("POST", f"{at}{NATIVE}/limits", data="{", content_type="application/json")
    assert_refused(bad, "native", 400, "MALFORMED_JSON")
    bad = caller("POST", f"{at}{NATIVE}/limits", json={"amountCents": 1.5})
    assert_refused(bad, "native", 400, "VALIDATION_ERROR")
    assert caller("GET", f"{at}{NATIVE}/docs").mimetype == "text/html"
    document = caller("GET", f"{at}{NATIVE}/openapi.json").json
    assert f"{at}{NATIVE}/balance" in document["paths"]


def test_a_path_of_the_host_beside_ours_is_the_hosts(billing: Billing) -> None:
    """A method that ours has not is refused; the same path on another domain of the host is its."""
    app = Flask("host", subdomain_matching=True)
    app.config["SERVER_NAME"] = "host.test"
    path = f"{NATIVE}/usage/batch"
    app.add_url_rule(path, "own", lambda: "the host's own", subdomain="shop")
    billing.init_app(app)
    client = app.test_client()
    assert client.get(path, base_url="http://shop.host.test").text == "the host's own"
    refused = client.get(path, base_url="http://host.test")
    assert_refused(refused, "native", 405, "METHOD_NOT_ALLOWED")
    assert refused.headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("way", WAYS)
def test_three_ways_to_mount(billing: Billing, token: str, way: Way) -> None:
    app = bare()
    way(billing, app)
    assert_works(app, token)
    assert app.test_client().get("/elsewhere").status_code == 404


def test_the_hosts_own_document_contains_our_routes(billing: Billing) -> None:
    app = bare(API_TITLE="Host", API_VERSION="7", OPENAPI_VERSION="3.1.0")
    api = Api(app)
    api.register_blueprint(billing.blueprint)
    document = api.spec.to_dict()
    validate(document)
    assert document["info"] == {"title": "Host", "version": "7"}
    for path in (*BALANCES, f"{SPIDERIQ}/sync-billing", f"{NATIVE}/limits/{{limit_id}}"):
        assert path in document["paths"]
    names = [
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]
    assert len(names) == len(set(names)) == 99
    refusals = document["paths"][f"{NATIVE}/balance"]["get"]["responses"]
    told = refusals["401"]["content"]["application/json"]["schema"]
    assert set(told["properties"]) == {"success", "error"}  # ours, not the host's
    assert refusals["429"]["headers"]["Retry-After"]["schema"] == {"type": "integer"}


@pytest.mark.parametrize("way", WAYS)
def test_pages_in_three_ways(database_url: str, way: Way) -> None:
    billing, token = holding(database_url, "11", dashboard_prefix="/billing")
    app = bare()
    way(billing, app)
    assert_works(app, token)
    client = app.test_client()
    for path, status in (("/billing", 200), ("/billing/", 200), ("/billing/nothing", 404)):
        response = client.get(path, auth=("", token))
        assert (response.status_code, response.mimetype) == (status, "text/html")
        assert "<title>" in response.text
        assert ("11.00" in response.text) is (status == 200)
    assert "Billing" not in client.get("/billings").text
    assert not [path for path in document_of(app) if path.startswith("/billing")]


def document_of(app: Flask) -> list[str]:
    """The paths that the host's own document names, where it has one."""
    known = app.extensions.get("flask-smorest", {}).get("apis", {})
    return [path for api in known.values() for path in api["ext_obj"].spec.to_dict()["paths"]]


@pytest.mark.parametrize("path", ["/billing", "/billing/", "/billing/costs", "/billing/items/<x>"])
def test_a_page_that_the_host_serves(path: str) -> None:
    app = bare()
    app.add_url_rule(path, "hosts", lambda **_: "host")
    with pytest.raises(ConfigurationError, match="served already; give the face another prefix"):
        Billing(dashboard_prefix="/billing").init_app(app)


def test_under_a_prefix(billing: Billing, token: str) -> None:
    app = bare()
    app.register_blueprint(billing.blueprint, url_prefix="/pay/")
    assert_works(app, token, "/pay")
    assert app.test_client().get(f"{NATIVE}/balance").mimetype == "text/html"


def test_inside_a_blueprint_of_the_host(billing: Billing, token: str) -> None:
    app, parent = bare(), Blueprint("area", "area", url_prefix="/area")
    parent.register_blueprint(billing.blueprint)
    app.register_blueprint(parent)
    assert_works(app, token, "/area")
    assert list(app.extensions["billing"]) == ["area.billing"]


def test_inside_two_blueprints_and_under_a_prefix(billing: Billing, token: str) -> None:
    app, inner = bare(), Blueprint("inner", "inner", url_prefix="/inner")
    outer = Blueprint("outer", "outer", url_prefix="/outer")
    inner.register_blueprint(billing.blueprint, url_prefix="/here")
    outer.register_blueprint(inner)
    app.register_blueprint(outer, url_prefix="/all")
    assert_works(app, token, "/all/inner/here")


def test_under_the_script_name_of_a_server(billing: Billing, token: str) -> None:
    app = bare()
    billing.init_app(app)
    caller = Caller(app, token)
    assert caller("GET", f"{NATIVE}/openapi.json").json["servers"] == [{"url": "/"}]
    base = {"base_url": "http://localhost/mounted/"}
    document = caller("GET", f"{NATIVE}/openapi.json", **base).json
    assert document["servers"] == [{"url": "/mounted"}]
    assert_refused(caller("GET", f"{NATIVE}/nothing", **base), "native", 404, "NOT_FOUND")


def test_one_billing_in_two_apps_under_different_prefixes(billing: Billing, token: str) -> None:
    one, two = bare("one"), bare("two")
    one.register_blueprint(billing.blueprint, url_prefix="/one")
    two.register_blueprint(billing.blueprint, url_prefix="/two")
    assert_works(one, token, "/one")
    assert_works(two, token, "/two")
    for app, other in ((one, "/two"), (two, "/one")):
        for path in (f"{other}{NATIVE}/balance", f"{other}{NATIVE}/nothing"):
            assert app.test_client().get(path).mimetype == "text/html"


def holding(database_url: str, units: str, **options: Any) -> tuple[Billing, str]:
    """A billing system with an account of so many units, and its key."""
    billing = billing_on(database_url, **options)
    return billing, token_of(billing, account_with(billing, units))


def balance(app: Flask, token: str, path: str = BALANCES[0]) -> Any:
    """The status, and the posted amount where there is one."""
    response = Caller(app, token)("GET", path)
    told = response.json
    return told["data"]["posted"]["amount"] if response.status_code == 200 else told


def test_two_apps_with_two_databases(database_url: str, tmp_path: Path) -> None:
    first, key = holding(database_url, "11")
    second, other_key = holding(f"sqlite:///{tmp_path / 'other.db'}", "22")
    one, two = bare("one"), bare("two")
    first.init_app(one)
    second.init_app(two)
    assert (balance(one, key), balance(two, other_key)) == ("11.00", "22.00")
    for app, stranger in ((one, other_key), (two, key)):
        response = Caller(app, stranger)("GET", BALANCES[0])
        assert_refused(response, "native", 401, "UNAUTHENTICATED")


def test_two_systems_in_one_app_never_mix(database_url: str, tmp_path: Path) -> None:
    """Concurrently, from threads: each use is charged where it belongs, to the last one."""
    apart = {"native_prefix": "/eu", "conduit_prefix": "/eu/conduit", "spideriq_prefix": "/eu/s"}
    first, key = holding(database_url, "100")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    second, other_key = holding(other, "100", name="eu", **apart)
    app = bare()
    first.init_app(app)
    second.init_app(app)

    def use(number: int) -> int:
        where, token = ((NATIVE, key), ("/eu", other_key))[number % 2]
        body = {"model": "m", "cost": "1.00" if number % 2 else "0.01"}
        return int(Caller(app, token)("POST", f"{where}/usage", json=body).status_code)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(60))) == {201}
    assert balance(app, key) == "99.70"
    assert balance(app, other_key, "/eu/balance") == "70.00"
    assert operations.check_ledger(first.operator()) == []
    assert operations.check_ledger(second.operator()) == []
    for path, stranger in ((BALANCES[0], other_key), ("/eu/balance", key)):
        assert_refused(Caller(app, stranger)("GET", path), "native", 401, "UNAUTHENTICATED")
    assert_refused(Caller(app, key)("GET", "/eu/conduit/x"), "conduit", 404, "NOT_FOUND")
    assert_refused(Caller(app, key)("GET", "/eu/x"), "native", 404, "NOT_FOUND")


def test_a_face_is_switched_off(database_url: str) -> None:
    billing, token = holding(database_url, "1", conduit_prefix="")
    app = bare()
    billing.init_app(app)
    assert balance(app, token) == "1.00"
    for path in (f"{CONDUIT}/balance", f"{CONDUIT}/nothing"):
        assert app.test_client().get(path).mimetype == "text/html"


def test_another_prefix(database_url: str) -> None:
    billing, token = holding(database_url, "1", native_prefix="/money/")
    app = bare()
    billing.init_app(app)
    assert balance(app, token, "/money/balance") == "1.00"
    assert_refused(Caller(app, token)("GET", "/money/x"), "native", 404, "NOT_FOUND")
    assert app.test_client().get(f"{NATIVE}/balance").mimetype == "text/html"


@pytest.mark.parametrize("prefix", ["money", "/", "//", " /money"])
def test_a_prefix_that_is_no_path(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="BILLING_NATIVE_PREFIX is a path"):
        Billing(native_prefix=prefix).init_app(bare())


def test_two_faces_at_one_prefix() -> None:
    with pytest.raises(ConfigurationError, match="Two faces cannot both be at /money"):
        Billing(native_prefix="/money", conduit_prefix="/money/").init_app(bare())


@pytest.mark.parametrize(
    ("rule", "methods"),
    [
        (f"{NATIVE}/balance", ["GET"]),
        (f"{NATIVE}/balance/", ["GET"]),
        (f"{NATIVE}/limits/<int:number>", ["GET"]),
        (f"{CONDUIT}/ledger", ["GET", "POST"]),
        (f"{SPIDERIQ}/sync-billing", ["POST"]),
    ],
)
def test_a_path_that_the_host_serves(rule: str, methods: list[str]) -> None:
    app = bare()
    app.add_url_rule(rule, "hosts", lambda **_: "host", methods=methods)
    with pytest.raises(ConfigurationError, match="served already; give the face another prefix"):
        Billing().init_app(app)


def test_the_same_system_twice_in_one_app() -> None:
    app = bare()
    Billing().init_app(app)
    with pytest.raises(ConfigurationError, match="served already"):
        Billing(name="again").init_app(app)


@pytest.mark.parametrize(
    ("rule", "methods"),
    [
        (f"{NATIVE}/balance", ["POST"]),
        (f"{NATIVE}/other", ["GET"]),
        ("/<path:rest>", ["GET"]),
        ("/api/<path:rest>", ["GET"]),
    ],
)
def test_a_path_that_does_not_clash(
    billing: Billing, token: str, rule: str, methods: list[str]
) -> None:
    app = bare()
    app.add_url_rule(rule, "hosts", lambda **_: "host", methods=methods)
    billing.init_app(app)
    assert balance(app, token) == "100.00"


def test_settings_of_the_hosts_configuration(tmp_path: Path) -> None:
    database_url = f"sqlite:///{tmp_path / 'host.db'}"
    app = bare(BILLING_DATABASE_URL=database_url, BILLING_CURRENCY="EUR", OTHER="x")
    billing = Billing(conduit_prefix="/given")
    billing.init_app(app)
    settings = billing.instance.settings
    assert (settings.database_url, settings.currency) == (database_url, "EUR")
    assert settings.conduit_prefix == "/given"
    token = token_of(billing, account_with(billing))
    assert Caller(app, token)("GET", BALANCES[0]).json["data"]["posted"]["currency"] == "EUR"


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean BILLING_DATABASE_URL"):
        Billing().init_app(bare(BILLING_DATABSE_URL="sqlite:///x.db"))
    with pytest.raises(ConfigurationError, match="Did you mean BILLING_CURRENCY"):
        Billing(curency="EUR")


def test_what_is_given_wins_over_the_hosts_configuration(tmp_path: Path) -> None:
    billing = Billing(f"sqlite:///{tmp_path / 'x.db'}", currency="EUR")
    billing.init_app(bare(BILLING_CURRENCY="USD"))
    assert billing.instance.settings.currency == "EUR"


def test_one_billing_cannot_have_two_settings(tmp_path: Path) -> None:
    billing = Billing(f"sqlite:///{tmp_path / 'x.db'}")
    billing.init_app(bare(BILLING_CURRENCY="EUR"))
    billing.init_app(bare(BILLING_CURRENCY="EUR"))
    billing.init_app(bare())  # says nothing, so contradicts nothing
    with pytest.raises(ConfigurationError, match="has its settings already"):
        billing.init_app(bare(BILLING_CURRENCY="USD"))


def protected(app: Flask) -> Flask:
    app.config.update(SECRET_KEY="x", WTF_CSRF_ENABLED=True)
    app.add_url_rule("/form", "form", lambda: "sent", methods=["POST"])
    return app


@pytest.mark.parametrize("first", ["protection", "billing"])
@pytest.mark.parametrize("way", WAYS)
def test_csrf_protection(billing: Billing, token: str, way: Way, first: str) -> None:
    """Ours are exempt whoever came first; the host's forms are protected as before."""
    app = protected(bare())
    if first == "protection":
        CSRFProtect(app)
        way(billing, app)
    else:
        way(billing, app)
        CSRFProtect(app)
    assert Caller(app, token)("POST", f"{NATIVE}/limits", **TO_SET).status_code == 201
    assert Caller(app, token)("POST", f"{SPIDERIQ}/sync-billing").status_code == 200
    assert app.test_client().post("/form").status_code == 400


def test_csrf_protection_of_a_nested_mount(billing: Billing, token: str) -> None:
    app, parent = protected(bare()), Blueprint("area", "area", url_prefix="/area")
    parent.register_blueprint(billing.blueprint)
    app.register_blueprint(parent)
    CSRFProtect(app)
    assert Caller(app, token)("POST", f"/area{NATIVE}/limits", **TO_SET).status_code == 201
    assert app.test_client().post("/form").status_code == 400


class Users:
    """A host's own login: a header names the user; each user has an account."""

    def __init__(self, database_url: str) -> None:
        self.billing = billing_on(database_url, authenticate=self.actor_of)
        self.accounts = {"ann": account_with(self.billing, "7"), "bob": account_with(self.billing)}
        self.app = bare()
        self.billing.init_app(self.app)
        self.client = self.app.test_client()

    def actor_of(self, asked: Request) -> Actor | None:
        user = self.accounts.get(asked.headers.get("X-User", ""))
        return self.billing.actor(str(user.account_id)) if user else None


@pytest.fixture
def users(database_url: str) -> Users:
    return Users(database_url)


def test_the_host_says_who_asks(users: Users) -> None:
    for name, units in (("ann", "7.00"), ("bob", "0.00")):
        told = users.client.get(BALANCES[0], headers={"X-User": name}).json
        assert told["data"]["posted"]["amount"] == units


def test_whom_the_host_does_not_know_needs_a_key(users: Users) -> None:
    assert_refused(users.client.get(BALANCES[0]), "native", 401, "UNAUTHENTICATED")
    token = token_of(users.billing, users.accounts["ann"])
    assert balance(users.app, token) == "7.00"


def test_a_user_of_the_host_sets_a_limit_in_the_accounts_currency(database_url: str) -> None:
    billing = billing_on(database_url, authenticate=lambda _: billing.actor(euros))
    euros = operations.create_account(billing.operator(), "Euros", currency="EUR").id
    app = bare()
    billing.init_app(app)
    told = app.test_client().post(f"{NATIVE}/limits", **TO_SET).json
    assert told["data"]["amount"] == {"amount": "50.00", "cents": 5000, "currency": "EUR"}


def test_what_a_foreign_form_can_send_is_not_taken_from_a_user(users: Users) -> None:
    """The host may know its user by a cookie, which browsers send along with any form."""
    headers = {"X-User": "ann"}
    for path in (f"{NATIVE}/sync", f"{SPIDERIQ}/sync-billing", f"{NATIVE}/limits"):
        face = "spideriq" if path.startswith(SPIDERIQ) else "native"
        for sent in ({}, {"data": {"a": "b"}}, {"data": "{}", "content_type": "text/plain"}):
            refused = users.client.post(path, headers=headers, **sent)
            assert_refused(refused, face, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert users.client.post(f"{NATIVE}/sync", headers=headers, json={}).status_code == 202


def test_an_actor_of_another_system_is_a_bug_of_the_host(
    users: Users, billing: Billing, actor: Actor
) -> None:
    users.accounts["ann"] = actor
    users.billing.authenticate = lambda _: actor
    refused = users.client.get(BALANCES[0])
    assert_refused(refused, "native", 500, "INTERNAL_ERROR")


def test_inside_the_hosts_own_view(billing: Billing, actor: Actor) -> None:
    app = bare()
    billing.init_app(app)

    @app.get("/mine")
    def mine() -> str:
        return operations.check_balance(actor, str(actor.account_id)).available.text

    assert app.test_client().get("/mine").text == "100.00"
    operations.adjust(billing.operator(), str(actor.account_id), Money.parse("1"))
    assert app.test_client().get("/mine").text == "101.00"
