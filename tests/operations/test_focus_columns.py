"""The columns of FOCUS, against what its specification says of them in so many words."""

from __future__ import annotations

from billing_plugin.models.usage import QUANTITIES
from billing_plugin.operations import focus_columns
from billing_plugin.operations.focus_columns import BY_NAME, COLUMNS, SUBCATEGORIES, TOKEN_COLUMNS

# As the specification lists them.
MANDATORY = """
    BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd
    BillingPeriodStart ChargeCategory ChargeClass ChargeDescription ChargePeriodEnd
    ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost PricingQuantity
    PricingUnit ProviderName PublisherName ServiceCategory ServiceName
"""
BROUGHT_BY_1_1 = """
    CapacityReservationId CapacityReservationStatus CommitmentDiscountQuantity
    CommitmentDiscountUnit ServiceSubcategory SkuMeter SkuPriceDetails
"""
BROUGHT_BY_1_2 = """
    BillingAccountType InvoiceId PricingCurrency PricingCurrencyContractedUnitPrice
    PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice SubAccountType
"""


def test_the_mandatory_columns_are_the_same_in_every_version() -> None:
    found = [column for column in COLUMNS if column.level == focus_columns.MANDATORY]
    assert (
        [column.name for column in found]
        == MANDATORY.split()
        == list(focus_columns.MANDATORY_NAMES)
    )
    assert {column.since for column in found} == {"1.0"}


def test_each_version_brings_its_columns() -> None:
    brought = {
        version: [column.name for column in COLUMNS if column.since == version]
        for version in focus_columns.VERSIONS
    }
    assert brought["1.1"] == BROUGHT_BY_1_1.split()
    assert brought["1.2"] == BROUGHT_BY_1_2.split()
    assert len(brought["1.0"]) == 43


def test_columns_stand_in_order_and_once() -> None:
    names = [column.name for column in COLUMNS]
    assert names == sorted(set(names))


def test_what_has_no_value_may_be_null() -> None:
    of_mandatory = [name for name in MANDATORY.split() if BY_NAME[name].nullable]
    assert of_mandatory == [
        *("BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity"),
        "PricingUnit",
    ]


def test_every_category_has_a_subcategory_for_the_rest() -> None:
    assert len(SUBCATEGORIES) == 19
    listed = BY_NAME["ServiceSubcategory"].allowed
    assert len(listed) == len(set(listed)) == 82
    assert all(focus_columns.other_in(category) in listed for category in SUBCATEGORIES)


def test_every_kind_of_token_has_a_column_of_ours() -> None:
    assert list(TOKEN_COLUMNS) == list(QUANTITIES)
    assert TOKEN_COLUMNS["cache_read_tokens"] == "x_CacheReadTokens"
    assert not TOKEN_COLUMNS.keys() & BY_NAME.keys()
