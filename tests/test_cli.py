"""The command line, alone and inside a host: what it prints, what it exits with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import FlaskGroup

from billing_plugin import Billing, Money, cli, errors, operations
from tests.factories import OPENED, SECRET_KEY, account_with, billing_on, token_of

TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
ROWS = ("2026-03-01 10:00:00.1234567,1000,100\n", "2026-03-01 10:00:01.0000000,2000,200\n")


def run(database_url: str, *arguments: str, **environment: str) -> Result:
    given = {"BILLING_DATABASE_URL": database_url, "BILLING_SECRET_KEYS": SECRET_KEY, **environment}
    return CliRunner().invoke(cli.main, arguments, env=given)


def inside(app: Flask, *arguments: str) -> Result:
    """`flask billing …` of that application."""
    flask = FlaskGroup(create_app=lambda: app)
    return CliRunner().invoke(flask, ["billing", *arguments])


def facts(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def account_id(database_url: str) -> str:
    """An account made by the command line, with ten dollars."""
    made = facts(run(database_url, "accounts", "create", "Acme", "--json"))
    facts(run(database_url, "accounts", "credit", "--account", made["id"], "10", "--json"))
    return str(made["id"])


def test_an_account_is_known_by_the_id_of_each_dialect(database_url: str) -> None:
    made = facts(run(database_url, "accounts", "create", "Acme", "--json"))
    digits = made["id"].removeprefix("acct_")
    assert re.fullmatch(r"[0-9a-f]{32}", digits)
    assert made["cloudflareAccountId"] == digits
    assert made["xaiTeamId"].replace("-", "") == digits
    assert made["spideriqClientId"] == f"cli_{digits}"


@pytest.mark.parametrize("form", ["id", "cloudflareAccountId", "xaiTeamId"])
def test_an_account_is_found_by_every_form_of_its_id(database_url: str, form: str) -> None:
    made = facts(run(database_url, "accounts", "create", "Acme", "--json"))
    key = facts(run(database_url, "keys", "create", "--account", made[form], "--json"))
    assert key["accountId"] == made["id"]


def test_a_key_works_and_is_stored_as_a_hash(database_url: str, account_id: str) -> None:
    made = facts(
        run(database_url, "keys", "create", "--account", account_id, "--scope", "balance:read",
            "--json")
    )  # fmt: skip
    billing = billing_on(database_url)
    actor = operations.authenticate(billing.instance, made["key"])
    assert (actor.account_id, actor.scopes) == (account_id, {"balance:read"})
    secret = made["key"].split("_", 2)[2]
    with billing.instance.active():
        rows = billing.instance.database.execute_sql("SELECT * FROM billing_api_key").fetchall()
    assert secret not in repr(rows)


def test_a_revoked_key_ends(database_url: str, account_id: str) -> None:
    made = facts(run(database_url, "keys", "create", "--account", account_id, "--json"))
    assert run(database_url, "keys", "revoke", "--account", account_id, made["id"]).exit_code == 0
    with pytest.raises(errors.Unauthenticated):
        operations.authenticate(billing_on(database_url).instance, made["key"])


def test_without_json_it_prints_lines(database_url: str) -> None:
    result = run(database_url, "accounts", "create", "Acme")
    assert "name: Acme" in result.stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["keys", "create", "--account", "nonsense"], 2, "There is no such thing"),
        (["keys", "create", "--account", "acct_" + "0" * 32], 2, "no such account"),
        (["accounts", "create", " "], 2, "A name has"),
        (["accounts", "create", "Acme", "--currency", "dollars"], 2, "ISO 4217"),
        (["accounts", "nothing"], 2, "No such command"),
        (["keys", "create"], 2, "--account"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    database_url: str, arguments: list[str], code: int, words: str
) -> None:
    result = run(database_url, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_scope_is_refused(database_url: str, account_id: str) -> None:
    result = run(
        database_url, "keys", "create", "--account", account_id, "--scope", "accounts:write"
    )
    assert result.exit_code == 2
    assert "accounts:write" in result.stderr


def test_a_bad_database_url_is_a_setting_error() -> None:
    result = run("mysql://nowhere", "doctor")
    assert result.exit_code == 6
    assert "sqlite:///" in result.stderr


def test_migrate_creates_the_tables_once(empty_database_url: str) -> None:
    assert "0002_prices" in run(empty_database_url, "migrate").stderr
    assert "Nothing to do." in run(empty_database_url, "migrate").stderr


def test_doctor_is_content(database_url: str, account_id: str) -> None:
    found = json.loads(run(database_url, "doctor", "--json").stdout)
    assert found["healthy"] is True
    assert set(found["checks"]) == {"database", "redis", "secret keys", "ledger", "reports"}


def test_doctor_names_a_tampered_account(database_url: str, account_id: str) -> None:
    billing = billing_on(database_url)
    with billing.instance.active():
        billing.instance.database.execute_sql("UPDATE billing_account SET posted_nanos = 7")
    result = run(database_url, "doctor")
    assert result.exit_code == 1
    assert account_id in result.stdout


def test_doctor_says_that_redis_is_away(database_url: str) -> None:
    result = run(database_url, "doctor", BILLING_REDIS_URL="redis://127.0.0.1:1/0")
    assert result.exit_code == 1
    assert "ILL  redis: away" in result.stdout


def test_doctor_says_that_a_secret_key_is_none(database_url: str) -> None:
    result = run(database_url, "doctor", BILLING_SECRET_KEYS="nonsense")
    assert result.exit_code == 1
    assert "BILLING_SECRET_KEYS" in result.stdout


def test_a_vendor_is_connected_and_synced(database_url: str, account_id: str) -> None:
    arguments = ["--account", account_id, "--json"]
    made = run(
        database_url, "integrations", "create", "--provider", "fake", "--setting", "balance=4.20",
        *arguments, BILLING_PROVIDER_API_KEY="canary-secret-123",
    )  # fmt: skip
    assert facts(made)["keys"] == {"api_key": "cana...123"}
    assert "canary-secret-123" not in made.output
    job = facts(run(database_url, "sync", *arguments))
    assert (job["status"], job["synced"], job["failed"]) == ("completed", 1, 0)


def test_usage_is_imported_once(database_url: str, account_id: str, tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(TRACE + "".join(ROWS))
    arguments = ["import-usage", str(file), "--model", "gpt-4o", "--provider", "openai"]
    first = facts(run(database_url, *arguments, "--account", account_id, "--json"))
    assert first == {"read": 2, "recorded": 2, "replayed": 0, "charged": "0.0105 USD"}
    again = facts(run(database_url, *arguments, "--account", account_id, "--json"))
    assert again == {"read": 2, "recorded": 0, "replayed": 2, "charged": "0.00 USD"}


def test_an_import_stops_at_the_limit(database_url: str, account_id: str, tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(TRACE + "".join(ROWS))
    billing = billing_on(database_url)
    actor = billing.actor(account_id)
    operations.set_limit(actor, account_id, Money.parse("0.0040"))
    result = run(
        database_url, "import-usage", str(file), "--model", "gpt-4o", "--account", account_id
    )
    assert result.exit_code == 3
    assert "recorded: 1" in result.stdout
    assert "Stopped at line 3" in result.stderr


def test_inside_a_host_it_uses_the_mounted_system(database_url: str) -> None:
    app = Flask("host")
    app.config["BILLING_DATABASE_URL"] = database_url
    billing = Billing()
    billing.init_app(app)
    OPENED.append(billing)
    made = facts(inside(app, "accounts", "create", "Acme", "--json"))
    found = operations.get_account(billing_on(database_url).operator(), made["id"])
    assert found.name == "Acme"


def test_inside_a_host_without_us_it_says_so() -> None:
    result = inside(Flask("host"), "doctor")
    assert result.exit_code == 6
    assert "has not mounted" in result.stderr


def test_serve_answers_over_http(database_url: str) -> None:
    billing = billing_on(database_url)
    token = token_of(billing, account_with(billing, "5"))
    arguments = [sys.executable, "-m", "billing_plugin.cli", "serve", "--port", "0"]
    environment = {**os.environ, "BILLING_SECRET_KEYS": SECRET_KEY}
    server = subprocess.Popen(
        [*arguments, "--database", database_url, "--redis", ""],
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = _url(server)
        answer = requests.get(
            f"{url}/api/billing/balance", headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
        assert answer.json() == {"balanceInCents": 500, "balanceInDollars": 5.0}
        topup = requests.post(
            f"{url}/api/v1/billing/topups",
            headers={"X-API-Key": token}, json={"amountCents": 500}, timeout=10,
        )  # fmt: skip
        assert topup.json()["data"]["processor"] == "fake"
        page = requests.get(f"{url}/billing", auth=("", token), timeout=10)
        assert "10.00" in page.text
    finally:
        server.terminate()
        server.wait(10)
        assert server.stderr
        server.stderr.close()


def _url(server: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + 30
    assert server.stderr
    while time.monotonic() < deadline:
        found = re.search(r"http://\S+", server.stderr.readline())
        if found:
            return found.group()
    raise AssertionError("the server did not say where it serves")
