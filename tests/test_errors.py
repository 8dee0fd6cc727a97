"""The error tree: stable codes, known statuses, messages apart from details."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing_plugin import errors
from billing_plugin.errors import BillingError

STATUSES = {
    "InvalidRequest": 422, "UnpricedModel": 422, "Unauthenticated": 401, "Forbidden": 403,
    "NotFound": 404, "MethodNotAllowed": 405, "Conflict": 409, "IdempotencyConflict": 409,
    "PreconditionFailed": 412, "PayloadTooLarge": 413, "UnsupportedMediaType": 415,
    "InsufficientFunds": 402, "LimitExceeded": 402, "PaymentDeclined": 402, "RateLimited": 429,
    "NotSupported": 501, "StorageUnavailable": 503, "ProviderError": 502, "ProviderAuthError": 502,
    "ProviderUnavailable": 502, "ProviderUnreadable": 502, "ConfigurationError": 500,
    "InternalError": 500,
}  # fmt: skip
RETRYABLE = {"RateLimited", "StorageUnavailable", "ProviderUnavailable"}


def tree(root: type[BillingError]) -> Iterator[type[BillingError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from tree(kind)


OURS = [kind for kind in tree(BillingError) if kind.__module__ == errors.__name__]


def test_every_class_has_its_status() -> None:
    assert {kind.__name__: kind.status for kind in OURS} == STATUSES


def test_codes_are_their_own() -> None:
    codes = [kind.default_code for kind in OURS if kind is not errors.InternalError]
    assert len(set(codes)) == len(codes)


def test_only_what_may_pass_is_retryable() -> None:
    assert {kind.__name__ for kind in OURS if kind.retryable} == RETRYABLE


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_details_are_never_in_the_message(kind: type[BillingError]) -> None:
    error = kind("What happened.", details="sk_secret", code="special", extra={"line": 3})
    assert (str(error), error.message) == ("What happened.", "What happened.")
    assert (error.code, error.details, error.extra) == ("special", "sk_secret", {"line": 3})
    assert kind("Plain.").code == kind.default_code
    assert kind("Plain.").extra == {}


def test_the_place_of_a_bug_says_where_and_not_what() -> None:
    def bug() -> None:
        raise ValueError("sk_secret")

    with pytest.raises(ValueError, match="sk_secret") as caught:
        bug()
    said = errors.place_of(caught.value)
    assert said.startswith("ValueError in bug:")
    assert "sk_secret" not in said
    assert errors.place_of(ValueError("never raised")) == "ValueError in nowhere"
