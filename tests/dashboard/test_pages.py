"""Pages: nothing that anybody wrote is anything but text; the host's templates do not reach in."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, render_template_string
from jinja2 import DictLoader

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dashboard.pages import TEMPLATES, link
from billing_plugin.operations import Usage
from tests.dashboard.reader import EVERY_PAGE, PAGES, Visitor, assert_sound, enter, read

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title></style></textarea><iframe src=//evil.example>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raise %}",
    "&lt;b&gt;&amp;#60;",
    "\u202eflipped\u2066 \u200f",
    "a\u0300\u0301" * 40,
    "<!-- --><![CDATA[",
    "🎉 \U0001d518",
]
LONG = "<b>" + "W" * 396 + "</b>"
MARKS = ("<script", "<img", "<svg onload", "<iframe", "<b>", "onerror=alert(1)>")


@pytest.fixture(params=[*HOSTILE, LONG], ids=[*map(str, range(len(HOSTILE))), "long"])
def text(request: pytest.FixtureRequest) -> str:
    """Something that somebody wrote to do harm, or without thinking."""
    found: str = request.param
    return found


def furnished(billing: Billing, actor: Actor, text: str) -> str:
    """The account with this text wherever one can be written: the id of an item."""
    account, short = str(actor.account_id), text[:100]
    operations.create_category(actor, account, text[:200])
    item = enter(
        actor, "1.5", name=text[:200], provider=short, service_id=text[:200], category=text[:200],
        tags=[short], description=text, meta={short: short}, usage={"unit": short},
        scope={"name": short}, author_email=short, environment=short,
    )  # fmt: skip
    operations.adjust(billing.operator(), account, Money.parse("1"), reason=text)
    operations.set_limit(
        actor, account, Money.parse("9"), name=text[:200], filters={"metadata.x": [text[:200]]}
    )
    operations.connect(
        actor, account, "fake", credentials={"api_key": "k"}, label=short, settings={"note": text}
    )
    operations.sync_integrations(actor, account)
    use = Usage("m", cost=Money.parse("0.5"), metadata={short: text})
    operations.record_usage(actor, account, use)
    return item


def test_what_people_write_is_shown_as_text(
    billing: Billing, actor: Actor, person: Visitor, text: str
) -> None:
    item = furnished(billing, actor, text)
    paths = [f"/costs?by={by}" for by in ("provider", "category", "service", "tag")]
    seen = {path: person.get(path) for path in (*EVERY_PAGE, *paths, f"/items/{item}")}
    for path, response in seen.items():
        assert response.status_code == 200, path
        assert_sound(response)
        assert not [mark for mark in MARKS if mark in response.text], path
    for path in (f"/items/{item}", "/ledger"):
        assert text in read(seen[path].text).text, path
    for path in ("", "/items", *paths):
        assert text[:100] in read(seen[path].text).text, path


def test_what_people_ask_is_said_back_as_text(person: Visitor, text: str) -> None:
    for path in ("/costs", "/items"):
        page = person.see(path, query_string={"provider": text[:500], "service": text[:500]})
        assert page.all("input", id="provider")[0]["value"] == text[:500]
        refused = person.get(path, query_string={text[:50]: text})
        assert refused.status_code == 400
        assert_sound(refused)
        assert not [mark for mark in MARKS if mark in refused.text]


def test_a_very_long_name_is_shown_and_read(actor: Actor, person: Visitor) -> None:
    """As long as an item's name may be, and a description of 4,000 characters."""
    item = enter(actor, "1", name="n" * 200, description="<i>" + "d" * 3_990)
    page = person.see(f"/items/{item}")
    assert "n" * 200 in page.text
    assert "<i>" + "d" * 3_990 in page.text


def test_what_people_write_stands_by_itself(actor: Actor, person: Visitor) -> None:
    """Marks that turn the direction of text end where the name ends."""
    enter(actor, "1", name="\u202eturned", provider="\u2067p")
    names = [one.text for one in person.see("/items").all("tbody")[0].all("bdi")]
    assert names[:2] == ["\u202eturned", "\u2067p"]


def test_nothing_of_the_host_reaches_a_template(
    billing: Billing, actor: Actor, app: Flask, person: Visitor
) -> None:
    pages = dict.fromkeys(("base.html", "overview.html", "error.html"), "of the host")
    app.jinja_loader = DictLoader(pages)
    app.jinja_env.globals["link"] = lambda *_: "of the host"
    app.context_processor(lambda: {"here": "of the host", "title": "of the host"})
    for path in (*EVERY_PAGE, "/nothing"):
        assert "of the host" not in person.get(path).text
    with app.test_request_context():
        assert render_template_string("{{ here }}") == "of the host"
    assert TEMPLATES.autoescape is True


def test_a_link_leaves_out_what_is_not_said(app: Flask) -> None:
    with app.test_request_context(f"{PAGES}/costs?account=a%26b"):
        assert link("items", "x/../y?", to=None, provider="") == (
            f"{PAGES}/items/x%2F..%2Fy%3F?account=a%26b"
        )
    with app.test_request_context(f"{PAGES}/"):
        said: dict[str, Any] = {"from": "2026-03-01", "provider": "a b&c"}
        assert link("costs", **said) == f"{PAGES}/costs?from=2026-03-01&provider=a+b%26c"
