"""The face of the pages: who may see, what a refusal looks like, and what every answer carries."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask import Flask, Request

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dashboard import ROUTES
from billing_plugin.dialects.entrance import Entrance
from tests.dashboard.reader import EVERY_PAGE, PAGES, Visitor, assert_sound, enter, read
from tests.dialects.faces import DESK, LEAKS, every_row, staffed
from tests.factories import account_with, app_with, billing_on, token_of

BASIC = 'Basic realm="billing", charset="UTF-8"'
SCOPES = {"/costs": "reports:read", "/items": "items:read", "/ledger": "ledger:read"}


def test_every_route_has_its_view_and_every_view_its_route() -> None:
    found = Entrance("dashboard", ROUTES, package="billing_plugin.dashboard").face
    assert set(found.views) == {view.rpartition(".")[2] for view in ROUTES}
    assert all(route.startswith("GET ") for route in ROUTES.values())  # see decision 0029


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_every_page_is_sound(person: Visitor, path: str) -> None:
    page = person.see(path)
    here = [one["href"] for one in page.all("a") if one["aria-current"] == "page"]
    assert here == [PAGES + (path or "/")]


@pytest.mark.parametrize("path", [*EVERY_PAGE, "/items/x"])
def test_without_a_key_a_browser_is_asked_for_one(person: Visitor, path: str) -> None:
    for auth in (None, ("x", ""), ("x", "nobody"), ("", person.auth[1] + "x"), ("é", "\x00é")):
        refused = person.get(path, auth=auth)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == BASIC
        assert_sound(refused)
        assert "API key as the password" in refused.text


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic eA==", "Basic /w==", "x", "Bearer"])
def test_a_malformed_key_is_no_key(person: Visitor, header: str) -> None:
    refused = person.get("", auth=None, headers={"Authorization": header})
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, BASIC)


def test_the_user_name_says_nothing_and_a_bearer_token_will_do(person: Visitor) -> None:
    token = person.auth[1]
    for name in ("", "x", "a b", "é"):
        text = base64.b64encode(f"{name}:{token}".encode()).decode()
        assert person.get("", auth=None, headers={"Authorization": f"Basic {text}"}).text
        assert person.get("", auth=(name, token)).status_code == 200
    bearer = {"Authorization": f"Bearer {token}"}
    assert person.get("", auth=None, headers=bearer).status_code == 200


def test_a_revoked_key_opens_nothing(billing: Billing, actor: Actor, app: Flask) -> None:
    made = operations.create_key(billing.operator(), str(actor.account_id))
    person = Visitor(app, made.token)
    person.see()
    operations.revoke_key(billing.operator(), str(actor.account_id), made.key.id)
    assert person.get().status_code == 401


@pytest.mark.parametrize("path", SCOPES)
def test_a_scope_that_is_missing_is_named(
    billing: Billing, actor: Actor, app: Flask, path: str
) -> None:
    without = Visitor(app, token_of(billing, actor, "balance:read"))
    page = without.see(path, 403)
    assert SCOPES[path] in page.all("main")[0].text
    Visitor(app, token_of(billing, actor, SCOPES[path])).see(path)


def test_what_is_anothers_is_not_found(billing: Billing, person: Visitor) -> None:
    other = account_with(billing, "7")
    item = enter(other, "5", name="A secret of theirs")
    for one in (item, "item_x"):
        assert f"Item not found: {one}" in person.see(f"/items/{one}", 404).text
    for path in (*EVERY_PAGE, f"/items/{item}"):
        page = person.see(f"{path}?account={other.account_id}", 404)
        assert "secret" not in page.text
    unknown = person.see("?account=acct_x", 404).all("main")[0].text.split("Code")[0]
    theirs = person.see(f"?account={other.account_id}", 404).all("main")[0].text.split("Code")[0]
    assert unknown == theirs


def test_whom_the_host_names_needs_no_key(billing: Billing, actor: Actor, app: Flask) -> None:
    def who_asks(request: Request) -> Actor | None:
        known = request.headers.get("X-User") == "ann"
        return billing.actor(str(actor.account_id)) if known else None

    billing.authenticate = who_asks
    person = Visitor(app, "nobody")
    assert "100.00" in person.see("", headers={"X-User": "ann"}, auth=None).text
    assert person.get("", auth=None).status_code == 401
    other = account_with(billing)
    person.see(f"?account={other.account_id}", 404, headers={"X-User": "ann"}, auth=None)


def test_an_operator_chooses_an_account(billing: Billing, actor: Actor, app: Flask) -> None:
    staffed(billing)
    desk: dict[str, Any] = {"headers": DESK, "auth": None}
    person, account = Visitor(app, ""), str(actor.account_id)
    chosen = person.see("", **desk)
    assert [one["href"] for one in chosen.all("table")[0].all("a")] == [
        f"{PAGES}/?account={account}"
    ]
    for path in ("/costs", "/items", "/ledger"):
        refused = person.see(path, 400, **desk)
        assert "Choose an account first" in refused.text
        page = person.see(f"{path}?account={account}", **desk)
        ours = [one["href"] for one in page.all("a") if one["href"].startswith(PAGES)]
        assert all(f"account={account}" in address for address in ours)
        hidden = [one["value"] for one in page.all("input", type="hidden")]
        assert hidden == [account] * len(page.all("form"))
    assert "100.00" in person.see(f"?account={account}", **desk).text
    person.see("?account=acct_nobody", 404, **desk)


def test_an_operator_pages_through_accounts(billing: Billing, app: Flask) -> None:
    staffed(billing)
    names = {str(account_with(billing).account_id) for _ in range(5)}
    person, found, path = Visitor(app, ""), set(), "?limit=2"
    while path:
        page = person.see(path, headers=DESK, auth=None)
        found |= {one.text for one in page.all("tbody")[0].all("a")}
        older = page.all("a", rel="next")
        path = older[0]["href"].removeprefix(f"{PAGES}/") if older else ""
    assert found == names


def test_nothing_is_written_by_looking(billing: Billing, actor: Actor, person: Visitor) -> None:
    enter(actor, "1")
    person.see()  # whatever is made at the first request
    before = every_row(billing)
    for path in (*EVERY_PAGE, "/costs?by=tag", "/items/x", "/nothing"):
        person.get(path)
    assert every_row(billing) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [*EVERY_PAGE, "/", "/style.css"])
def test_every_other_method_is_refused(person: Visitor, method: str, path: str) -> None:
    refused = person.client.open(PAGES + path, method=method, auth=person.auth)
    assert refused.status_code == 405
    assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert_sound(refused)


@pytest.mark.parametrize("path", ["/nothing", "/items/a/b", "/costs/x", "/é", "/%00"])
def test_an_unknown_path_is_a_page_of_ours(person: Visitor, path: str) -> None:
    for auth in (None, person.auth):
        page = person.see(path, 404, auth=auth)
        assert page.all("h1")[0].text == "Not Found"
    assert person.client.get(f"{PAGES}x").mimetype == "text/html"
    assert "Billing" not in person.client.get(f"{PAGES}x").text


def test_a_bug_is_one_neutral_sentence(
    person: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("SELECT secret_hash")

    monkeypatch.setattr(operations, "list_entries", broken)
    page = person.see("/ledger", 500)
    assert "Something went wrong on our side." in page.text
    assert not [leak for leak in LEAKS if leak in page.text + caplog.text]


def test_too_many_requests_are_told_when_to_come_back(database_url: str) -> None:
    billing = billing_on(database_url, dashboard_prefix=PAGES, rate_limit_per_minute=2)
    person = Visitor(app_with(billing), token_of(billing, account_with(billing)))
    answers = [person.get() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert_sound(answers[2])
    assert "Trying again" in answers[2].text


def test_a_page_is_off_unless_it_is_switched_on(database_url: str) -> None:
    app = app_with(billing_on(database_url))
    assert not [rule for rule in app.url_map.iter_rules() if "dashboard" in rule.endpoint]
    assert app.test_client().get(PAGES).mimetype == "text/html"


def test_a_page_works_under_another_prefix_and_a_script_name(database_url: str) -> None:
    billing = billing_on(database_url, dashboard_prefix="/money/")
    app = Flask("host")
    app.register_blueprint(billing.blueprint, url_prefix="/pay")
    token = token_of(billing, account_with(billing, "3"))
    for path, status in (("/pay/money", 200), ("/pay/money/", 200), ("/pay/money/none", 404)):
        response = app.test_client().get(
            path, auth=("", token), base_url="http://localhost/mounted"
        )
        assert response.status_code == status
        links = [one["href"] for one in read(response.text).all("a")]
        assert "/mounted/pay/money/costs" in links
    assert app.test_client().get("/pay/money/style.css", buffered=True).mimetype == "text/css"


def test_two_systems_show_their_own(database_url: str) -> None:
    one = billing_on(database_url, dashboard_prefix=PAGES)
    two = billing_on(
        database_url, dashboard_prefix=f"{PAGES}/eu", name="eu", native_prefix="",
        conduit_prefix="", spideriq_prefix="",
    )  # fmt: skip
    app = app_with(one)
    two.init_app(app)
    token = token_of(one, account_with(one, "3"))
    for path in (f"{PAGES}/eu", f"{PAGES}/eu/none"):
        page = read(app.test_client().get(path, auth=("", token)).text)
        assert page.all("nav")[0].all("a")[1]["href"] == f"{PAGES}/eu/costs"
    page = read(app.test_client().get(f"{PAGES}/none", auth=("", token)).text)
    assert page.all("nav")[0].all("a")[1]["href"] == f"{PAGES}/costs"


def test_the_key_comes_back_nowhere(person: Visitor, actor: Actor) -> None:
    operations.set_limit(actor, str(actor.account_id), Money.parse("1"))
    secret = person.auth[1].split("_", 2)[2]
    for path in (*EVERY_PAGE, "/nothing"):
        answer = person.get(path)
        assert secret not in answer.text + str(answer.headers)
