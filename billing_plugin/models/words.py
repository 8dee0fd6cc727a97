"""Words of a text as they are searched: the same for what is kept and for what is asked.

A word is a run of letters and digits, without case and accents. Both databases are given words
alone, never a caller's text: nothing that somebody types is syntax to them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

MAX_WORD_LENGTH = 64  # characters; what comes after them is not searched
MAX_SAME, MAX_WORDS = 255, 4_096  # of one item: a PostgreSQL text vector holds no more
GAP = "0"  # no phrase reaches over it; shorter than any word that is kept
MIN_PREFIX = 2  # characters
_ASCII = re.compile("[a-z0-9]+")
_ANY = re.compile(r"[^\W_]+")
_CACHED_LENGTH = 200


class Term(NamedTuple):
    """Words that stand one after the other; of the last one perhaps only how it begins."""

    words: tuple[str, ...]
    begins: bool = False


def words_in(text: str) -> tuple[str, ...]:
    """The words of a text, in order."""
    return _known(text) if len(text) <= _CACHED_LENGTH else _read(text)


def terms_in(asked: str) -> list[Term]:
    """What is asked for: words, `begin*`, "whole phrases"; the last word may be begun only.

    What stands together (`inv-2026`) is a phrase too. A quote that is not closed quotes nothing.
    """
    found: list[Term] = []
    parts = asked.split('"')
    for number, part in enumerate(parts):
        is_quoted = number % 2 == 1 and number < len(parts) - 1
        last = number == len(parts) - 1
        found += _quoted(part) if is_quoted else _plain(part, last=last)
    return list(dict.fromkeys(found))


def stand_in(text: str, terms: Iterable[Term]) -> bool:
    """Whether all the terms stand in the text."""
    said = f" {' '.join(words_in(text))} "
    return all(f" {' '.join(one.words)}{'' if one.begins else ' '}" in said for one in terms)


def bounded(words: Iterable[str]) -> Iterator[str]:
    """As many of them as an item may have; a gap where there are too many of one."""
    seen: Counter[str] = Counter()
    for word in islice(words, MAX_WORDS):
        seen[word] += 1
        yield word if seen[word] <= MAX_SAME else GAP


def _read(text: str) -> tuple[str, ...]:
    found = _ASCII.findall(text.lower()) if text.isascii() else _ANY.findall(_folded(text))
    return tuple([word[:MAX_WORD_LENGTH] for word in found])


_known = lru_cache(maxsize=8_192)(_read)  # the lines of a bill say the same again and again


def _folded(text: str) -> str:
    """Without case and accents. What folding brings about is folded once more."""
    for _ in range(2):
        plain = unicodedata.normalize("NFKD", text).casefold()
        text = "".join(one for one in plain if not unicodedata.combining(one))
    return text


def _quoted(part: str) -> list[Term]:
    words = words_in(part)
    return [Term(words)] if words else []


def _plain(part: str, *, last: bool) -> Iterator[Term]:
    chunks = part.split()
    for number, chunk in enumerate(chunks):
        words = words_in(chunk)
        begins = chunk.endswith("*") or (last and number == len(chunks) - 1)
        if words:
            yield Term(words, begins and len(words[-1]) >= MIN_PREFIX)
