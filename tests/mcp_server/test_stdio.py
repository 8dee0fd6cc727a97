"""The command over stdio: a real process, started, asked, and ended as a client would."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, types
from mcp.client.stdio import stdio_client

from billing_plugin import Actor, Billing, Money, operations
from tests.factories import account_with, token_of
from tests.mcp_server.agents import COMMAND, answer, environment, refusal

CALLS = [
    ("check_balance", {}),
    ("top_up", {"amount_cents": 2000, "idempotency_key": "k"}),
    ("top_up", {"amount_cents": 2000, "idempotency_key": "k"}),
    ("set_limit", {"amount_cents": 5000}),
    ("report_spend", {"group_by": "day"}),
    ("top_up", {"amount_cents": "2000", "idempotency_key": "l"}),
]
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def converse(
    env: dict[str, str], errors: Path, calls: list[tuple[str, dict[str, Any]]], mode: str
) -> list[types.CallToolResult]:
    """The results of the calls, made by the official client to a process of its own."""
    server = StdioServerParameters(command=COMMAND[0], args=list(COMMAND[1:]), env=env)

    async def talk() -> list[Any]:
        with errors.open("w") as log:
            async with Client(stdio_client(server, errlog=log), mode=mode) as client:
                return [await client.call_tool(name, given) for name, given in calls]

    return anyio.run(talk)


def run(env: dict[str, str], *options: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """The command with this standard input, until it ends."""
    command = [*COMMAND, *options]
    return subprocess.run(
        command, env=env, input=said, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_conversation_in_a_process_of_its_own(
    billing: Billing, actor: Actor, database_url: str, mode: str, tmp_path: Path
) -> None:
    token = token_of(billing, actor)
    log = tmp_path / "stderr"
    results = converse(environment(database_url, BILLING_API_KEY=token), log, CALLS, mode)
    before, bought, replayed, limit, report, wrong = results
    assert answer(before)["available"]["amount"] == "100.00"
    assert answer(bought) == answer(replayed)
    assert answer(limit)["amount"]["cents"] == 5000
    assert answer(report)["total"]["cents"] == 0
    assert refusal(wrong)["code"] == "invalid_request"
    balance = operations.check_balance(actor, str(actor.account_id))
    assert balance.available == Money.parse("120")
    seen = "".join(result.model_dump_json() for result in results) + log.read_text()
    assert token not in seen
    assert token.split("_", 2)[2] not in seen


@ON_SQLITE
def test_a_key_revoked_meanwhile_is_refused(
    billing: Billing, actor: Actor, database_url: str, tmp_path: Path
) -> None:
    made = operations.create_key(billing.operator(), str(actor.account_id))
    env = environment(database_url, BILLING_API_KEY=made.token)
    server = StdioServerParameters(command=COMMAND[0], args=list(COMMAND[1:]), env=env)

    async def talk() -> list[Any]:
        async with Client(server) as client:
            first = await client.call_tool("check_balance", {})
            operations.revoke_key(billing.operator(), str(actor.account_id), made.key.id)
            return [first, await client.call_tool("check_balance", {})]

    before, after = anyio.run(talk)
    answer(before)
    assert refusal(after)["code"] == "unauthenticated"


def spoken(
    command: Sequence[str], env: dict[str, str], said: Sequence[bytes]
) -> tuple[int, list[str], str]:
    """Says each line once the one before was answered: exit code, lines answered, errors."""
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        lines = []
        for line in said:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            if b'"id"' in line:
                lines.append(process.stdout.readline().decode())
        rest, errors = process.communicate(timeout=60)
    return process.returncode, [*lines, *rest.decode().splitlines()], errors.decode()


def call_of(number: int, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The message that calls a tool."""
    params = {"name": name, "arguments": given}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


def dumped(*messages: dict[str, Any]) -> list[bytes]:
    """Messages as lines."""
    return [json.dumps(message).encode() for message in messages]


@ON_SQLITE
def test_standard_output_carries_the_protocol_alone(
    token: str, billing: Billing, database_url: str
) -> None:
    calls = [call_of(n, *call) for n, call in enumerate([*CALLS, ("nothing", {})], start=2)]
    env = environment(database_url, BILLING_API_KEY=token)
    code, lines, errors = spoken(COMMAND, env, dumped(INITIALIZE, READY, *calls))
    assert code == 0, errors
    messages = [json.loads(line) for line in lines]
    assert [message["id"] for message in messages] == list(range(1, len(calls) + 2))
    assert all(message["jsonrpc"] == "2.0" and "result" in message for message in messages)
    assert token not in "".join(lines) + errors


@ON_SQLITE
def test_a_stray_print_stays_out_of_the_protocol(token: str, database_url: str) -> None:
    noisy = (
        "import sys, billing_plugin.operations as operations\n"
        "from mcp_server.__main__ import main\n"
        "asked = operations.check_balance\n"
        "operations.check_balance = lambda *args: print('stray words') or asked(*args)\n"
        "sys.exit(main([]))\n"
    )
    env = environment(database_url, BILLING_API_KEY=token)
    env.pop("PYTHONUNBUFFERED", None)  # as most machines have it: prints wait in a buffer
    said = dumped(INITIALIZE, READY, call_of(2, "check_balance", {}))
    code, lines, _ = spoken([COMMAND[0], "-c", noisy], env, said)
    assert code == 0
    assert [json.loads(line)["id"] for line in lines] == [1, 2]
    assert json.loads(lines[1])["result"]["isError"] is False
    assert "stray words" not in "".join(lines)


@ON_SQLITE
def test_lines_that_are_no_protocol_do_not_end_the_conversation(
    token: str, database_url: str
) -> None:
    env = environment(database_url, BILLING_API_KEY=token)
    noise = [b"\xff\xfe garbage", b"[]", b'{"jsonrpc": "2.0"}', b"[" * 100_000]
    code, lines, errors = spoken(COMMAND, env, [*noise, *dumped(INITIALIZE)])
    assert code == 0
    found = [json.loads(line) for line in lines if '"serverInfo"' in line]
    assert found[0]["result"]["serverInfo"]["name"] == "billing"
    assert "Traceback" not in errors


@ON_SQLITE
@pytest.mark.parametrize(
    "key", ["", "nonsense", "sk_", "sk_00_x", "sk_" + "0" * 32 + "_" + "x" * 43]
)
def test_a_missing_or_malformed_key_ends_the_start(database_url: str, key: str) -> None:
    ended = run(environment(database_url, **({"BILLING_API_KEY": key} if key else {})))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("mcp_server: ")
    assert "key" in ended.stderr.lower()
    assert not key or key not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_revoked_or_foreign_key_ends_the_start(billing: Billing, database_url: str) -> None:
    account_id = str(account_with(billing).account_id)
    made = operations.create_key(billing.operator(), account_id)
    operations.revoke_key(billing.operator(), account_id, made.key.id)
    ended = run(environment(database_url, BILLING_API_KEY=made.token))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert made.token not in ended.stderr
    assert "revoked" in ended.stderr


def test_a_start_without_a_key_touches_no_database(tmp_path: Path) -> None:
    file = tmp_path / "never.db"
    assert run(environment(f"sqlite:///{file}")).returncode == 2
    assert not file.exists()


def test_an_unknown_setting_ends_the_start(tmp_path: Path) -> None:
    env = environment(f"sqlite:///{tmp_path / 'a.db'}", BILLING_API_KEY="k", BILLING_CURENCY="EUR")
    ended = run(env)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Did you mean BILLING_CURRENCY?" in ended.stderr


def test_a_database_that_is_away_ends_the_start() -> None:
    secret = "s3cret-of-the-database"
    ended = run(
        environment(f"postgresql://billing:{secret}@127.0.0.1:1/billing", BILLING_API_KEY="k")
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("mcp_server: The database cannot be reached")


@ON_SQLITE
def test_the_database_option_wins(billing: Billing, actor: Actor, database_url: str) -> None:
    env = environment("sqlite:///elsewhere.db", BILLING_API_KEY=token_of(billing, actor))
    said = json.dumps(INITIALIZE) + "\n"
    assert run(env, "--database", database_url, said=said).returncode == 0
    assert not os.path.lexists("elsewhere.db")
