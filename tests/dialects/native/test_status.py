"""Native: the status tells of every item and adds up one currency alone."""

from __future__ import annotations

from billing_plugin.dialects.native.status import STATUS
from tests.dialects.faces import data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller

PATH = f"{NATIVE}/status"


def test_an_empty_account(call: Caller) -> None:
    status = fits(STATUS, data(call("GET", PATH)))
    assert status["config"] == {"version": 1, "currency": "USD"}
    numbers = {name: value for name, value in status.items() if type(value) is int}
    assert numbers == {
        "totalItems": 0, "totalCategories": 0, "totalSyncJobs": 0, "totalAmount": 0,
    }  # fmt: skip
    assert (status["totalExact"], status["otherCurrencies"]) == ("0.00", [])


def test_currencies_are_never_added(call: Caller) -> None:
    for amount, currency in ((150, "USD"), (99, "EUR"), (7, "JPY")):
        item = {"name": "x", "amount": amount, "currency": currency}
        data(call("POST", f"{NATIVE}/items", json=item), 201)
    item = {"name": "x", "amountExact": "0.00000000001"}
    data(call("POST", f"{NATIVE}/items", json=item), 201)
    status = fits(STATUS, data(call("GET", PATH)))
    assert (status["totalItems"], status["totalAmount"]) == (4, 150)
    assert (status["totalExact"], status["currency"]) == ("1.50000000001", "USD")
    assert status["otherCurrencies"] == ["EUR", "JPY"]


def test_it_says_where_things_are_kept(call: Caller, database_url: str) -> None:
    kept = "file" if database_url.startswith("sqlite") else "postgresql"
    assert data(call("GET", PATH))["storageType"] == kept
