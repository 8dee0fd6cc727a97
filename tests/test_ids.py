"""Ids: prefixed, rising with time, and readable in the forms that faces show."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from billing_plugin.errors import NotFound
from billing_plugin.ids import from_hex, hex_of, new_id, uuid_of


def test_ids_rise_and_never_repeat() -> None:
    made = [new_id("led") for _ in range(5000)]
    assert made == sorted(set(made))


def test_ids_of_many_threads_never_repeat() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id("led"), range(8000)))
    assert len(set(made)) == len(made)


def test_an_id_is_a_version_7_uuid_in_three_forms() -> None:
    made = new_id("acct")
    assert UUID(uuid_of(made)).version == 7
    assert from_hex("acct", hex_of(made)) == from_hex("acct", uuid_of(made)) == made
    assert from_hex("acct", uuid_of(made).upper()) == made


@pytest.mark.parametrize(
    "text",
    [
        *("", "acct", "acct_", "acct_123", "_" + "0" * 32, "acct_" + "g" * 32, "acct_" + "A" * 32),
        *("acct_" + "0" * 33, "acct_" + "0" * 32 + "\n", "acct_" + "\uff11" * 32, "\ud800"),
    ],
)
def test_what_is_not_ours_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        hex_of(text)
    with pytest.raises(NotFound):
        uuid_of(text)


@pytest.mark.parametrize(
    "digits",
    [
        *(
            "",
            "0" * 31,
            "0" * 33,
            "g" * 32,
            "{" + "0" * 32 + "}",
            "urn:uuid:" + "0" * 32,
            "\0" * 32,
        ),
        *("\uff11" * 32, "0_" * 16, "0" * 32 + "\n", "0-" * 32, "\ud800", "x" * 10_000),
    ],
)
def test_only_hex_digits_name_an_id(digits: str) -> None:
    with pytest.raises(NotFound):
        from_hex("acct", digits)
