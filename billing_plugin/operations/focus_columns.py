"""FOCUS, the open form of bills: its columns as data, and what one line of such a file says.

The columns are those of version 1.2; 1.0 and 1.1 have the same mandatory ones and fewer others.
Source: the FOCUS specification of the FinOps Foundation, columns and attributes, v1.0 to v1.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from billing_plugin.models.usage import QUANTITIES
from billing_plugin.money import Exact
from billing_plugin.periods import Period

VERSIONS = ("1.0", "1.1", "1.2")
MANDATORY, RECOMMENDED, CONDITIONAL = "mandatory", "recommended", "conditional"
STRING, DECIMAL, TIME, JSON, INTEGER = "string", "decimal", "date-time", "json", "integer"
USAGE, PURCHASE, TAX, CREDIT, ADJUSTMENT = "Usage", "Purchase", "Tax", "Credit", "Adjustment"
CORRECTION = "Correction"
ONE_TIME, RECURRING, USAGE_BASED = "One-Time", "Recurring", "Usage-Based"
AI, OTHER = "AI and Machine Learning", "Other"
CUSTOM = "x_"  # what the name of a column begins with that FOCUS does not define

# Every service category with its subcategories; each has one more, see `other_in`.
SUBCATEGORIES: dict[str, tuple[str, ...]] = {
    AI: (
        *("AI Platforms", "Bots", "Generative AI", "Machine Learning"),
        "Natural Language Processing",
    ),
    "Analytics": (
        *("Analytics Platforms", "Business Intelligence", "Data Processing", "Search"),
        "Streaming Analytics",
    ),
    "Business Applications": ("Productivity and Collaboration",),
    "Compute": (
        *("Containers", "End User Computing", "Quantum Compute", "Serverless Compute"),
        "Virtual Machines",
    ),
    "Databases": (
        *("Caching", "Data Warehouses", "Ledger Databases", "NoSQL Databases"),
        *("Relational Databases", "Time Series Databases"),
    ),
    "Developer Tools": (
        *("Developer Platforms", "Continuous Integration and Deployment"),
        *("Development Environments", "Source Code Management", "Quality Assurance"),
    ),
    "Identity": ("Identity and Access Management",),
    "Integration": ("API Management", "Messaging", "Workflow Orchestration"),
    "Internet of Things": ("IoT Analytics", "IoT Platforms"),
    "Management and Governance": (
        *("Architecture", "Compliance", "Cost Management", "Data Governance"),
        *("Disaster Recovery", "Endpoint Management", "Observability", "Support"),
    ),
    "Media": ("Content Creation", "Gaming", "Media Streaming", "Mixed Reality"),
    "Migration": ("Data Migration", "Resource Migration"),
    "Mobile": (),
    "Multicloud": ("Multicloud Integration",),
    "Networking": (
        *("Application Networking", "Content Delivery", "Network Connectivity"),
        *("Network Infrastructure", "Network Routing", "Network Security"),
    ),
    "Security": (
        *("Secret Management", "Security Posture Management", "Threat Detection and Response"),
    ),
    "Storage": (
        *("Backup Storage", "Block Storage", "File Storage", "Object Storage"),
        "Storage Platforms",
    ),
    "Web": ("Application Platforms",),
    OTHER: (),
}


def other_in(category: str) -> str:
    """The subcategory of a service that none of the category's own describes."""
    return f"Other ({category})"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its level, the type of its values, whether they may be null, which are allowed
    (none named: any), and the version of FOCUS that brought it."""

    name: str
    level: str
    type: str = STRING
    nullable: bool = True
    allowed: tuple[str, ...] = ()
    since: str = "1.0"


COLUMNS = (
    Column("AvailabilityZone", RECOMMENDED),
    Column("BilledCost", MANDATORY, DECIMAL, nullable=False),
    Column("BillingAccountId", MANDATORY, nullable=False),
    Column("BillingAccountName", MANDATORY),
    Column("BillingAccountType", CONDITIONAL, nullable=False, since="1.2"),
    Column("BillingCurrency", MANDATORY, nullable=False),
    Column("BillingPeriodEnd", MANDATORY, TIME, nullable=False),
    Column("BillingPeriodStart", MANDATORY, TIME, nullable=False),
    Column("CapacityReservationId", CONDITIONAL, since="1.1"),
    Column("CapacityReservationStatus", CONDITIONAL, allowed=("Used", "Unused"), since="1.1"),
    Column(
        *("ChargeCategory", MANDATORY),
        nullable=False,
        allowed=(USAGE, PURCHASE, TAX, CREDIT, ADJUSTMENT),
    ),
    Column("ChargeClass", MANDATORY, allowed=(CORRECTION,)),
    Column("ChargeDescription", MANDATORY),
    Column(
        *("ChargeFrequency", RECOMMENDED),
        nullable=False,
        allowed=(ONE_TIME, RECURRING, USAGE_BASED),
    ),
    Column("ChargePeriodEnd", MANDATORY, TIME, nullable=False),
    Column("ChargePeriodStart", MANDATORY, TIME, nullable=False),
    Column("CommitmentDiscountCategory", CONDITIONAL, allowed=("Spend", "Usage")),
    Column("CommitmentDiscountId", CONDITIONAL),
    Column("CommitmentDiscountName", CONDITIONAL),
    Column("CommitmentDiscountQuantity", CONDITIONAL, DECIMAL, since="1.1"),
    Column("CommitmentDiscountStatus", CONDITIONAL, allowed=("Used", "Unused")),
    Column("CommitmentDiscountType", CONDITIONAL),
    Column("CommitmentDiscountUnit", CONDITIONAL, since="1.1"),
    Column("ConsumedQuantity", CONDITIONAL, DECIMAL),
    Column("ConsumedUnit", CONDITIONAL),
    Column("ContractedCost", MANDATORY, DECIMAL, nullable=False),
    Column("ContractedUnitPrice", CONDITIONAL, DECIMAL),
    Column("EffectiveCost", MANDATORY, DECIMAL, nullable=False),
    Column("InvoiceId", RECOMMENDED, since="1.2"),
    Column("InvoiceIssuerName", MANDATORY, nullable=False),
    Column("ListCost", MANDATORY, DECIMAL, nullable=False),
    Column("ListUnitPrice", CONDITIONAL, DECIMAL),
    Column("PricingCategory", CONDITIONAL, allowed=("Standard", "Dynamic", "Committed", OTHER)),
    Column("PricingCurrency", CONDITIONAL, since="1.2"),
    Column("PricingCurrencyContractedUnitPrice", CONDITIONAL, DECIMAL, since="1.2"),
    Column("PricingCurrencyEffectiveCost", CONDITIONAL, DECIMAL, since="1.2"),
    Column("PricingCurrencyListUnitPrice", CONDITIONAL, DECIMAL, since="1.2"),
    Column("PricingQuantity", MANDATORY, DECIMAL),
    Column("PricingUnit", MANDATORY),
    Column("ProviderName", MANDATORY, nullable=False),
    Column("PublisherName", MANDATORY, nullable=False),
    Column("RegionId", CONDITIONAL),
    Column("RegionName", CONDITIONAL),
    Column("ResourceId", CONDITIONAL),
    Column("ResourceName", CONDITIONAL),
    Column("ResourceType", CONDITIONAL),
    Column("ServiceCategory", MANDATORY, nullable=False, allowed=tuple(SUBCATEGORIES)),
    Column("ServiceName", MANDATORY, nullable=False),
    Column(
        *("ServiceSubcategory", RECOMMENDED),
        nullable=False,
        allowed=tuple(
            name
            for category, own in SUBCATEGORIES.items()
            for name in (*own, other_in(category))
        ),
        since="1.1",
    ),
    Column("SkuId", CONDITIONAL),
    Column("SkuMeter", CONDITIONAL, since="1.1"),
    Column("SkuPriceDetails", CONDITIONAL, JSON, since="1.1"),
    Column("SkuPriceId", CONDITIONAL),
    Column("SubAccountId", CONDITIONAL),
    Column("SubAccountName", CONDITIONAL),
    Column("SubAccountType", CONDITIONAL, since="1.2"),
    Column("Tags", CONDITIONAL, JSON),
)  # fmt: skip
BY_NAME = {column.name: column for column in COLUMNS}
MANDATORY_NAMES = tuple(column.name for column in COLUMNS if column.level == MANDATORY)

# What we add: how many tokens of each kind a use took, as usage is recorded.
TOKEN_COLUMNS = {
    name: CUSTOM + "".join(map(str.capitalize, name.split("_"))) for name in QUANTITIES
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """How much, exactly, and of what ("1000 Tokens", "GB-Hours")."""

    amount: Decimal
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusCharge:
    """One line of a bill, as far as FOCUS and we both know it.

    `amount` is BilledCost in units of `currency`. `account_id` and `sub_account_id` are the
    vendor's own. `consumed` is told of usage only; `priced` never of a tax. None: the line does
    not say. A tag is text, true (a tag without a value) or None. `tokens` is by the names of
    recorded usage, `extra` by the names of columns (`x_…`), as text.
    """

    amount: Exact
    currency: str
    provider: str
    service: str
    account_id: str
    charge_period: Period
    billing_period: Period
    category: str = USAGE
    correction: bool = False
    service_category: str = OTHER
    service_subcategory: str | None = None
    description: str | None = None
    frequency: str | None = None
    account_name: str | None = None
    sub_account_id: str | None = None
    sub_account_name: str | None = None
    publisher: str | None = None
    invoice_issuer: str | None = None
    invoice_id: str | None = None
    region: str | None = None
    resource: str | None = None
    sku: str | None = None
    consumed: Quantity | None = None
    priced: Quantity | None = None
    tags: Mapping[str, str | bool | None] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
