"""`billing prices …`: what it prints, what it exits with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing_plugin import Money, operations
from billing_plugin.models.usage import Usage
from tests.factories import account_with, billing_on
from tests.test_cli import facts, run

GPT = ("openai", "gpt-4o", "input_tokens=2", "output_tokens=8")


def put(database_url: str, *arguments: str) -> dict[str, Any]:
    return facts(run(database_url, "prices", "set", *arguments, "--per-million", "--json"))


def rows(database_url: str, *arguments: str) -> list[dict[str, Any]]:
    result = run(database_url, "prices", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_a_price_is_set_listed_and_ended(database_url: str) -> None:
    made = put(database_url, *GPT, "--source", "contract")
    assert made["prices"] == {"input_tokens": "0.000002", "output_tokens": "0.000008"}
    assert (made["accountId"], made["currency"], made["validUntil"]) == (None, "USD", None)
    assert rows(database_url, "list") == [made]
    ended = facts(run(database_url, "prices", "end", made["id"], "--json"))
    assert ended["validUntil"] is not None
    assert rows(database_url, "list", "--at", ended["validUntil"]) == []
    assert run(database_url, "prices", "end", made["id"]).exit_code == 1


def test_a_price_is_for_an_account_and_a_time(database_url: str) -> None:
    account = str(account_with(billing_on(database_url)).account_id)
    made = put(
        database_url, *GPT, "--account", account, "--from", "2099-01-01T00:00Z",
        "--until", "2099-02-01T00:00+01:00",
    )  # fmt: skip
    assert (made["accountId"], made["validFrom"]) == (account, "2099-01-01T00:00:00+00:00")
    assert made["validUntil"] == "2099-01-31T23:00:00+00:00"
    assert rows(database_url, "list") == []
    assert rows(database_url, "list", "--account", account) == [made]


def test_what_the_book_changes_is_shown(database_url: str) -> None:
    put(database_url, *GPT)
    changes = {row["unit"]: (row["old"], row["new"]) for row in rows(database_url, "diff")}
    assert changes["output_tokens"] == ("0.00001", "0.000008")
    [o3] = [
        row
        for row in rows(database_url, "diff", "--since", "2025-06-01T00:00Z", "--until",
                        "2025-07-01T00:00Z", "--model", "o3")
        if (row["provider"], row["unit"]) == ("openai", "input_tokens")
    ]  # fmt: skip
    assert (o3["old"], o3["new"]) == ("0.00001", "0.000002")
    assert "gpt-4o  output_tokens" in run(database_url, "prices", "diff").stdout


def test_a_preview_has_two_bounds(database_url: str) -> None:
    billing = billing_on(database_url)
    actor = account_with(billing)
    asked = ["--account", str(actor.account_id), "gpt-4o", "--input-tokens", "1000",
             "--max-output-tokens", "100"]  # fmt: skip
    found = facts(run(database_url, "prices", "preview", *asked, "--json"))
    assert (found["lower"], found["upper"]) == ("0.00125 USD", "0.0035 USD")
    assert "upper: 0.0035 USD" in run(database_url, "prices", "preview", *asked).stdout


def test_a_price_set_here_is_the_one_that_is_charged(database_url: str) -> None:
    put(database_url, *GPT)
    actor = account_with(billing_on(database_url))
    rated = operations.estimate_cost(actor, str(actor.account_id), Usage("gpt-4o", "", 500_000))
    assert rated.cost == Money.parse("1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "p", "m", "input_tokens=x"], "is no price such as"),
        (["set", "p", "m", "input_tokens"], "is no price such as"),
        (["set", "p", "m", "input_tokens=NaN"], "is no price such as"),
        (["set", "p", "m", "tokens=1"], "input_tokens"),
        (["set", "p", "m"], "UNIT=PRICE"),
        (["set", "*", "m", "requests=1"], "both *"),
        (["set", "p", "m", "requests=1", "--from", "2020-01-01T00:00Z"], "now or later"),
        (["set", "p", "m", "requests=1", "--from", "soon"], "A time is such as"),
        (["set", "p", "m", "requests=1", "--from", "2099-01-01"], "needs a zone"),
        (["end", "price_0"], "no such price"),
        (["list", "--account", "acct"], "There is no such thing"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    database_url: str, arguments: list[str], words: str
) -> None:
    result = run(database_url, "prices", *arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert words in result.stderr
    assert "Traceback" not in result.stderr
