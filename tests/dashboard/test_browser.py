"""Every page in a real browser: nothing is blocked, nothing leaves, and the keyboard is enough."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from threading import Thread

import pytest
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from werkzeug.serving import make_server

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.operations import Usage
from tests.dashboard.reader import EVERY_PAGE, PAGES, enter
from tests.dashboard.test_pages import HOSTILE
from tests.factories import Clock, account_with, app_with, billing_on, token_of

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROME = next((path for path in map(shutil.which, NAMES) if path), None)
FLAGS = [
    "--no-sandbox", "--headless=new", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SEEN = [*EVERY_PAGE, "/costs?by=tag&interval=week&period=all", "/costs?from=2030-01-01"]
FOCUS = """(e => [e.id || e.innerText,
    getComputedStyle(e).outlineStyle + " " + getComputedStyle(e).outlineWidth]
)(document.activeElement)"""
pytestmark = pytest.mark.skipif(CHROME is None, reason="No Chromium is installed on this machine.")


class Witness:
    """A page of the browser, and whatever happened to it that should not."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))

    def visit(self, path: str) -> None:
        response = self.page.goto(f"{self.url}{path}")
        assert response
        assert response.status == 200

    def _console(self, message: ConsoleMessage) -> None:
        self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.asked.append(request.url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of this file."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROME, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def scene(database_url: str) -> tuple[Flask, str, str]:
    """A busy account with hostile names: the host, the account's key, and an item's id."""
    billing = billing_on(database_url, clock=Clock(), dashboard_prefix=PAGES)
    actor = account_with(billing, "100")
    item = furnish(billing, actor)
    return app_with(billing), token_of(billing, actor), item


def furnish(billing: Billing, actor: Actor) -> str:
    """Items, a limit, a vendor and uses, named by people who mean no good."""
    account, item = str(actor.account_id), ""
    for number, text in enumerate(HOSTILE):
        name = text[:100]
        item = enter(
            actor, f"{number}.5{number}", name=name, provider=name, service_id=name, tags=[name]
        )
    operations.set_limit(actor, account, Money.parse("9"), name=HOSTILE[1])
    operations.connect(actor, account, "fake", credentials={"api_key": "k"}, label=HOSTILE[0])
    operations.record_usage(actor, account, Usage("m", cost=Money.parse("0.123456789")))
    return item


@pytest.fixture
def url(scene: tuple[Flask, str, str]) -> Iterator[str]:
    """Where a real server serves the host."""
    server = make_server("127.0.0.1", 0, scene[0], threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["light", "dark", "mobile", "no JavaScript"])
def witness(
    request: pytest.FixtureRequest, browser: Browser, scene: tuple[Flask, str, str], url: str
) -> Iterator[Witness]:
    """A browser of each kind, which gives the key when it is asked for it."""
    narrow = request.param == "mobile"
    context = browser.new_context(
        http_credentials={"username": "", "password": scene[1]},
        color_scheme="dark" if request.param == "dark" else "light",
        viewport={"width": 360 if narrow else 1200, "height": 800},
        java_script_enabled=request.param != "no JavaScript",
    )
    context.set_default_timeout(5_000)
    yield Witness(context.new_page(), url + PAGES)
    context.close()


def test_every_page_loads_without_a_complaint(
    witness: Witness, scene: tuple[Flask, str, str]
) -> None:
    for path in (*SEEN, f"/items/{scene[2]}"):
        witness.visit(path)
        assert witness.page.locator("h1").count() == 1
        body = witness.page.locator("body")
        wide = body.evaluate("e => e.ownerDocument.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} is {wide} pixels too wide"
        shown = body.evaluate("e => getComputedStyle(e).margin")
        assert shown == "0px", "the stylesheet was not applied"
    assert witness.complaints == []
    assert witness.asked
    assert {address.split(PAGES)[0] for address in witness.asked} == {
        witness.url.removesuffix(PAGES)
    }


def test_what_a_foreign_script_would_do_is_blocked(witness: Witness) -> None:
    """So that the test above would have seen it: a script that got in would not run."""
    witness.visit("/items")
    add = "e => { const s = document.createElement('script'); s.text = 'x'; e.append(s) }"
    witness.page.locator("body").evaluate(add)
    witness.page.locator("body").evaluate("e => { e.innerHTML += '<img src=//evil.example/x>' }")
    assert any("Content Security Policy" in one for one in witness.complaints)


def test_a_printed_page_has_every_figure_and_no_form(witness: Witness) -> None:
    witness.page.emulate_media(media="print")
    witness.visit("/costs?period=all")
    assert witness.page.locator("table").count() == 2
    assert all(table.is_visible() for table in witness.page.locator("td data").all())
    assert not witness.page.locator("form").is_visible()
    assert not witness.page.locator("nav").is_visible()


def test_the_form_works_with_the_keyboard_alone(witness: Witness) -> None:
    witness.visit("/costs")
    keyboard, reached = witness.page.keyboard, []
    for _ in range(60):
        keyboard.press("Tab")
        name, ring = witness.page.evaluate(FOCUS)
        assert ring == "solid 3px", f"the focus on {name} cannot be seen"
        reached.append(name)
        if reached[-1] == "provider":
            keyboard.type("nobody")
        if reached[-1] == "Show":
            break
    assert reached[0] == "Skip to the content"
    assert reached[1:6] == ["Billing", "Overview", "Costs", "Items", "Ledger"]
    fields = ["period", "from", "to", "source", "provider", "category", "service", "by", "interval"]
    assert [one for one in dict.fromkeys(reached) if one in fields] == fields
    keyboard.press("Enter")
    witness.page.wait_for_url("**provider=nobody**")
    assert witness.page.locator(".empty-title").inner_text() == "Nothing was spent here."
    assert witness.complaints == []
