"""Native: invoices, credit notes, the draft of the running month, PDFs."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.dialects.native.invoices import INVOICE
from tests.billed import allow, buy, finalize, text_of, use, with_prices
from tests.deeds import spend
from tests.dialects.faces import assert_refused, data, disputed_invoice, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock, account_with, app_with, billing_on, token_of

PATH = f"{NATIVE}/invoices"


@pytest.fixture
def owing(billing: Billing, clock: Clock) -> tuple[Caller, Actor]:
    """A client of an account that bought credit, used more, and whose month is closed."""
    actor = account_with(billing)
    call = Caller(app_with(billing), token_of(billing, actor))
    allow(billing, actor, "50")
    with_prices(billing)
    buy(actor, "5")
    use(actor, input_tokens=2_000_000)
    spend(actor, "1.005", model="other", provider="zeta")
    clock.forward(days=40)
    finalize(billing)
    return call, actor


def numbers(answer: Any) -> list[str]:
    return [fits(INVOICE, one)["number"] for one in data(answer)]


def test_a_statement(owing: tuple[Caller, Actor]) -> None:
    call, _ = owing
    statement, bought = data(call("GET", PATH))
    assert (bought["kind"], bought["status"], bought["total"]["cents"]) == ("topup", "paid", 500)
    assert fits(INVOICE, data(call("GET", f"{PATH}/{statement['id']}"))) == statement
    money = {name: statement[name]["amount"] for name in ("subtotal", "credit", "total", "left")}
    assert money == {"subtotal": "6.005", "credit": "5.00", "total": "1.00", "left": "1.00"}
    assert {name: statement[name] for name in ("number", "kind", "status", "cycle", "origin")} == {
        "number": "INV-000002", "kind": "monthly", "status": "open", "cycle": "2026-03",
        "origin": "manual",
    }  # fmt: skip
    assert (statement["periodStart"], statement["periodEnd"]) == (
        "2026-03-01T00:00:00.000Z", "2026-04-01T00:00:00.000Z",
    )  # fmt: skip
    assert statement["lines"][0] == {
        "description": "small (acme): input tokens", "provider": "acme", "model": "small",
        "unit": "input_tokens", "quantity": 2_000_000, "unitPrice": "0.0000025",
        "amount": {"amount": "5.00", "cents": 500, "currency": "USD"}, "late": False,
        "firstAt": "2026-03-09T14:32:00.000Z", "lastAt": "2026-03-09T14:32:00.000Z",
    }  # fmt: skip
    assert [line["amount"]["amount"] for line in statement["lines"]] == ["5.00", "1.005"]
    assert sum(line["amount"]["cents"] for line in statement["lines"]) == 600
    assert statement["closing"]["amount"] == "0.00"
    assert statement["postpaidLimit"]["amount"] == "50.00"


def test_the_draft_of_the_running_month(owing: tuple[Caller, Actor]) -> None:
    call, actor = owing
    spend(actor, "3")
    draft = fits(INVOICE, data(call("GET", f"{PATH}/preview")))
    assert (draft["id"], draft["number"], draft["issuedAt"]) == (None, None, None)
    assert (draft["status"], draft["cycle"], draft["left"]["amount"]) == (
        "draft",
        "2026-04",
        "3.00",
    )


def test_lists_are_narrowed_and_come_in_pages(owing: tuple[Caller, Actor]) -> None:
    call, _ = owing
    both = ["INV-000002", "INV-000001"]
    for query, want in {
        "": both, "kind=topup": both[1:], "kind=monthly": both[:1], "origin=auto": [],
        "origin=manual": both[1:], "cycle=2026-03": both, "since=2026-04": [], "ids=inv_x": [],
    }.items():  # fmt: skip
        assert numbers(call("GET", f"{PATH}?{query}")) == want
    assert numbers(call("GET", f"{NATIVE}/credit-notes?since=2026-01")) == []
    first = call("GET", f"{PATH}?limit=1")
    cursor = first.json["meta"]["nextCursor"]
    assert numbers(call("GET", f"{PATH}?limit=1&cursor={cursor}")) == both[1:]
    ids = ",".join(one["id"] for one in data(call("GET", PATH)))
    assert numbers(call("GET", f"{PATH}?ids={ids}")) == both


def test_a_list_as_a_file(owing: tuple[Caller, Actor]) -> None:
    call, _ = owing
    file = call("GET", f"{PATH}?format=csv")
    rows = list(csv.DictReader(io.StringIO(file.data.decode("utf-8-sig"))))
    assert [(row["number"], row["total.amount"]) for row in rows] == [
        ("INV-000002", "1.00"), ("INV-000001", "5.00"),
    ]  # fmt: skip


def test_a_pdf(owing: tuple[Caller, Actor]) -> None:
    call, _ = owing
    invoice_id = data(call("GET", PATH))[0]["id"]
    one, other = (call("GET", f"{PATH}/{invoice_id}/pdf") for _ in range(2))
    assert (one.status_code, one.mimetype) == (200, "application/pdf")
    assert one.headers["Content-Disposition"] == 'attachment; filename="INV-000002.pdf"'
    assert one.data == other.data
    assert "Total 1.00 USD" in text_of(one.data)
    refused = call("GET", f"{PATH}/inv_x/pdf")
    assert_refused(refused, "native", 404, "NOT_FOUND")


def test_an_open_one_is_marked_by_an_operator(billing: Billing, actor: Actor) -> None:
    app = app_with(billing)
    billing.authenticate = lambda request: (
        billing.operator() if request.headers.get("X-Desk") else None
    )
    desk = {"X-Desk": "open", "X-Billing-Account": str(actor.account_id)}
    invoice_id = disputed_invoice(actor, buy(actor, "5"))
    call = Caller(app, token_of(billing, actor))
    mark = {"json": {"status": "uncollectible", "reason": "lost"}}
    refused = call("POST", f"{PATH}/{invoice_id}/mark", **mark)
    assert_refused(refused, "native", 403, "FORBIDDEN")
    done = call("POST", f"{PATH}/{invoice_id}/mark", headers=desk, **mark)
    told = fits(INVOICE, data(done))
    assert (told["status"], told["reason"], told["paid"]["cents"]) == ("uncollectible", "lost", 0)
    mark["json"] = {"status": "void"}
    data(call("POST", f"{PATH}/{invoice_id}/mark", headers=desk, **mark))
    mark["json"] = {"status": "paid"}
    refused = call("POST", f"{PATH}/{invoice_id}/mark", headers=desk, **mark)
    assert_refused(refused, "native", 409, "NOT_OPEN")


def test_a_pdf_without_the_extra(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    billing = billing_on(database_url)
    actor = account_with(billing)
    buy(actor, "5")
    call = Caller(app_with(billing), token_of(billing, actor))
    monkeypatch.setattr("billing_plugin.papers.WRITER", "billing_plugin.papers.absent:write")
    invoice_id = data(call("GET", PATH))[0]["id"]
    assert_refused(call("GET", f"{PATH}/{invoice_id}/pdf"), "native", 501, "NOT_SUPPORTED")
