"""What a billing profile may say: checked by the libraries that know, and written in one form.

Countries are those of ISO 3166 as the time zone database lists them; tax ids are checked by
python-stdnum, with their check digits, and never asked about anywhere; e-mail addresses by
email-validator, without asking whether the domain takes mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pkgutil import resolve_name
from typing import Any

from billing_plugin.errors import InvalidRequest
from billing_plugin.models.billing_profiles import FIELDS

MOST_CHARACTERS = {"postal_code": 20, "tax_id": 40, "tax_id_type": 20, "country": 2, "email": 254}
MOST = 200  # characters of all others
# The names are Stripe's; the modules python-stdnum's.
TAX_ID_TYPES = {
    "ar_cuit": "ar.cuit", "au_abn": "au.abn", "br_cnpj": "br.cnpj", "br_cpf": "br.cpf",
    "ca_bn": "ca.bn", "ch_vat": "ch.vat", "cl_tin": "cl.rut", "co_nit": "co.nit",
    "cr_tin": "cr.cpj", "do_rcn": "do.rnc", "ec_ruc": "ec.ruc", "es_cif": "es.cif",
    "eu_vat": "eu.vat", "gb_vat": "gb.vat", "id_npwp": "id.npwp", "il_vat": "il.hp",
    "in_gst": "in_.gstin", "jp_cn": "jp.cn", "kr_brn": "kr.brn", "mx_rfc": "mx.rfc",
    "no_vat": "no.mva", "nz_gst": "nz.ird", "pe_ruc": "pe.ruc", "sg_uen": "sg.uen",
    "th_vat": "th.tin", "tr_tin": "tr.vkn", "tw_vat": "tw.ubn", "us_ein": "us.ein",
    "uy_ruc": "uy.rut", "vn_tin": "vn.mst",
}  # fmt: skip
_NUMBER = re.compile(r"[A-Za-z0-9 ./-]+", re.ASCII)


def checked(said: Mapping[str, str]) -> dict[str, str]:
    """Every field of a profile in its one form; what is not said is "". Raises InvalidRequest."""
    found = {name: _text(name, said.get(name, "")) for name in FIELDS}
    if found["country"] and found["country"] not in countries():
        raise InvalidRequest("The country is a code of ISO 3166, of two capital letters.")
    if found["email"]:
        found["email"] = _email(found["email"])
    if found["tax_id"] or found["tax_id_type"]:
        _check_tax_id(found["tax_id_type"], found["tax_id"])
    return found


@cache
def countries() -> frozenset[str]:
    """The codes of ISO 3166, of two letters."""
    table = (files("tzdata") / "zoneinfo" / "iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line[:2] for line in table.splitlines() if line and line[0] != "#")


def _text(name: str, value: str) -> str:
    text = value.strip()
    most = MOST_CHARACTERS.get(name, MOST)
    if len(text) > most or not text.isprintable():
        raise InvalidRequest(f"{name} is one line of at most {most} printable characters.")
    return text


def _email(text: str) -> str:
    validate: Any = resolve_name("email_validator:validate_email")
    wrong: Any = resolve_name("email_validator:EmailNotValidError")
    try:
        return str(validate(text, check_deliverability=False).normalized)
    except wrong as error:
        raise InvalidRequest("This is no e-mail address.") from error


def _check_tax_id(kind: str, number: str) -> None:
    """The number stays as people write it: offices and processors differ in what they strip."""
    if kind not in TAX_ID_TYPES:
        raise InvalidRequest(f"The type of a tax id is one of: {', '.join(TAX_ID_TYPES)}.")
    rules: Any = resolve_name(f"stdnum.{TAX_ID_TYPES[kind]}")
    if not _NUMBER.fullmatch(number) or not rules.is_valid(number):
        raise InvalidRequest(f"The tax id is no {kind}.")
