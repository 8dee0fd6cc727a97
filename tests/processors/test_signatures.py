"""Only who knows a secret signs, and only for now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_plugin.errors import InvalidRequest
from billing_plugin.processors import signatures

NOW = datetime(2026, 3, 9, 14, 32, tzinfo=UTC)
BODY = b'{"id": "evt_1"}'


def is_valid(header: str, body: bytes = BODY, *secrets: str) -> bool:
    try:
        signatures.verify(body, header, secrets=secrets or ["new", "old"], at=NOW)
    except InvalidRequest as error:
        assert error.code == "invalid_signature"
        return False
    return True


@pytest.mark.parametrize("secret", ["new", "old"])
def test_either_secret_signs_while_they_are_rotated(secret: str) -> None:
    assert is_valid(signatures.sign(BODY, secret, NOW))
    assert not is_valid(signatures.sign(BODY, secret, NOW), BODY, "other")


@pytest.mark.parametrize(
    ("seconds", "valid"),
    [(0, True), (300, True), (-300, True), (301, False), (-301, False), (86_400 * 365, False)],
)
def test_a_message_is_of_now_neither_old_nor_of_the_future(seconds: int, valid: bool) -> None:
    assert is_valid(signatures.sign(BODY, "new", NOW + timedelta(seconds=seconds))) is valid


def test_a_body_that_was_changed_is_not_signed() -> None:
    assert not is_valid(signatures.sign(BODY, "new", NOW), BODY + b" ")


GOOD = signatures.sign(BODY, "new", NOW)
MOMENT, DIGEST = GOOD.split(",")
HEADERS = [
    "", ",", "t=", "v1=", "t=1,v1=", MOMENT, DIGEST, f"{MOMENT},v0={DIGEST[3:]}",
    f"{MOMENT},{MOMENT},{DIGEST}", f"t=-5,{DIGEST}", f"t=9e9,{DIGEST}", f"t=\u0661,{DIGEST}",
    f"{MOMENT},v1=é", f"{MOMENT},{DIGEST}0", f"{MOMENT},{DIGEST.upper()}",
    f"{MOMENT}," + ",".join(["v1=00"] * 10) + f",{DIGEST}", "t=" + "9" * 400 + f",{DIGEST}",
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_what_is_no_signature_is_refused_alike(header: str) -> None:
    assert not is_valid(header)


@given(st.text(max_size=200))
def test_no_text_is_a_signature(header: str) -> None:
    assert not is_valid(header)


def test_a_second_signature_may_be_the_right_one() -> None:
    assert is_valid(f"{MOMENT},v1=00,{DIGEST}")


BODIES = [
    *(b"", b"[]", b"1", b"null", b'"a"', b"{", b"\xff", b"[" * 100_000),
    *(b'{"id": "a", "id": "b"}', b'{"data": {"id": "a", "id": "a"}}'),
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_is_a_json_object(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        signatures.document(body)
    assert caught.value.code == "malformed_json"


def test_a_json_object_is_read() -> None:
    assert signatures.document(b'{"a": 1}') == {"a": 1}
