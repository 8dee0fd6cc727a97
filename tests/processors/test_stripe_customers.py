"""What Stripe says of payment methods that localstripe does not have, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import stripe

from billing_plugin.config import Settings
from billing_plugin.errors import ProviderAuthError, ProviderUnavailable, ProviderUnreadable
from billing_plugin.processors.processor import Method, Profile
from billing_plugin.processors.stripe import StripeProcessor
from billing_plugin.processors.stripe_customers import trouble

MADE = 1_767_225_600
AT = datetime.fromtimestamp(MADE, UTC)
CARD: dict[str, Any] = {"brand": "amex", "last4": "0005", "exp_month": 3, "exp_year": 2031}
SAID: dict[str, tuple[dict[str, Any], Method]] = {
    "card": (
        {"type": "card", "card": SimpleNamespace(**CARD), "customer": "cus_1"},
        Method("pm_1", "card", "cus_1", "amex", "0005", 3, 2031, added_at=AT),
    ),
    "bank account": (
        {
            "type": "us_bank_account",
            "us_bank_account": SimpleNamespace(bank_name="First Bank", last4="6789"),
            "customer": "cus_1",
        },
        Method("pm_1", "bank", "cus_1", last4="6789", bank_name="First Bank", added_at=AT),
    ),
    "SEPA": (
        {
            "type": "sepa_debit",
            "sepa_debit": SimpleNamespace(bank_code="37040044", last4="3000"),
            "customer": SimpleNamespace(id="cus_1"),
        },
        Method("pm_1", "bank", "cus_1", last4="3000", bank_name="37040044", added_at=AT),
    ),
    "link": (
        {"type": "link", "link": SimpleNamespace(email="a@example.com"), "customer": "cus_1"},
        Method("pm_1", "link", "cus_1", email="a@example.com", added_at=AT),
    ),
    "something else": (
        {"type": "paypal", "paypal": SimpleNamespace(payer_email="a@example.com")},
        Method("pm_1", "other", "", added_at=AT),
    ),
    "nobody's": (
        {"type": "card", "card": SimpleNamespace(**CARD | {"brand": None}), "customer": None},
        Method("pm_1", "card", "", "", "0005", 3, 2031, added_at=AT),
    ),
}


class Pages(list[Any]):
    """A list as Stripe's client gives it."""

    def auto_paging_iter(self) -> Any:
        return iter(self)


def processor(**said: Any) -> StripeProcessor:
    """One whose client says that."""
    found = StripeProcessor(Settings(processor_key="sk_test_1"))
    vars(found)["_client"] = SimpleNamespace(v1=SimpleNamespace(**said))
    return found


@pytest.mark.parametrize("case", SAID)
def test_every_form_is_told_by_what_people_know_it_by(case: str) -> None:
    said, told = SAID[case]
    method = SimpleNamespace(id="pm_1", created=MADE, **said)
    methods = SimpleNamespace(
        retrieve=lambda _: method, list=lambda asked: Pages([method, method][: asked["limit"]])
    )
    asked = processor(payment_methods=methods)
    assert asked.find_method("pm_1") == told
    assert asked.list_methods("cus_1") == [told, told]


def test_the_newest_method_comes_first() -> None:
    made = [
        SimpleNamespace(id=f"pm_{number}", created=MADE + number, type="card")
        for number in (1, 3, 2)
    ]
    asked = processor(payment_methods=SimpleNamespace(list=lambda _: Pages(made)))
    assert [one.id for one in asked.list_methods("cus_1")] == ["pm_3", "pm_2", "pm_1"]


def test_a_tax_id_that_is_the_same_is_left_alone() -> None:
    asked: list[str] = []
    known = SimpleNamespace(id="txi_1", type="eu_vat", value="DE136695976")
    tax_ids = SimpleNamespace(
        list=lambda _: Pages([known]),
        create=lambda *_: asked.append("create"),
        delete=lambda *_: asked.append("delete"),
    )
    customers = SimpleNamespace(update=lambda *_: asked.append("update"), tax_ids=tax_ids)
    told = processor(customers=customers)
    told.change_customer("cus_1", Profile(tax_id_type="eu_vat", tax_id="DE136695976"))
    assert asked == ["update"]
    told.change_customer("cus_1", Profile(tax_id_type="us_ein", tax_id="91-1144442"))
    assert asked == ["update", "update", "create", "delete"]


ERRORS: list[tuple[stripe.StripeError, type[Exception]]] = [
    (stripe.AuthenticationError("no", http_status=401), ProviderAuthError),
    (stripe.PermissionError("no", http_status=403), ProviderAuthError),
    (stripe.InvalidRequestError("no", "id", http_status=400), ProviderUnreadable),
    (stripe.InvalidRequestError("no", "id", http_status=404), ProviderUnreadable),
    (stripe.IdempotencyError("no", http_status=400), ProviderUnreadable),
    (stripe.APIConnectionError("no"), ProviderUnavailable),
    (stripe.RateLimitError("no", http_status=429), ProviderUnavailable),
]


def test_what_goes_wrong_is_told_in_our_words() -> None:
    for said, kind in ERRORS:
        assert isinstance(trouble(said), kind), said
        assert "no" not in str(trouble(said)).split()


def test_only_what_is_unknown_is_none() -> None:
    def raising(error: stripe.StripeError) -> StripeProcessor:
        def retrieve(_: str) -> Any:
            raise error

        return processor(payment_methods=SimpleNamespace(retrieve=retrieve))

    gone = stripe.InvalidRequestError("no", "id", http_status=404)
    assert raising(gone).find_method("pm_1") is None
    for error in (gone.__class__("no", "id", http_status=400), stripe.APIConnectionError("no")):
        with pytest.raises((ProviderUnreadable, ProviderUnavailable)):
            raising(error).find_method("pm_1")
