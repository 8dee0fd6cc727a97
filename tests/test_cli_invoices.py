"""`billing invoices …`: what it prints, writes and exits with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from billing_plugin import Actor, Billing
from tests.billed import buy, text_of
from tests.deeds import spend
from tests.factories import account_with, billing_on
from tests.test_cli import run


@pytest.fixture
def system(database_url: str) -> Billing:
    """With the clock of the wall, as the commands have it."""
    return billing_on(database_url)


@pytest.fixture
def owner(system: Billing) -> Actor:
    actor = account_with(system)
    buy(actor, "5")
    spend(actor, "1.5", model="m", provider="p")
    return actor


def rows(database_url: str, *arguments: str) -> list[Any]:
    result = run(database_url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_list(database_url: str, owner: Actor) -> None:
    mine = ("--account", str(owner.account_id))
    [found] = rows(database_url, "invoices", "list", *mine)
    assert (found["number"], found["status"], found["total"]) == ("INV-000001", "paid", "5.00")
    assert rows(database_url, "invoices", "list", *mine, "--kind", "monthly") == []
    assert rows(database_url, "invoices", "list", *mine, "--month", "2020-01") == []
    shown = run(database_url, "invoices", "list", *mine)
    assert "INV-000001  topup  paid" in shown.output
    assert run(database_url, "invoices", "list", *mine, "--month", "x").exit_code == 2


def test_one_and_the_draft(database_url: str, owner: Actor) -> None:
    mine = ("--account", str(owner.account_id))
    [listed] = rows(database_url, "invoices", "list", *mine)
    [found] = rows(database_url, "invoices", "show", *mine, listed["id"])
    assert found == listed | {"lines": [
        {"description": "Prepaid credit", "unit": "topup", "quantity": 1, "unitPrice": "5.00",
         "amount": "5.00"}
    ]}  # fmt: skip
    [draft] = rows(database_url, "invoices", "show", *mine)
    assert (draft["number"], draft["status"]) == (None, "draft")
    assert [(line["unit"], line["amount"]) for line in draft["lines"]] == [("stated", "1.50")]
    assert "p): Uses at a stated cost: 1, 150 cents" in run(
        database_url, "invoices", "show", *mine
    ).output  # fmt: skip
    assert run(database_url, "invoices", "show", *mine, "inv_x").exit_code == 2


def test_a_pdf(
    database_url: str, owner: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = ("--account", str(owner.account_id))
    [listed] = rows(database_url, "invoices", "list", *mine)
    monkeypatch.chdir(tmp_path)
    result = run(database_url, "invoices", "pdf", *mine, listed["id"])
    assert result.output.strip() == "INV-000001.pdf"
    written = (tmp_path / "INV-000001.pdf").read_bytes()
    assert "Prepaid credit 1 5.00 5.00" in text_of(written)
    to_stdout = run(database_url, "invoices", "pdf", *mine, listed["id"], "--output", "-")
    assert to_stdout.stdout_bytes == written
    named = run(database_url, "invoices", "pdf", *mine, listed["id"], "--output", "a.pdf")
    assert (named.output.strip(), (tmp_path / "a.pdf").read_bytes()) == ("a.pdf", written)


def test_nothing_is_closed_before_its_month_is_over(database_url: str, owner: Actor) -> None:
    assert rows(database_url, "invoices", "finalize") == [{"issued": 0}]
