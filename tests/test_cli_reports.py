"""`billing reports …` and the doctor of its sums: exact, by currency, and made anew."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, Usage
from tests.books import complaints, run_sql
from tests.factories import START, account_with, app_with, billing_on
from tests.test_cli import facts, inside, run

SPOILT = "UPDATE billing_spend_date SET nanos = nanos + 7"
ABOUT = {
    "scope": {}, "from": None, "to": None, "zone": "UTC", "sources": ["focus", "manual", "sync"],
    "coverage": "no connected provider; newest focus never, manual 2026-03-09, sync never",
}  # fmt: skip


@pytest.fixture
def billing(database_url: str) -> Billing:
    """A system on the database of the commands."""
    return billing_on(database_url)


@pytest.fixture
def owner(billing: Billing) -> Actor:
    """An account with items of two currencies, of which two have no whole cents."""
    owner = account_with(billing, "10")
    mine = str(owner.account_id)
    operations.create_category(owner, mine, "Cloud")
    for name, units, said in (
        ("a", "350", {"provider": "gcp", "category": "cloud"}),
        ("b", "0.000000001000000001", {"provider": "=cmd()", "tags": ["x", "y"]}),
        ("c", "-5", {"currency": "EUR"}),
    ):
        draft = ItemDraft(name, Exact.parse(units), date=START, **said)
        operations.create_item(owner, mine, draft)
    return owner


def report(database_url: str, owner: Actor, *arguments: str) -> dict[str, Any]:
    asked = ("reports", *arguments, "--account", str(owner.account_id), "--json")
    return facts(run(database_url, *asked))


def test_a_summary_is_exact_by_currency(database_url: str, owner: Actor) -> None:
    found = report(database_url, owner, "summary")
    assert found.pop("asOf").endswith("Z")
    rows = found.pop("rows")
    assert found == ABOUT
    assert rows == [
        {"currency": "EUR", "amount": "-5.00", "cents": -500, "count": 1},
        {"currency": "USD", "amount": "350.000000001000000001", "cents": 35000, "count": 2},
    ]


def test_a_breakdown_names_categories(database_url: str, owner: Actor) -> None:
    found = report(database_url, owner, "breakdown", "--by", "category")
    assert (found["by"], found["partitions"]) == ("category", True)
    [cloud] = [row for row in found["rows"] if row["key"] == "Cloud"]
    assert cloud["value"].startswith("cat_")
    assert (cloud["amount"], cloud["percentage"]) == ("350.00", "100")
    nothing = [row for row in found["rows"] if row["value"] is None]
    assert {row["key"] for row in nothing} == {"uncategorized"}
    assert report(database_url, owner, "breakdown", "--by", "tag")["partitions"] is False


def test_a_report_is_of_what_was_chosen(database_url: str, owner: Actor) -> None:
    used = Usage("m", provider="p", cost=Money.parse("0.25"))
    operations.record_usage(owner, str(owner.account_id), used)
    metered = report(database_url, owner, "summary", "--include-metered", "--provider", "p")
    assert [row["amount"] for row in metered["rows"]] == ["0.25"]
    assert "metered" in metered["sources"]
    narrowed = report(database_url, owner, "summary", "--provider", "p")
    assert (narrowed["rows"], narrowed["scope"]) == ([], {"provider": "p"})
    assert report(database_url, owner, "summary", "--source", "sync")["rows"] == []
    days = report(database_url, owner, "trend", "--interval", "day", "--to", "2020-12-31")
    assert (days["interval"], days["to"], days["rows"]) == ("day", "2020-12-31", [])


def test_a_table_is_for_people(database_url: str, owner: Actor) -> None:
    shown = run(database_url, "reports", "trend", "--account", str(owner.account_id)).stdout
    first, head, *lines, last = shown.splitlines()
    assert first.startswith("the beginning to the end (UTC), focus manual sync, as of ")
    assert head.split() == ["currency", "date", "amount", "cents", "count"]
    assert [line.split()[2] for line in lines] == ["-5.00", "350.000000001000000001"]
    assert last == ABOUT["coverage"]
    asked = ("reports", "summary", "--account", str(owner.account_id), "--category", "cloud")
    first, *_ = run(database_url, *asked, "--provider", "gcp").stdout.splitlines()
    assert "(UTC), focus manual sync, category cloud, provider gcp, as of " in first


def test_every_report_says_what_it_rests_on(database_url: str, owner: Actor) -> None:
    mine = str(owner.account_id)
    operations.connect(owner, mine, "fake", credentials={"api_key": "k"})
    used = Usage("m", provider="p", cost=Money.parse("0.25"), effective_at=START)
    operations.record_usage(owner, mine, used)
    for name in ("summary", "breakdown", "trend"):
        asked = (name, "--include-metered", "--source", "manual")
        said = report(database_url, owner, *asked)["coverage"]
        assert said == (
            "0 of 1 providers (nothing from fake); 100.0 % of metered spend priced;"
            " newest manual 2026-03-09, metered 2026-03-09"
        )
        shown = run(database_url, "reports", *asked, "--account", mine).stdout
        assert shown.splitlines()[-1] == said


def test_a_file_holds_no_formula(database_url: str, owner: Actor, tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    asked = ("reports", "breakdown", "--account", str(owner.account_id), "--csv", str(file))
    assert run(database_url, *asked).output == ""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["key"] for row in rows] == ["none", "gcp", "'=cmd()"]
    assert [row["amount"] for row in rows] == ["-5.00", "350.00", "0.000000001000000001"]
    assert {row["sources"] for row in rows} == {"focus manual sync"}
    assert {row["scope"] for row in rows} == {"{}"}
    assert {row["coverage"] for row in rows} == {ABOUT["coverage"]}


@pytest.mark.parametrize(
    "wrong",
    [["--by", "color"], ["--from", "yesterday"], ["--from", "2026-02-02", "--to", "2026-02-01"],
     ["--category", "none"], ["--source", "metered"]],
)  # fmt: skip
def test_what_cannot_be_is_a_matter_of_usage(
    database_url: str, owner: Actor, wrong: list[str]
) -> None:
    asked = ("reports", "breakdown", "--account", str(owner.account_id), *wrong)
    assert run(database_url, *asked).exit_code == 2


def test_the_doctor_names_sums_that_are_mended(database_url: str, billing: Billing) -> None:
    owners = [account_with(billing) for _ in range(7)]
    for owner in owners:
        draft = ItemDraft("n", Exact(1), tags=["x"], provider="p", provider_ref="1")
        operations.store_items(owner, str(owner.account_id), [draft], source="sync")
    run_sql(billing, SPOILT)
    run_sql(billing, "DELETE FROM billing_item_tag")
    ill = run(database_url, "doctor")
    assert ill.exit_code == 1
    assert "billing_spend_date of 2" in ill.stdout
    assert "is off by 7 0 0" in ill.stdout
    assert "and 9 more. `billing reports rebuild` mends them." in ill.stdout
    first = str(owners[0].account_id)
    assert facts(run(database_url, "reports", "rebuild", "--account", first, "--json")) == {
        "accounts": 1
    }
    assert len(complaints(billing)) == 12
    assert run(database_url, "reports", "rebuild").stdout == "accounts: 7\n"
    assert complaints(billing) == []
    assert "ok   reports: every sum" in run(database_url, "doctor").stdout


def test_sums_of_an_unknown_account_are_not_made(database_url: str) -> None:
    missing = "acct_" + "0" * 32
    assert run(database_url, "reports", "rebuild", "--account", missing).exit_code == 2


def test_a_host_reports_alike(database_url: str, billing: Billing, owner: Actor) -> None:
    app = app_with(billing)
    asked = ("reports", "summary", "--account", str(owner.account_id), "--json")
    same = json.loads(inside(app, *asked).stdout)
    assert same["rows"] == report(database_url, owner, "summary")["rows"]
