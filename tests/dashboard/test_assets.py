"""The stylesheet: open to all, asks nothing of anybody else, and is readable in light and dark."""

from __future__ import annotations

import re

import pytest

from billing_plugin.dashboard.assets import STATIC
from tests.dashboard.reader import POLICY, Visitor

CSS = (STATIC / "style.css").read_text(encoding="utf-8")
# foreground, background, least contrast (WCAG 2.2: text 1.4.3, what can be acted on 1.4.11)
PAIRS = [
    *((name, ground, 4.5) for name in ("ink", "quiet", "accent") for ground in ("ground", "sheet")),
    *((name, "sheet", 4.5) for name in ("minus", "near", "over", "good")),
    *((name, ground, 4.5) for name in ("ink",) for ground in ("warn-ground", "bad-ground")),
    *((name, "sheet", 3) for name in ("edge", "bar", "near", "over")),
    ("sheet", "accent", 4.5),
]


def colours(text: str) -> dict[str, str]:
    """The colours that the first :root of the text names."""
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", text.split("}", 1)[0]))


LIGHT = colours(CSS)
DARK = LIGHT | colours(CSS.split("prefers-color-scheme: dark", 1)[1])


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_measure_of_contrast_is_right() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#777777", "#ffffff"), 2) == 4.48


@pytest.mark.parametrize(("name", "ground", "least"), PAIRS)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(colours: dict[str, str], name: str, ground: str, least: float) -> None:
    assert contrast(colours[name], colours[ground]) >= least


def test_anybody_may_read_it(person: Visitor) -> None:
    response = person.get("/style.css", auth=None, buffered=True)
    assert (response.status_code, response.mimetype) == (200, "text/css")
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    assert response.headers["Content-Security-Policy"] == POLICY
    assert response.text == CSS
    again = person.get(
        "/style.css", auth=None, headers={"If-None-Match": response.headers["ETag"]}, buffered=True
    )
    assert again.status_code == 304


def test_it_asks_nothing_of_anybody_else() -> None:
    assert not re.search(r"url\(|@import|@font-face|https?:|//", CSS)


def test_it_knows_dark_narrow_and_printed_pages_and_shows_the_focus() -> None:
    for words in (
        "prefers-color-scheme: dark",
        "max-width: 40rem",
        "@media print",
        ":focus-visible",
    ):
        assert words in CSS
