"""The pages about mounting, settings and faces are true: their examples run, their tables agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from billing_plugin import Billing, operations
from billing_plugin.config import Settings
from tests.dialects.routes import ROUTES
from tests.factories import Caller, account_with, app_with, billing_on, token_of

DOCS = Path(__file__).parent.parent / "docs"
FACES = ["native", "conduit", "spideriq"]
ANY = "…"


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of that language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def rows(page: str) -> list[list[str]]:
    """The cells of every table row that begins with code."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


@pytest.mark.parametrize("page", ["1-mount.md", "2-configure.md"])
def test_the_python_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "host"}
    found = blocks(page, "python")
    assert found
    try:
        for block in found:
            exec(compile(block, page, "exec"), names)
    finally:
        for made in names.values():
            if isinstance(made, Billing):
                made.close()


def test_every_setting_is_explained_with_its_default() -> None:
    told = {key: default for key, default, _ in rows("2-configure.md")}
    defaults = Settings()
    real = {f"BILLING_{name.upper()}": getattr(defaults, name) for name in names_of(Settings)}
    assert told == {key: str(value) if value != "" else "empty" for key, value in real.items()}


def names_of(settings: type[Settings]) -> list[str]:
    return list(settings.__annotations__)


@pytest.mark.parametrize("face", FACES)
def test_every_route_is_listed_with_its_scope(face: str) -> None:
    told = {tuple(row) for row in rows(f"dialects/{face}.md") if row[0].split(" ")[0].isupper()}
    prefix = re.compile(r"^/api/(v1/)?(billing|integrations)")
    real = {
        (f"{route.method} {prefix.sub('', route.path)}", route.scope)
        for route in ROUTES
        if route.face == face
    }
    assert told == real


@pytest.mark.parametrize("face", FACES)
def test_the_examples_of_a_face_are_answered_so(database_url: str, face: str) -> None:
    billing = billing_on(database_url)
    actor = account_with(billing, "50")
    for settings in ({"balance": "47.83", "usage_month": "89.47"}, {"fail": "auth"}):
        operations.connect(
            actor, actor.account_id, "fake", credentials={"api_key": "k"}, settings=settings
        )
    call = Caller(app_with(billing), token_of(billing, actor))
    examples = blocks(f"dialects/{face}.md", "http")
    assert examples
    for example in examples:
        replay(call, example)


def replay(call: Caller, example: str) -> None:
    """Sends what stands above the empty line and compares with what stands below."""
    asked, _, answered = example.partition("\n\n")
    first, *rest = asked.splitlines()
    headers = dict(line.split(": ") for line in rest if not line.startswith("{"))
    body = next((json.loads(line) for line in rest if line.startswith("{")), None)
    method, path = first.split(" ")
    response = call(method, path, headers=headers, json=body)
    status, _, document = answered.partition("\n")
    assert response.status_code == int(status), response.text
    assert like(response.json, json.loads(document)), (response.json, document)


def like(found: Any, told: Any) -> bool:
    """Equal, where `…` stands for anything and `x…` for any text that begins with x."""
    if isinstance(told, str) and told.endswith(ANY):
        return told == ANY or str(found).startswith(told[:-1])
    if isinstance(told, dict):
        same = isinstance(found, dict) and found.keys() == told.keys()
        return same and all(like(found[name], told[name]) for name in told)
    if isinstance(told, list):
        same = isinstance(found, list) and len(found) == len(told)
        return same and all(like(*pair) for pair in zip(found, told, strict=True))
    return type(found) is type(told) and bool(found == told)
