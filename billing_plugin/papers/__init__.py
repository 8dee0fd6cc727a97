"""OUTWARD: what is printed. The library that writes it is loaded when something is."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

from billing_plugin.errors import NotSupported

if TYPE_CHECKING:
    from billing_plugin.papers.paper import Paper

WRITER = "billing_plugin.papers.pdf:write"


def write_pdf(paper: Paper, *, font: str) -> bytes:
    """The paper as a PDF, the same bytes each time. `font` is a TrueType file, or empty.

    Raises NotSupported without the extra `pdf`, ConfigurationError for a font that is none.
    """
    try:
        write = resolve_name(WRITER)
    except ImportError as error:
        raise NotSupported("PDFs need fpdf2; install the extra `pdf`.") from error
    found: bytes = write(paper, font=font)
    return found
