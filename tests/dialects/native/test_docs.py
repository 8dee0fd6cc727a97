"""Native: the page that shows the document works without any other host."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from billing_plugin import Billing
from billing_plugin.dialects.native.docs import STATIC
from tests.dialects.routes import NATIVE
from tests.factories import app_with

DOCS = f"{NATIVE}/docs"
SCRIPTS = ["swagger-ui-bundle.js", "start.js"]
OURS = {"start.js"}
LICENCES = {"swagger-ui.LICENSE", "swagger-ui.NOTICE", "swagger-ui-bundle.js.LICENSE.txt"}
SHIPPED = {"swagger-ui.css", "swagger-ui-bundle.js"}


@pytest.fixture
def client(billing: Billing) -> FlaskClient:
    return app_with(billing).test_client()


def test_the_page_loads_what_we_ship_and_nothing_else(client: FlaskClient) -> None:
    page = client.get(DOCS)
    assert page.mimetype == "text/html"
    assert re.findall(r'<script src="([^"]+)"', page.text) == [f"docs/{one}" for one in SCRIPTS]
    assert re.findall(r'rel="stylesheet" href="([^"]+)"', page.text) == ["docs/swagger-ui.css"]
    assert "//" not in page.text


def test_the_policy_lets_the_browser_ask_nobody_else(client: FlaskClient) -> None:
    policy = client.get(DOCS).headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert not re.search(r"http|\*|unsafe-eval", policy)


@pytest.mark.parametrize("name", sorted(SHIPPED | OURS))
def test_what_the_page_loads_is_there(client: FlaskClient, name: str) -> None:
    answer = client.get(f"{DOCS}/{name}")
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert answer.data == (STATIC / name).read_bytes()
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    answer.close()


def test_the_licences_travel_along() -> None:
    assert {path.name for path in STATIC.iterdir()} == SHIPPED | OURS | LICENCES
    assert "Apache License" in (STATIC / "swagger-ui.LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(SHIPPED | OURS))
def test_no_source_map_is_promised(name: str) -> None:
    assert "sourceMappingURL" not in (STATIC / name).read_text(encoding="utf-8")


def test_the_styles_load_nothing_from_elsewhere() -> None:
    css = (STATIC / "swagger-ui.css").read_text(encoding="utf-8")
    assert "@import" not in css
    loaded = re.findall(r"url\(\s*[\"']?([^\"')]{0,40})", css)
    assert loaded
    assert {address.partition(":")[0] for address in loaded} == {"data"}


def test_our_script_reads_the_document_beside_the_page() -> None:
    script = (STATIC / "start.js").read_text(encoding="utf-8")
    assert 'new URL("openapi.json", document.baseURI)' in script
    assert "http" not in script


@pytest.mark.parametrize("name", ["docs.py", "../docs.py", "..%2fdocs.py", "nothing.js", "%00"])
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    answer = client.get(f"{DOCS}/{name}")
    assert answer.status_code in (400, 404)
    assert answer.json["success"] is False


def test_a_trailing_slash_leads_to_the_page(client: FlaskClient) -> None:
    """The page names its scripts relative to itself, so it has one address."""
    answer = client.get(f"{DOCS}/", base_url="http://localhost/app")
    assert (answer.status_code, answer.location) == (308, f"/app{DOCS}")


def test_a_trailing_slash_after_the_document(client: FlaskClient) -> None:
    there, here = (client.get(f"{NATIVE}/openapi.json{end}").json for end in ("", "/"))
    assert here == there
    assert f"{NATIVE}/balance" in here["paths"]
