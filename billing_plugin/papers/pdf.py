"""Papers as PDFs, by fpdf2: the same paper is the same bytes.

No font comes with it. What the standard fonts of every reader have not (they have the letters of
Western Europe and the euro sign) needs a font of the host's; else it is shown as `?`, and the paper
says so. Nothing is ever spelled in other letters: a name is a name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

from billing_plugin.errors import ConfigurationError
from billing_plugin.papers.paper import Paper

STANDARD, OWN = "helvetica", "own"
CHARACTERS = "windows-1252"  # what standard fonts have
UNKNOWN = "?"
FONTS = (b"\0\1\0\0", b"OTTO", b"true")  # how their files begin
NO_FONT = "BILLING_INVOICE_FONT is not a TrueType file."
REMARK = "Some characters cannot be shown with this font; they stand as ?."
TEXT_PT, SMALL_PT, TITLE_PT = 9, 8, 16
LINE_MM, MARGIN_MM = 5, 18
COLUMNS = (100, 26, 28, 26)  # widths, of 180
LABEL_MM, VALUE_MM = 60, 40


def write(paper: Paper, *, font: str) -> bytes:
    """The paper as a PDF. Raises ConfigurationError for a font that cannot be read."""
    sheet = _Sheet(paper.title)
    sheet.set_creation_date(paper.made_at)
    sheet.set_lang(paper.language)
    letters = _Letters(sheet, _with_font(sheet, font))
    shown = letters.of(paper)
    sheet.set_title(shown.title)
    sheet.add_page()
    _head(sheet, shown)
    _table(sheet, shown)
    _sums(sheet, shown)
    for remark in [*shown.remarks, *([REMARK] if letters.have_failed else [])]:
        sheet.words(remark, size=SMALL_PT)
    return bytes(sheet.output())


class _Sheet(FPDF):
    """An A4 page with the title and the number of the page at its foot."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self.name = title
        self.set_margin(MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=MARGIN_MM)
        self.set_producer("flask-billing-plugin")
        self.core_fonts_encoding = CHARACTERS

    def footer(self) -> None:
        """Called by fpdf2 at the end of every page."""
        self.set_y(-MARGIN_MM + LINE_MM)
        self.set_font_size(SMALL_PT)
        self.cell(0, LINE_MM, f"{self.name}  {self.page_no()}/{{nb}}", align="R")

    def words(self, text: str, *, size: int = TEXT_PT, align: str = "L") -> None:
        """A paragraph over the whole width."""
        self.set_font_size(size)
        self.multi_cell(0, LINE_MM, text, align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


@dataclass
class _Letters:
    """Which characters can be shown, and whether one could not."""

    sheet: _Sheet
    known: frozenset[int] | None  # None: those of the standard fonts
    have_failed: bool = False

    def of(self, paper: Paper) -> Paper:
        """The paper in characters that can be shown."""
        self.sheet.name = self._text(paper.title)
        return Paper(
            self.sheet.name, paper.made_at, paper.language, self._all(paper.sender),
            self._all(paper.receiver), self._pairs(paper.facts), self._all(paper.columns),
            [self._all(row) for row in paper.rows], self._pairs(paper.sums),
            self._all(paper.remarks),
        )  # fmt: skip

    def _pairs(self, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(self._text(name), self._text(value)) for name, value in pairs]

    def _all(self, texts: Iterable[str]) -> list[str]:
        return [self._text(text) for text in texts]

    def _text(self, text: str) -> str:
        return "".join(map(self._one, unicodedata.normalize("NFC", text)))

    def _one(self, letter: str) -> str:
        if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp"):
            return " "
        if self._has(letter):
            return letter
        self.have_failed = True
        return UNKNOWN

    def _has(self, letter: str) -> bool:
        if self.known is not None:
            return ord(letter) in self.known
        try:
            return bool(letter.encode(CHARACTERS))
        except UnicodeEncodeError:
            return False


def _with_font(sheet: _Sheet, path: str) -> frozenset[int] | None:
    """Sets the font; the characters of the host's own, None of a standard one."""
    if not path:
        sheet.set_font(STANDARD, size=TEXT_PT)
        return None
    if not _begins_like_a_font(path):  # the library would leave it open
        raise ConfigurationError(NO_FONT)
    try:
        sheet.add_font(OWN, fname=path)
        sheet.set_font(OWN, size=TEXT_PT)
    except Exception as error:  # whatever a file that is no font makes the library stumble over
        raise ConfigurationError(NO_FONT) from error
    return frozenset(getattr(sheet.fonts[OWN], "cmap", ()))


def _begins_like_a_font(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(4) in FONTS
    except OSError:
        return False


def _head(sheet: _Sheet, paper: Paper) -> None:
    for line in paper.sender:
        sheet.words(line, align="R")
    for line in paper.receiver:
        sheet.words(line)
    sheet.ln(LINE_MM)
    sheet.words(paper.title, size=TITLE_PT)
    sheet.ln(2)
    for name, value in paper.facts:
        sheet.words(f"{name}: {value}")
    sheet.ln(LINE_MM)


def _table(sheet: _Sheet, paper: Paper) -> None:
    if not paper.rows:
        return
    sheet.set_font_size(SMALL_PT)
    with sheet.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES, col_widths=COLUMNS, line_height=LINE_MM,
        text_align=("LEFT", "RIGHT", "RIGHT", "RIGHT"), headings_style=FontFace(),
    ) as table:  # fmt: skip
        for cells in [paper.columns, *paper.rows]:
            row = table.row()
            for text in cells:
                row.cell(text)


def _sums(sheet: _Sheet, paper: Paper) -> None:
    sheet.ln(LINE_MM)
    sheet.set_font_size(TEXT_PT)
    for name, value in paper.sums:
        sheet.set_x(-MARGIN_MM - LABEL_MM - VALUE_MM)
        sheet.cell(LABEL_MM, LINE_MM, name)
        sheet.cell(VALUE_MM, LINE_MM, value, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    sheet.ln(LINE_MM)
