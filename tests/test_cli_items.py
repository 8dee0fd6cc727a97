"""`billing items …` and `billing categories …`: what they print, what they exit with."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, ItemFilter
from tests.factories import account_with, app_with, billing_on
from tests.test_cli import facts, inside, run


@pytest.fixture
def billing(database_url: str) -> Billing:
    """A system on the database of the commands."""
    return billing_on(database_url)


@pytest.fixture
def owner(billing: Billing) -> Actor:
    """An account without items."""
    return account_with(billing)


class Commands:
    """Commands of one noun on one account."""

    def __init__(self, database_url: str, owner: Actor, noun: str) -> None:
        self.database_url, self.noun, self.account = database_url, noun, str(owner.account_id)

    def __call__(self, verb: str, *arguments: str) -> Any:
        """The command's JSON."""
        asked = (self.noun, verb, "--account", self.account, "--json", *arguments)
        result = run(self.database_url, *asked)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def code(self, verb: str, *arguments: str) -> int:
        """The command's exit code."""
        asked = (self.noun, verb, "--account", self.account, *arguments)
        return run(self.database_url, *asked).exit_code


@pytest.fixture
def items(database_url: str, owner: Actor) -> Commands:
    """`billing items …` of the account."""
    return Commands(database_url, owner, "items")


@pytest.fixture
def categories(database_url: str, owner: Actor) -> Commands:
    """`billing categories …` of the account."""
    return Commands(database_url, owner, "categories")


def test_an_item_is_added_seen_edited_and_removed(items: Commands) -> None:
    said = ["Rent", "12.000000000000000001", "--date", "2026-03-05", "--provider", "aws",
            "--provider-ref", "i-1", "--tag", "a", "--tag", "b", "--recurring",
            "--period", "monthly"]  # fmt: skip
    made = items("add", *said)
    assert made.pop("created") is True
    assert (made["amount"], made["currency"]) == ("12.000000000000000001", "USD")
    assert (made["date"], made["tags"]) == ("2026-03-05T00:00:00+00:00", ["a", "b"])
    assert items("show", made["id"]) == made
    assert items("show", "--provider", "aws", "--provider-ref", "i-1") == made
    again = items("edit", made["id"], "--amount", "-3", "--clear", "tags", "--clear", "period")
    assert again["amount"] == "-3.00"
    assert not {"tags", "period"} & set(again)
    assert again["recurring"] is True
    assert items.code("remove", made["id"]) == 0
    assert items.code("show", made["id"]) == 2


def test_a_known_reference_is_changed_and_a_key_enters_once(items: Commands) -> None:
    ref = ["--provider", "aws", "--provider-ref", "i-1"]
    first = items("add", "Rent", "1", *ref)
    assert items("add", "Rent", "2", *ref) == first | {"amount": "2.00", "created": False}
    once = [items("add", "n", "1", "--idempotency-key", "k") for _ in range(2)]
    assert once[1] == once[0] | {"created": False}
    assert items.code("add", "other", "1", "--idempotency-key", "k") == 1


def test_a_list_is_of_what_was_chosen(items: Commands, owner: Actor) -> None:
    for day, tag in (("2026-03-05", "a"), ("2026-03-06", "b"), ("2026-03-07", "c")):
        items("add", day, "1", "--date", day, "--tag", tag, "--author-email", "x@y.z")
    names = {
        ("--from", "2026-03-06"): ["2026-03-07", "2026-03-06"],
        ("--to", "2026-03-05"): ["2026-03-05"],
        ("--tag", "a", "--tag", "c"): ["2026-03-07", "2026-03-05"],
        ("--limit", "1"): ["2026-03-07"],
        ("--recurring",): [],
        ("--not-recurring", "--author", "x@y.z", "--source", "manual", "--limit", "2"): [
            "2026-03-07",
            "2026-03-06",
        ],
    }
    for arguments, expected in names.items():
        assert [row["name"] for row in items("list", *arguments)] == expected
    assert operations.list_items(owner, items.account, ItemFilter(author="nobody")) == []


def test_every_item_is_written(items: Commands, owner: Actor, database_url: str) -> None:
    drafts = [ItemDraft("=1+1", Exact(n), provider="p", provider_ref=str(n)) for n in range(1_002)]
    operations.store_items(owner, items.account, drafts, source="sync")
    asked = ("items", "list", "--account", items.account, "--all", "--limit", "1", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(run(database_url, *asked).stdout, newline="")))
    assert {row["name"] for row in rows} == {"'=1+1"}
    assert {Exact.parse(row["amount"]) for row in rows} == {Exact(n) for n in range(1_002)}
    assert len(rows) == 1_002


def test_a_table_obeys_nobody(items: Commands, database_url: str) -> None:
    items("add", "red \x1b[31m", "1", "--tag", "x")
    shown = run(database_url, "items", "list", "--account", items.account).stdout
    head, line = shown.splitlines()
    assert head.split()[:4] == ["id", "date", "name", "amount"]
    assert "\x1b" not in line
    assert "1.00" in line


@pytest.mark.parametrize(
    "wrong",
    [["add", "n", "ten"], ["add", "n", "1", "--date", "2026-02-30"], ["add", "n", "1", "--period",
     "monthly"], ["edit", "item_x"], ["edit", "item_x", "--name", "n"], ["show"],
     ["list", "--category", "none"], ["list", "--limit", "0"],
     ["edit", "item_x", "--provider", "p", "--clear", "provider"]],
    ids=" ".join,
)  # fmt: skip
def test_what_cannot_be_is_a_matter_of_usage(items: Commands, wrong: list[str]) -> None:
    assert items.code(*wrong) == 2


def test_categories_are_a_tree(categories: Commands, items: Commands) -> None:
    top = categories("add", "Cloud", "--color", "#00aaFF")
    below = categories("add", "Compute", "--parent", "cloud", "--idempotency-key", "k")
    assert categories("add", "Compute", "--parent", "cloud", "--idempotency-key", "k") == below
    assert below["parentId"] == top["id"]
    assert [row["name"] for row in categories("list")] == ["Cloud", "Compute"]
    items("add", "n", "1", "--category", "compute")
    assert [row["categoryId"] for row in items("list", "--category", "Cloud")] == [below["id"]]
    assert categories.code("remove", "compute") == 1
    assert categories.code("edit", "cloud", "--parent", "compute") == 2
    moved = categories("edit", "compute", "--name", "Servers", "--clear", "parent")
    assert moved == {"id": below["id"], "name": "Servers"}
    assert categories.code("remove", "Cloud") == 0
    assert "Servers" in run(categories.database_url, "categories", "list", "--account",
                            categories.account).stdout  # fmt: skip


def test_a_host_has_them_too(billing: Billing, owner: Actor) -> None:
    app, account = app_with(billing), str(owner.account_id)
    made = facts(inside(app, "items", "add", "--account", account, "n", "1", "--json"))
    assert made["name"] == "n"
    assert (
        json.loads(inside(app, "categories", "list", "--account", account, "--json").stdout) == []
    )
