"""PDFs: the same paper is the same bytes, its text can be read, and no letter is made up."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pypdf
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables._g_l_y_f import Glyph

from billing_plugin import papers
from billing_plugin.papers.paper import Paper
from billing_plugin.papers.pdf import REMARK
from tests.billed import text_of

PAPER = Paper(
    title="Invoice INV-000001",
    made_at=datetime(2026, 3, 9, 14, 32, tzinfo=UTC),
    language="en",
    sender=["Müller & Söhne", "5 € Street"],
    receiver=["José Ñandú"],
    facts=[("Date", "2026-03-09")],
    columns=("Description", "Quantity", "Unit price", "Amount"),
    rows=[["gpt-4o: input tokens", "17", "0.0000025", "0.00"]],
    sums=[("Total", "1.00 EUR")],
)
HARD = replace(PAPER, receiver=["Łódź", "東京", "e\u0301", "a\nb\u202ec"])


@pytest.fixture(scope="session")
def font(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A TrueType font of our own that has the letters of these tests, but no 京."""
    letters = sorted({*map(chr, range(32, 127)), *"ŁódźüöéñúÑ€东東"})
    names = {letter: f"u{ord(letter):04x}" for letter in letters}
    made = FontBuilder(1000)
    made.setupGlyphOrder([".notdef", *names.values()])
    made.setupCharacterMap({ord(letter): name for letter, name in names.items()})
    made.setupGlyf({name: Glyph() for name in (".notdef", *names.values())})
    made.setupHorizontalMetrics(dict.fromkeys((".notdef", *names.values()), (500, 0)))
    made.setupHorizontalHeader(ascent=800, descent=-200)
    made.setupNameTable({"familyName": "Test", "styleName": "Regular"})
    made.setupOS2()
    made.setupPost()
    path = tmp_path_factory.mktemp("fonts") / "test.ttf"
    made.save(path)
    return str(path)


def test_what_it_says_can_be_read() -> None:
    pdf = papers.write_pdf(PAPER, font="")
    text = text_of(pdf)
    for words in ("Müller & Söhne", "5 € Street", "José Ñandú", "gpt-4o: input tokens", "1.00 EUR"):
        assert words in text
    assert REMARK not in text
    about = pypdf.PdfReader(io.BytesIO(pdf)).metadata
    assert about is not None
    assert (about.title, about.creation_date) == (PAPER.title, PAPER.made_at)


def test_the_same_is_the_same_bytes_in_every_process(font: str) -> None:
    script = (
        "import hashlib; from tests.papers.test_pdf import HARD, papers; print(["
        f"hashlib.sha256(papers.write_pdf(HARD, font=f)).hexdigest() for f in ('', {font!r})])"
    )
    root = Path(__file__).parents[2]
    answers = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root,
            env={"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(root)},
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }  # fmt: skip
    assert len(answers) == 1


def test_another_date_is_another_file() -> None:
    later = replace(PAPER, made_at=datetime(2026, 3, 10, tzinfo=UTC))
    assert papers.write_pdf(later, font="") != papers.write_pdf(PAPER, font="")


def test_what_no_font_has_stands_as_a_question_mark_and_is_said() -> None:
    text = text_of(papers.write_pdf(HARD, font=""))
    for words in ("?ód?", "??", "é", "a b c", REMARK):
        assert words in text


def test_a_font_of_the_hosts_shows_more(font: str) -> None:
    text = text_of(papers.write_pdf(HARD, font=font))
    for words in ("Łódź", "東?", "é", REMARK):
        assert words in text
    assert REMARK not in text_of(papers.write_pdf(PAPER, font=font))


def test_a_long_table_goes_on_with_its_head_on_every_page() -> None:
    rows = [[f"model {number}", "1", "", "0.00"] for number in range(120)]
    reader = pypdf.PdfReader(io.BytesIO(papers.write_pdf(replace(PAPER, rows=rows), font="")))
    pages = [page.extract_text() for page in reader.pages]
    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert f"{PAPER.title}  {number}/{len(pages)}" in page
        assert "Unit price" in page
    assert "model 119" in pages[-1]


def test_without_rows_and_with_remarks() -> None:
    text = text_of(papers.write_pdf(replace(PAPER, rows=[], remarks=["Void."]), font=""))
    assert "Void." in text
    assert "Unit price" not in text


def test_mounting_loads_no_library_for_it() -> None:
    script = (
        "import sys; from flask import Flask; from billing_plugin import Billing, operations;"
        " Billing('sqlite:///x.db').init_app(Flask('x'));"
        " sys.exit('fpdf' in sys.modules or 'PIL' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
