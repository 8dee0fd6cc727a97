"""`billing focus`: bills go in and out on the command line, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from billing_plugin import Actor, Billing, cli, errors, operations
from billing_plugin.operations import focus
from tests.factories import app_with
from tests.focus_files import good_file
from tests.focus_rules import complaints
from tests.test_cli import inside

MARCH = ("--from", "2026-01-01", "--to", "2026-01-31")


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    path = tmp_path / "bill.csv"
    rows = [{"BilledCost": f"{n}.00000000001"} for n in (1, 2, 3)]
    path.write_text(good_file(*rows), encoding="utf-8")
    return path


def run(url: str, *arguments: str | Path) -> Result:
    given = {"BILLING_DATABASE_URL": url}
    return CliRunner().invoke(cli.main, ["focus", *map(str, arguments)], env=given)


def facts(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_bill_goes_in_with_progress_and_out_again(
    database_url: str, actor: Actor, bill: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(focus, "BATCH", 2)
    account, total = str(actor.account_id), {"USD": "6.00000000003"}
    done = run(database_url, "import", bill, "--account", account, "--json")
    told = {"rows": 3, "created": 3, "updated": 0, "unchanged": 0, "totals": total}
    assert facts(done) == told
    assert done.stderr.splitlines() == ["2 of 3 rows", "3 of 3 rows"]
    again = facts(run(database_url, "import", bill, "--account", account, "--json"))
    assert again == {**told, "created": 0, "unchanged": 3}
    out = bill.with_name("out.csv")
    written = run(database_url, "export", "--account", account, *MARCH, "-o", out, "--json")
    assert facts(written) == {"rows": 3, "totals": total}
    text = out.read_bytes().decode()
    assert complaints(text) == []
    shown = run(database_url, "export", "--account", account, "--source", "focus")
    assert (shown.exit_code, shown.stdout_bytes.decode()) == (0, text)
    none = run(database_url, "export", "--account", account, "--to", "2025-12-31")
    assert none.stdout.count("\n") == 1
    assert {path.name for path in bill.parent.iterdir() if path.suffix != ".db"} >= {"out.csv"}


def test_what_was_interrupted_goes_on(
    database_url: str, actor: Actor, bill: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(focus, "BATCH", 1)
    account = str(actor.account_id)
    with bill.open("rb") as file, pytest.raises(KeyboardInterrupt):
        operations.import_focus(actor, account, file, progress=_stop)
    done = facts(run(database_url, "import", bill, "--account", account, "--json"))
    assert (done["created"], done["unchanged"]) == (2, 1)


def _stop(_so_far: focus.FocusImport) -> None:
    raise KeyboardInterrupt


def test_every_wrong_cell_is_named_and_nothing_is_stored(
    database_url: str, actor: Actor, bill: Path
) -> None:
    wrong = good_file({}, {"BilledCost": "1,5"}, {"BillingCurrency": "usd", "Tags": "{"})
    bill.write_text(wrong, encoding="utf-8")
    done = run(database_url, "import", bill, "--account", str(actor.account_id))
    assert (done.exit_code, done.stdout) == (2, "")
    told = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "Line 3, BilledCost", "Line 4, BillingCurrency", "Line 4, Tags", "Error",
    ]  # fmt: skip
    assert operations.list_items(actor, str(actor.account_id)) == []


BAD = {
    "another account": (("--account", "acct_nobody"), 2),
    "no day": (("--account", "ACCOUNT", "--from", "yesterday"), 2),
    "days out of order": (
        ("--account", "ACCOUNT", "--from", "2026-02-02", "--to", "2026-02-01"),
        2,
    ),
    "no source": (("--account", "ACCOUNT", "--source", "fake"), 2),
    "no account": ((), 2),
    "no such folder": (("--account", "ACCOUNT", "-o", "nowhere/x.csv"), 1),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_command_is_one_sentence_and_an_exit_code(
    database_url: str, actor: Actor, name: str
) -> None:
    arguments, code = BAD[name]
    said = [str(actor.account_id) if one == "ACCOUNT" else one for one in arguments]
    done = run(database_url, "export", *said)
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert "Error: " in done.stderr


def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    database_url: str, actor: Actor, bill: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise errors.StorageUnavailable("The disk is full.")

    monkeypatch.setattr(operations, "export_focus", breaks)
    before = bill.read_bytes()
    done = run(database_url, "export", "--account", str(actor.account_id), "-o", bill)
    assert (done.exit_code, bill.read_bytes()) == (1, before)
    assert not list(bill.parent.glob("*.part"))


def test_inside_a_host_it_is_the_hosts_own_system(
    billing: Billing, actor: Actor, bill: Path
) -> None:
    account = str(actor.account_id)
    done = inside(app_with(billing), "focus", "import", str(bill), "--account", account)
    assert done.exit_code == 0, done.output
    assert len(operations.list_items(actor, account)) == 3
