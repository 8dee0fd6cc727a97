"""Words are the same whatever their case, accents and the signs around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_plugin.models.words import (
    GAP,
    MAX_SAME,
    MAX_WORD_LENGTH,
    MAX_WORDS,
    Term,
    bounded,
    stand_in,
    terms_in,
    words_in,
)

WORDS = {
    "": (),
    " - * \"'%_\\ ": (),
    "GCP Compute_Engine": ("gcp", "compute", "engine"),
    "gcp-inv-2026/03": ("gcp", "inv", "2026", "03"),
    "Café CAFE\u0301 Straße": ("cafe", "cafe", "strasse"),
    "ﬁne ½ Ⅷ \uff27\uff30\uff34": ("fine", "1", "2", "viii", "gpt"),
    "ΣΊΣΥΦΟΣ İstanbul": ("σισυφοσ", "istanbul"),
    "счёт 請求書 🤖": ("счет", "請求書"),
    "x" * 100: ("x" * MAX_WORD_LENGTH,),
}
TERMS = {
    "": [],
    "*": [],
    '""': [],
    '"': [],
    "compute": [Term(("compute",), True)],
    "gcp compute": [Term(("gcp",)), Term(("compute",), True)],
    "comp* gcp ": [Term(("comp",), True), Term(("gcp",), True)],
    "x": [Term(("x",))],
    "x* y": [Term(("x",)), Term(("y",))],
    '"Compute Engine"': [Term(("compute", "engine"))],
    'a1 "b c" d1': [Term(("a1",)), Term(("b", "c")), Term(("d1",), True)],
    'a1 "b c': [Term(("a1",), False), Term(("b",)), Term(("c",))],
    "inv-2026 x1": [Term(("inv", "2026")), Term(("x1",), True)],
    "inv-2026": [Term(("inv", "2026"), True)],
    "NEAR(a b)": [Term(("near", "a")), Term(("b",))],
    "name: ^OR -NOT AND": [Term((word,)) for word in ("name", "or", "not")] + [
        Term(("and",), True)
    ],
    "aa bb aa ": [Term(("aa",)), Term(("bb",)), Term(("aa",), True)],
}  # fmt: skip


@pytest.mark.parametrize("text", WORDS)
def test_words_are_read(text: str) -> None:
    assert words_in(text) == WORDS[text]


@pytest.mark.parametrize("text", TERMS)
def test_questions_are_read(text: str) -> None:
    assert terms_in(text) == TERMS[text]


@given(st.text())
def test_a_word_has_nothing_that_is_syntax_or_changes_when_read_again(text: str) -> None:
    for word in words_in(text):
        assert 0 < len(word) <= MAX_WORD_LENGTH
        assert all(one.isalnum() for one in word)
        assert words_in(word) == (word,)
        assert words_in(word.upper()) == words_in(word.upper().lower())
    assert [word for term in terms_in(text) for word in term.words] or not words_in(text)


@pytest.mark.parametrize(
    "asked", ["compute", "comp", "gcp engine*", '"Compute Engine"', "eng* GCP"]
)
def test_terms_stand_in_a_text(asked: str) -> None:
    assert stand_in("GCP Compute-Engine", terms_in(asked))


@pytest.mark.parametrize("asked", ["omp", "comp gcp", '"gcp engine"', '"comp"', "engines", "x"])
def test_terms_that_are_not_all_there_do_not_stand_in_it(asked: str) -> None:
    assert not stand_in("GCP Compute-Engine", terms_in(asked))


def test_a_text_has_an_end() -> None:
    many = ["a", "b"] * MAX_SAME
    assert list(bounded([*many, "a", "c"])) == [*many, GAP, "c"]
    assert len(list(bounded(map(str, range(9_999))))) == MAX_WORDS
