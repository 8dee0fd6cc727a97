"""The same account tells the same facts, and refuses for the same reasons, through every face."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, Usage
from billing_plugin.providers.fake import FakeProvider
from tests.dialects.faces import data
from tests.dialects.routes import CONDUIT, NATIVE, SPIDERIQ
from tests.factories import Caller, Clock, account_with, app_with, billing_on, token_of
from tests.mcp_server.agents import Agent, answer
from tests.test_cli import facts, run

BOUGHT, COSTS = "20.00", ["0.00000061", "0.125", "3.4949999", "0.005", "12"]
KINDS = {"support": "SUPPORT_CREDIT", "topup": "CREDIT_PURCHASE", "usage": "USAGE_DEBIT"}
CENT = Decimal("0.01")


@pytest.fixture
def actor(billing: Billing, clock: Clock) -> Actor:
    """An account with a past: a gift, a purchase, uses of odd fractions of a cent."""
    owner = account_with(billing, "5")
    account = str(owner.account_id)
    clock.forward(minutes=1)
    operations.top_up(owner, account, Money.parse(BOUGHT))
    for cost in COSTS:
        clock.forward(seconds=7)
        used = Usage(model="m", input_tokens=3, output_tokens=4, cost=Money.parse(cost))
        operations.record_usage(owner, account, used)
    return owner


def native(call: Caller, path: str) -> Any:
    return data(call("GET", NATIVE + path))


def conduit(call: Caller, path: str) -> Any:
    return call("GET", CONDUIT + path).json


def test_the_balance(call: Caller, actor: Actor) -> None:
    exact = Decimal("25") - sum(Decimal(cost) for cost in COSTS)
    available = native(call, "/balance")["available"]
    told = conduit(call, "/balance")
    assert Decimal(available["amount"]) == exact
    assert told["balanceInCents"] == available["cents"] == int(exact / CENT)
    assert Decimal(str(told["balanceInDollars"])) == available["cents"] * CENT
    inside = operations.check_balance(actor, str(actor.account_id))
    assert inside.available.amount == exact


def test_the_ledger_entry_by_entry(call: Caller) -> None:
    ours = native(call, "/ledger")
    theirs = conduit(call, "/ledger?limit=100")["entries"]
    assert len(ours) == len(theirs) == 2 + len(COSTS)
    for mine, other in zip(ours, theirs, strict=True):
        assert other["id"] == mine["id"]
        assert other["type"] == KINDS[mine["kind"]]
        assert other["amountInCents"] == mine["amount"]["cents"]
        assert other["balanceAfterInCents"] == mine["balanceAfter"]["cents"]
        assert other["createdAt"] == mine["effectiveAt"]


def test_the_newest_entry_leaves_the_balance(call: Caller) -> None:
    posted = native(call, "/balance")["posted"]
    assert native(call, "/ledger?limit=1")[0]["balanceAfter"] == posted
    newest = conduit(call, "/ledger?limit=1")["entries"][0]
    assert newest["balanceAfterInCents"] == posted["cents"]


def test_what_was_spent_is_what_the_ledger_lost(call: Caller) -> None:
    entries = [entry for entry in native(call, "/ledger") if entry["kind"] == "usage"]
    lost = sum(Decimal(entry["amount"]["amount"]) for entry in entries)
    spend = native(call, "/spend")
    assert Decimal(spend["total"]["amount"]) == -lost == sum(Decimal(cost) for cost in COSTS)
    assert spend["count"] == len(entries)


def test_a_payment_goes_by_the_same_name(call: Caller) -> None:
    [bought] = [entry for entry in native(call, "/ledger") if entry["kind"] == "topup"]
    told = conduit(call, "/ledger")["entries"]
    [seen] = [entry for entry in told if entry["type"] == "CREDIT_PURCHASE"]
    topup = native(call, f"/topups/{bought['referenceId']}")
    assert seen["metadata"] == {"stripePaymentId": topup["paymentId"]}


def test_what_one_face_changes_the_others_see(call: Caller) -> None:
    before = conduit(call, "/balance")["balanceInCents"]
    data(call("POST", f"{NATIVE}/topups", json={"amountCents": 1234}), 201)
    assert conduit(call, "/balance")["balanceInCents"] == before + 1234
    newest = conduit(call, "/ledger?limit=1")["entries"][0]
    assert (newest["type"], newest["amountInCents"]) == ("CREDIT_PURCHASE", 1234)


def test_a_sync_is_one_sync(database_url: str, clock: Clock) -> None:
    """Asked through one face, it is in the list of the other, with the same counts."""
    billing = billing_on(database_url, clock=clock, providers={"mistral": FakeProvider()})
    owner = account_with(billing)
    for settings in ({"balance": "1.50"}, {"fail": "auth"}, {"balance": "2.00"}):
        operations.connect(
            owner, owner.account_id, "mistral", credentials={"api_key": "k"}, settings=settings
        )
    call = Caller(app_with(billing), token_of(billing, owner))
    report = call("POST", f"{SPIDERIQ}/sync-billing").json
    [job] = native(call, "/sync/jobs")
    assert (job["synced"], job["failed"], job["status"]) == (2, 1, "completed")
    assert (report["synced"], report["failed"]) == (2, 1)
    found = operations.list_integrations(owner, owner.account_id)
    assert [row["id"] for row in report["results"]] == [one.number for one in found]
    kept = [
        operations.list_snapshots(owner, owner.account_id, integration.id) for integration in found
    ]
    figures = [str(one.balance.amount) for snapshots in kept for one in snapshots if one.balance]
    assert report["total_balance"] == float(sum(Decimal(figure) for figure in figures)) == 3.5


SHARES = ["0.000000000000000001", "0.125", "3.4949999", "-0.005", "12"]
SPAN = ("2026-03-01", "2026-03-31")
Lines = list[tuple[str, Decimal, int, int]]


@pytest.fixture
def bills(actor: Actor) -> Actor:
    """The same account with bills, some of them of another month and of another currency."""
    mine = str(actor.account_id)
    operations.create_category(actor, mine, "Cloud")
    for number, share in enumerate(SHARES):
        odd = (
            {"category": "cloud", "provider": "aws", "tags": ["x", "y"], "recurring": True}
            if number % 2
            else {}
        )
        draft = ItemDraft("n", Exact.parse(share), service_id=f"s{number % 3}", **odd)
        operations.create_item(actor, mine, draft)
    operations.create_item(actor, mine, ItemDraft("n", Exact(7), currency="EUR"))
    past = datetime(2026, 2, 28, tzinfo=UTC)
    operations.create_item(actor, mine, ItemDraft("n", Exact(7), date=past))
    return actor


class Reports:
    """One report of the same days by the native face, the command line and an agent."""

    def __init__(self, call: Caller, database_url: str, billing: Billing, actor: Actor) -> None:
        self.call, self.database_url, self.account = call, database_url, str(actor.account_id)
        self.agent = Agent(billing, token_of(billing, actor))

    def of(self, kind: str, word: str, value: str, *, metered: bool) -> list[Lines]:
        """Key, exact amount, cents and count of each line, face by face."""
        sources = "manual,sync,focus" + ",metered" * metered
        query = f"?{word}={value}&from={SPAN[0]}&to={SPAN[1]}&source={sources}"
        rest = native(self.call, f"/reports/{kind}{query}")
        asked = ["reports", kind, "--account", self.account, f"--{word}", value, "--json",
                 "--from", SPAN[0], "--to", SPAN[1]]  # fmt: skip
        rows = facts(run(self.database_url, *asked, *["--include-metered"] * metered))["rows"]
        told = answer(
            self.agent("report_spend", from_day=SPAN[0], to_day=SPAN[1], group_by=value,
                       source="all" if metered else "items")
        )  # fmt: skip
        assert told["others"] is None
        own = [row for row in rows if row["currency"] == "USD"]
        return [
            [(_key(one), Decimal(one["amountExact"]), one["amount"], one["count"]) for one in rest],
            [(_key(one), Decimal(one["amount"]), one["cents"], one["count"]) for one in own],
            [
                (
                    _key(one),
                    Decimal(one["amount"]["amount"]),
                    one["amount"]["cents"],
                    one["count"],
                )
                for one in told["groups"]
            ],
        ]


def _key(line: dict[str, Any]) -> str:
    return str(line.get("key", line.get("date")))


@pytest.fixture
def reports(call: Caller, database_url: str, billing: Billing, bills: Actor) -> Reports:
    """Reports of the bills by three faces."""
    return Reports(call, database_url, billing, bills)


@pytest.mark.parametrize("metered", [False, True], ids=["items", "all"])
@pytest.mark.parametrize("by", ["provider", "category", "service", "tag", "recurring"])
def test_a_breakdown_is_the_same_to_the_atto(reports: Reports, by: str, metered: bool) -> None:
    rest, command, agent = reports.of("breakdown", "by", by, metered=metered)
    assert rest == command == agent
    assert len(rest) > 1


@pytest.mark.parametrize("interval", ["day", "week", "month"])
def test_a_trend_is_the_same_to_the_atto(reports: Reports, interval: str) -> None:
    rest, command, agent = reports.of("trend", "interval", interval, metered=True)
    assert rest == command == agent
    exact = sum(map(Decimal, [*SHARES, *COSTS]))
    assert sum(amount for _, amount, _, _ in rest) == exact


def test_a_summary_is_the_same_to_the_atto(reports: Reports) -> None:
    days = f"?from={SPAN[0]}&to={SPAN[1]}"
    rest = native(reports.call, f"/reports/summary{days}")
    asked = ("--account", reports.account, "--json", "--from", SPAN[0], "--to", SPAN[1])
    [_, own] = facts(run(reports.database_url, "reports", "summary", *asked))["rows"]
    told = answer(
        reports.agent("report_spend", from_day=SPAN[0], to_day=SPAN[1], group_by="none",
                      source="items")
    )  # fmt: skip
    exact = sum(map(Decimal, SHARES))
    for amount in (rest["totalExact"], own["amount"], told["total"]["amount"]):
        assert Decimal(amount) == exact
    assert rest["totalAmount"] == own["cents"] == told["total"]["cents"]
    assert rest["itemCount"] == own["count"] == told["count"] == len(SHARES)


REFUSALS = {
    "no key": ("", 401),
    "a key without the scope": ("limits:write", 403),
}


@pytest.mark.parametrize(("scope", "status"), REFUSALS.values(), ids=REFUSALS)
def test_refused_alike(
    billing: Billing, actor: Actor, call: Caller, scope: str, status: int
) -> None:
    token = token_of(billing, actor, scope) if scope else ""
    refused = Caller(app_with(billing), token)
    asked = {
        NATIVE: refused("GET", f"{NATIVE}/balance"),
        CONDUIT: refused("GET", f"{CONDUIT}/balance"),
        SPIDERIQ: refused("POST", f"{SPIDERIQ}/sync-billing"),
    }
    assert {answer.status_code for answer in asked.values()} == {status}
    messages = {answer.json["error"]["message"].split(" scope ")[0] for answer in asked.values()}
    assert len(messages) == 1
