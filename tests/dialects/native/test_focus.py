"""Native: bills are uploaded whole or not at all, and come out as they are reported."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dialects.native.focus import IMPORTED
from billing_plugin.money import Exact
from billing_plugin.operations import Usage
from tests.dialects.faces import assert_refused, data, fits, staffed
from tests.dialects.routes import NATIVE
from tests.factories import Caller, app_with, billing_on, token_of
from tests.focus_files import GOOD, file_of, good_file
from tests.focus_rules import complaints

IMPORT, EXPORT = f"{NATIVE}/imports/focus", f"{NATIVE}/exports/focus"
ROWS = [{"BilledCost": f"{n}.00000000001"} for n in (1, 2, 3)]


def send(call: Caller, body: str | bytes, kind: str = "text/csv", **said: Any) -> Any:
    return call("POST", IMPORT, data=body, content_type=kind, **said)


def kept(call: Caller) -> int:
    return int(data(call("GET", f"{NATIVE}/reports/summary"))["itemCount"])


def rows_of(response: Any) -> list[dict[str, str]]:
    assert (response.status_code, response.content_type) == (200, "text/csv; charset=utf-8")
    assert complaints(response.text) == []
    return list(csv.DictReader(io.StringIO(response.text, newline="")))


def test_a_bill_goes_in_once_and_comes_out_as_it_is_reported(call: Caller) -> None:
    first = send(call, good_file(*ROWS))
    total = {"amount": "6.00000000003", "cents": 600, "currency": "USD"}
    told = {"rows": 3, "created": 3, "updated": 0, "unchanged": 0, "totals": [total]}
    assert fits(IMPORTED, data(first)) == told
    assert "Idempotent-Replayed" not in first.headers
    again = send(call, good_file(*ROWS), "text/csv; charset=utf-8")
    assert data(again) == {**told, "created": 0, "unchanged": 3}
    assert again.headers["Idempotent-Replayed"] == "true"
    longer = send(call, good_file(*ROWS, {"BilledCost": "0.5"}))
    assert (data(longer)["created"], data(longer)["unchanged"]) == (1, 3)
    assert "Idempotent-Replayed" not in longer.headers
    out = call("GET", EXPORT)
    summary = data(call("GET", f"{NATIVE}/reports/summary"))
    billed = sum((Exact.parse(row["BilledCost"]) for row in rows_of(out)), Exact(0))
    assert billed.text("USD") == summary["totalExact"] == "6.50000000003"
    assert out.headers["Content-Disposition"] == 'attachment; filename="focus.csv"'
    assert int(out.headers["Content-Length"]) == len(out.data)


def test_an_export_is_of_days_and_sources(call: Caller, actor: Actor) -> None:
    used = Usage("gpt-4o", input_tokens=7, cost=Money.parse("0.25"))
    operations.record_usage(actor, str(actor.account_id), used)
    send(call, good_file(*ROWS))
    january = call("GET", f"{EXPORT}?from=2026-01-01&to=2026-01-31")
    assert len(rows_of(january)) == 3
    name = 'attachment; filename="focus-2026-01-01-2026-01-31.csv"'
    assert january.headers["Content-Disposition"] == name
    [row] = rows_of(call("GET", f"{EXPORT}?source=metered"))
    assert (row["x_InputTokens"], row["BilledCost"]) == ("7", "0.25")
    assert len(rows_of(call("GET", f"{EXPORT}?source=focus,metered&from=2026-03-09"))) == 1
    assert rows_of(call("GET", f"{EXPORT}?provider=nobody")) == []
    assert_refused(call("GET", f"{EXPORT}?category=nobody"), "native", 404, "NOT_FOUND")


def test_a_long_export_is_sent_piece_by_piece(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(call, good_file(*ROWS))
    whole = call("GET", EXPORT)
    monkeypatch.setattr("billing_plugin.dialects.native.tables._IN_MEMORY", 100)
    monkeypatch.setattr("billing_plugin.dialects.native.tables._PIECE", 50)
    piecewise = call("GET", EXPORT)
    assert [len(piece) for piece in piecewise.response][:-1] == [50] * (len(whole.data) // 50)
    piecewise.close()
    again = call("GET", EXPORT)
    assert (again.data, again.content_length) == (whole.data, len(whole.data))
    again.close()


GOOD_TEXT = good_file({}, {"BilledCost": "2.5"})
WIDE = file_of(GOOD | {f"x_{n}": "v" for n in range(1000)})
# what is wrong -> the body, the line and the column that are named
BAD_FILES: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 1, ""),
    "only a byte order mark": (b"\xef\xbb\xbf", 1, ""),
    "binary": (bytes(range(256)) * 9, 1, ""),
    "a picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 500, 1, ""),
    "UTF-16": (GOOD_TEXT.encode("utf-16"), 1, ""),
    "UTF-16 without a mark": (GOOD_TEXT.encode("utf-16-le"), 1, ""),
    "latin-1": (good_file({"ServiceName": "Zürich"}).encode("latin-1"), 2, "ServiceName"),
    "NUL": (good_file({"ServiceName": "a\0b"}).encode(), 2, "ServiceName"),
    "JSON": (b'{"BilledCost": 1}', 1, "BilledCost"),
    "other columns": (b"a,b\r\n1,2\r\n", 1, "BilledCost"),
    "a column is missing": (GOOD_TEXT.replace("BilledCost,", "x_Cost,").encode(), 1, "BilledCost"),
    "a column twice": (GOOD_TEXT.replace("ListCost", "BilledCost").encode(), 1, "BilledCost"),
    "too many columns": (WIDE.encode(), 1, ""),
    "semicolons": (GOOD_TEXT.replace(",", ";").encode(), 1, ""),
    "cut off in a row": (GOOD_TEXT.encode()[:-300], 3, ""),
    "cut off in a quote": (GOOD_TEXT.encode()[:-30], 3, ""),
    "a huge field": (good_file({"ServiceName": "x" * 200_000}).encode(), 2, ""),
    "a quote never closed": (b'"' + b"x" * 5_000_000, 1, ""),
    "a long text": (good_file({"ChargeDescription": "x" * 4001}).encode(), 2, ""),
    **{
        f"{column} {text!r}": (good_file({}, {column: text}).encode(), 3, column)
        for column, text in [
            *[("BillingCurrency", one) for one in ("usd", "US", "DOLLAR", "€", "", "U$D")],
            *[("BilledCost", one) for one in ("1,5", "NaN", "$1", "1e400", "0x1", "", "1E+2")],
            ("BilledCost", "0.0000000000000000001"), ("BilledCost", "99999999999"),
            ("ChargePeriodStart", "01/02/2026"), ("ChargePeriodEnd", "2025-01-01T00:00:00Z"),
            ("ChargeCategory", "Gift"), ("Tags", "{"), ("Tags", '{"a": [1]}'),
            ("ProviderName", "NULL"), ("x_InputTokens", "1.5"),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_where_it_is_wrong_and_nothing_is_stored(
    call: Caller, name: str
) -> None:
    body, line, column = BAD_FILES[name]
    response = send(call, body)
    codes = ("UNREADABLE_FILE", "AMOUNT_OUT_OF_RANGE")
    told = assert_refused(response, "native", 400, *codes)
    assert (told["line"], told.get("column", "")) == (line, column), told
    assert kept(call) == 0


def test_every_wrong_cell_is_told(call: Caller) -> None:
    text = good_file({}, {"BilledCost": "1,5"}, {"Tags": "{", "BillingCurrency": "usd"})
    told = assert_refused(send(call, text), "native", 400, "UNREADABLE_FILE")
    where = [(one["line"], one["column"]) for one in told["errors"]]
    assert where == [(3, "BilledCost"), (4, "BillingCurrency"), (4, "Tags")]
    assert all(one["message"] for one in told["errors"])


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_changes_nothing(call: Caller, mark: str) -> None:
    assert data(send(call, mark + GOOD_TEXT))["created"] == 2
    assert data(send(call, GOOD_TEXT))["unchanged"] == 2


def test_a_header_alone_is_a_bill_of_nothing(call: Caller) -> None:
    header = GOOD_TEXT.partition("\r\n")[0]
    none = send(call, header)
    assert data(none) == {"rows": 0, "created": 0, "updated": 0, "unchanged": 0, "totals": []}
    assert "Idempotent-Replayed" not in none.headers


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "multipart/form-data"])
def test_what_is_sent_as_something_else_is_refused(call: Caller, kind: str) -> None:
    assert_refused(send(call, GOOD_TEXT, kind), "native", 415, "UNSUPPORTED_MEDIA_TYPE")
    assert kept(call) == 0


def test_an_upload_that_is_cut_off_is_refused(call: Caller) -> None:
    cut = {"CONTENT_LENGTH": str(len(GOOD_TEXT) + 1)}
    assert_refused(send(call, GOOD_TEXT, environ_overrides=cut), "native", 400, "VALIDATION_ERROR")
    assert kept(call) == 0


def test_the_greatest_file_has_a_setting_of_its_own(database_url: str) -> None:
    billing = billing_on(database_url, max_body_bytes=10, max_import_bytes=len(GOOD_TEXT) + 1)
    made = operations.create_account(billing.operator(), "Acme")
    actor = billing.actor(made.id, scopes=operations.account_scopes())
    call = Caller(app_with(billing), token_of(billing, actor))
    assert data(send(call, GOOD_TEXT))["created"] == 2
    assert_refused(send(call, GOOD_TEXT + "\n\n"), "native", 413, "PAYLOAD_TOO_LARGE")
    endless = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    for body, status in ((GOOD_TEXT, 200), (GOOD_TEXT + "\n\n", 413)):
        chunked = {**endless, "CONTENT_LENGTH": "", "wsgi.input": io.BytesIO(body.encode())}
        assert send(call, b"", environ_overrides=chunked).status_code == status


def test_metered_uses_need_the_scope_to_see_them(billing: Billing, actor: Actor) -> None:
    call = Caller(app_with(billing), token_of(billing, actor, "items:read"))
    assert call("GET", EXPORT).status_code == 200
    told = assert_refused(call("GET", f"{EXPORT}?source=metered"), "native", 403, "FORBIDDEN")
    assert told["scope"] == "reports:read"


def test_the_hosts_own_staff_may_send_a_file(billing: Billing, actor: Actor) -> None:
    app: Flask = app_with(billing)
    staffed(billing)
    headers = {"X-Desk": "open", "X-Billing-Account": str(actor.account_id)}
    client = app.test_client()
    sent = client.post(IMPORT, data=GOOD_TEXT, content_type="text/csv", headers=headers)
    assert data(sent)["created"] == 2
    # what a foreign page's form can send is not taken from whoever a cookie may have named
    form = client.post(IMPORT, data=GOOD_TEXT, content_type="text/plain", headers=headers)
    assert_refused(form, "native", 415, "UNSUPPORTED_MEDIA_TYPE")
