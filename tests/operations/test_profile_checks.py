"""What a billing profile may say: countries, e-mail addresses and tax ids by who knows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_plugin.errors import InvalidRequest
from billing_plugin.models.billing_profiles import FIELDS
from billing_plugin.operations.profile_checks import (
    MOST_CHARACTERS,
    TAX_ID_TYPES,
    checked,
    countries,
)

# of each kind one that is published or made by its rule, and what is wrong about another
TAX_IDS = {
    "au_abn": ("83 914 571 673", "99 999 999 999"),
    "br_cnpj": ("16.727.230/0001-97", "16.727.230.0001-98"),
    "br_cpf": ("390.533.447-05", "231.002.999-00"),
    "ch_vat": ("CHE-107.787.577 IVA", "CHE-107.787.578 IVA"),
    "es_cif": ("A13 585 625", "M-1234567-L"),
    "eu_vat": ("DE136695976", "DE136695977"),
    "gb_vat": ("GB 980 7806 84", "802311781"),
    "no_vat": ("NO 995 525 828 MVA", "NO 995 525 829 MVA"),
    "us_ein": ("91-1144442", "07-1144442"),
}


@pytest.mark.parametrize("kind", TAX_IDS)
def test_a_tax_id_is_held_against_its_rule(kind: str) -> None:
    good, bad = TAX_IDS[kind]
    assert checked({"tax_id_type": kind, "tax_id": good})["tax_id"] == good
    for wrong in (bad, "", "1", "\u0661" * 9, f"{good}\u0301", "x" * 40):
        with pytest.raises(InvalidRequest):
            checked({"tax_id_type": kind, "tax_id": wrong})


@pytest.mark.parametrize("kind", TAX_ID_TYPES)
@given(number=st.from_regex(r"[A-Za-z0-9 ./-]{0,30}", fullmatch=True))
def test_whatever_is_said_is_a_tax_id_or_refused(kind: str, number: str) -> None:
    try:
        assert checked({"tax_id_type": kind, "tax_id": number})["tax_id"] == number.strip()
    except InvalidRequest as refused:
        assert kind in refused.message


@pytest.mark.parametrize("kind", ["", "vat", "EU_VAT", "eu.vat", "../eu"])
def test_an_unknown_kind_of_tax_id_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="eu_vat"):
        checked({"tax_id_type": kind, "tax_id": "DE136695976"})


def test_countries_are_those_of_the_standard() -> None:
    assert {"DE", "GB", "US", "TW", "AQ"} <= countries()
    assert len(countries()) > 240
    assert checked({"country": "DE"})["country"] == "DE"
    for wrong in ("de", "UK", "EU", "XX", "D", "DEU", "D\u0415"):
        with pytest.raises(InvalidRequest):
            checked({"country": wrong})


EMAILS = {
    "a@example.com": "a@example.com",
    " First.Last+tag@Example.COM ": "First.Last+tag@example.com",
    "\u00fc@b\u00fccher.example.com": "\u00fc@b\u00fccher.example.com",
}


@pytest.mark.parametrize("said", EMAILS, ids=ascii)
def test_an_address_is_written_in_one_form(said: str) -> None:
    assert checked({"email": said})["email"] == EMAILS[said]


@pytest.mark.parametrize(
    "wrong",
    [
        "x",
        "@",
        "a@",
        "@b.com",
        "a@b",
        "a b@c.com",
        "a@b..com",
        "a@-b.com",
        "A <a@b.com>",
        "a@[1.2.3.4]",
    ],
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="e-mail"):
        checked({"email": wrong})


def test_text_is_trimmed_and_short_and_one_line() -> None:
    assert checked({"name": "  Acme & S\u00f6hne "})["name"] == "Acme & S\u00f6hne"
    for name in ("name", "line1", "line2", "city", "postal_code", "region"):
        most = MOST_CHARACTERS.get(name, 200)
        assert checked({name: "x" * most})[name] == "x" * most
        for wrong in ("x" * (most + 1), "a\nb", "a\tb", "\x00", "a\u202eb"):
            with pytest.raises(InvalidRequest, match=name):
                checked({name: wrong})


def test_what_is_not_said_is_empty() -> None:
    assert checked({}) == dict.fromkeys(FIELDS, "")
    assert checked({"name": " ", "more": "x"}) == dict.fromkeys(FIELDS, "")
