"""Reading pages as a browser would, far enough to see what they say and whether it is well said."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from flask import Flask

from billing_plugin import Actor, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft

PAGES = "/billing"
EVERY_PAGE = ("", "/costs", "/items", "/ledger")
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
BLOCKS = {"dt", "dd", "li", "td", "th", "p", "ul", "dl", "h1", "h2", "h3"}
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Element:
    """One element: its name, attributes, what is in it, and the words in it and below."""

    def __init__(self, name: str, attributes: dict[str, str | None]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""

    def __getitem__(self, name: str) -> str:
        return self.attributes.get(name) or ""

    def all(self, name: str, **attributes: str) -> list[Element]:
        """Every element below of that name with these attributes, in order."""
        return [
            one
            for one in self.below()
            if one.name == name and all(one[key] == value for key, value in attributes.items())
        ]

    def below(self) -> Iterator[Element]:
        """Every element below, in order."""
        for child in self.children:
            yield child
            yield from child.below()


class _Reader(HTMLParser):
    """Builds the tree; whatever is closed in the wrong order is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> says something twice"
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop().name == tag, f"</{tag}> closes something else"
            if tag in BLOCKS:
                self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def read(html: str) -> Element:
    """The page as a tree. Fails for one that is not well-formed."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].name}> is never closed"
    return reader.root


class Visitor:
    """Somebody with a browser and a key."""

    def __init__(self, app: Flask, token: str) -> None:
        self.client = app.test_client()
        self.auth = ("anybody", token)

    def get(self, path: str = "", **options: Any) -> Any:
        """The response to one request below the prefix."""
        return self.client.get(PAGES + path, **{"auth": self.auth, **options})

    def see(self, path: str = "", status: int = 200, **options: Any) -> Element:
        """The page that is answered, which must be sound."""
        response = self.get(path, **options)
        assert response.status_code == status, (response.status_code, response.text)
        assert_sound(response)
        return read(response.text)


def assert_sound(response: Any) -> None:
    """What holds for every page: headers, landmarks, labels, no script, no style but ours."""
    assert response.content_type == "text/html; charset=utf-8"
    headers = response.headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Request-Id"]
    assert "Set-Cookie" not in headers
    page = read(response.text)
    assert [one["lang"] for one in page.all("html")] == ["en"]
    for landmark in ("header", "nav", "main", "footer", "h1", "title"):
        assert len([one for one in page.all(landmark) if not _in_picture(page, one)]) == 1, landmark
    _assert_no_code(page)
    _assert_named(page)


def _in_picture(page: Element, element: Element) -> bool:
    return any(element in list(svg.below()) for svg in page.all("svg"))


def _assert_no_code(page: Element) -> None:
    assert not page.all("script")
    assert not page.all("style")
    for one in page.below():
        assert not [name for name in one.attributes if name.startswith("on") or name == "style"]
        for address in (one["href"], one["src"], one["action"]):
            assert not address or address.startswith((PAGES, "#main", "data:,")), address


def _assert_named(page: Element) -> None:
    ids = [one["id"] for one in page.below() if one["id"]]
    assert len(ids) == len(set(ids))
    labels = {label["for"] for label in page.all("label")}
    for name in ("input", "select"):
        shown = [one for one in page.all(name) if one["type"] != "hidden"]
        assert all(one["id"] in labels for one in shown)
    assert all(one["scope"] in ("col", "row") for one in page.all("th"))
    assert all(table.all("caption") for table in page.all("table"))
    for svg in page.all("svg"):
        named = set(svg["aria-labelledby"].split())
        assert svg["aria-hidden"] == "true" or (named and named <= set(ids) and svg.all("title"))
    assert all(one["aria-label"] for one in page.all("nav"))


def amounts(element: Element) -> list[str]:
    """The exact amounts in it, in order."""
    found = [one["value"] for one in element.all("data")]
    assert found == [one.text for one in element.all("data")]
    return found


def rows(table: Element) -> list[list[str]]:
    """The words of each cell of a table's body."""
    body = table.all("tbody")[0]
    return [[" ".join(cell.text.split()) for cell in row.children] for row in body.children]


def enter(actor: Actor, amount: str, **said: Any) -> str:
    """An item of so many units: its id."""
    draft = ItemDraft(said.pop("name", "x"), Exact.parse(amount), **said)
    return operations.create_item(actor, str(actor.account_id), draft).item.id
