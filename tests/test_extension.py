"""Billing: settings become an instance; and the guards of the wiring file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from peewee import SqliteDatabase

from billing_plugin import Actor, Billing, operations
from billing_plugin.errors import ConfigurationError, NotSupported
from billing_plugin.extension import LazyPrices, migrate
from tests.factories import START, account_with, billing_on

HEAVY = {"mcp", "pydantic", "stripe", "requests", "rq", "redis", "genai_prices", "cryptography"}
MOUNT = """
import sys
from flask import Flask
from billing_plugin import Billing
Billing("sqlite:///never-opened.db").init_app(Flask("host"))
print(*sys.modules)
"""


def test_an_instance_is_made_once(billing: Billing) -> None:
    assert billing.instance is billing.instance
    assert billing.blueprint is billing.blueprint


def test_it_works_without_being_mounted(billing: Billing) -> None:
    actor = account_with(billing, "3")
    assert operations.check_balance(actor, str(actor.account_id)).available.text == "3.00"


def test_tables_are_made_at_first_use(empty_database_url: str) -> None:
    billing = billing_on(empty_database_url)
    assert account_with(billing, "1").account_id


def test_tables_are_not_made_where_the_host_forbids_it(empty_database_url: str) -> None:
    billing = billing_on(empty_database_url, auto_migrate=False)
    with billing.instance.active() as instance:
        assert instance.database.get_tables() == []
    with billing.instance.active() as instance:
        migrate(instance)
        assert "billing_account" in instance.database.get_tables()


def test_the_hosts_own_database(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "host.db")
    billing = Billing(database)
    assert billing.instance.database is database
    assert account_with(billing, "2")
    billing.close()
    assert database.is_closed()


def test_an_actor_has_the_scopes_it_is_given(billing: Billing) -> None:
    assert billing.actor("acct_x").scopes == {"*"}
    assert billing.actor("acct_x", scopes=frozenset({"a"})).scopes == {"a"}
    assert billing.actor("acct_x", scopes=frozenset()).scopes == frozenset()
    assert billing.operator().account_id is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"currency": 5}, "BILLING_CURRENCY is text"),
        ({"max_batch": "many"}, "BILLING_MAX_BATCH is a whole number"),
        ({"auto_migrate": "perhaps"}, "BILLING_AUTO_MIGRATE is true or false"),
        ({"no_such_thing": 1}, "BILLING_NO_SUCH_THING is not a setting"),
    ],
)
def test_bad_settings_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Billing(**options)


def test_a_bad_database_url_is_refused_when_mounted() -> None:
    with pytest.raises(ConfigurationError, match="A database URL is"):
        Billing("mysql://x").init_app(Flask("host"))


def test_an_unknown_processor_is_refused_when_mounted() -> None:
    with pytest.raises(ConfigurationError, match="BILLING_PROCESSOR is one of"):
        Billing(processor="cash").init_app(Flask("host"))


def test_mounting_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "billing.db"
    Billing(f"sqlite:///{path}").init_app(Flask("host"))
    assert not path.exists()


def test_mounting_imports_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MOUNT]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert not HEAVY & {name.partition(".")[0] for name in done.stdout.split()}


def test_prices_are_loaded_at_the_first_question(actor: Actor) -> None:
    prices = LazyPrices()
    assert prices._list is None
    assert prices.edition == ""
    assert prices.find("gpt-4o", provider=None, at=START).provider == "openai"
    assert ("openai", "gpt-4o") in prices.models()
    assert prices.edition.startswith("genai-prices 0.")


def test_without_the_price_list_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "billing_plugin.providers.price_list", None)
    with pytest.raises(NotSupported, match="install the extra `pricing`"):
        LazyPrices().find("gpt-4o", provider="openai", at=START)
