"""The command over streamable HTTP: a real server, real clients, many keys side by side."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import anyio
import httpx2
import pytest

from billing_plugin import Actor, Billing, Money, operations
from mcp_server.server import asgi_app
from tests.factories import account_with, billing_on, token_of
from tests.mcp_server.agents import COMMAND, Served, answer, ask, environment, refusal, served

PING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@pytest.fixture
def server(database_url: str) -> Iterator[Served]:
    """The server on the test's database."""
    with served(database_url) as found:
        yield found


def post(url: str, token: str | None = None, body: Any = PING, **headers: str) -> httpx2.Response:
    """One plain request, with nothing of the client's help."""
    given = {**HEADERS, **headers}
    if token is not None:
        given["Authorization"] = f"Bearer {token}"
    wire = {name.encode(): text.encode() for name, text in given.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.post(url, headers=wire, content=content)


def test_a_conversation(
    server: Served, billing: Billing, actor: Actor, token: str, mode: str
) -> None:
    buy = ("top_up", {"amount_cents": 2000, "idempotency_key": "k"})
    calls = [("check_balance", {}), buy, buy, ("set_limit", {"amount_cents": 5000})]
    calls += [("report_spend", {}), ("top_up", {"amount_cents": True, "idempotency_key": "l"})]
    before, bought, replayed, limit, report, wrong = anyio.run(
        lambda: ask(server.url, token, calls, mode=mode)
    )
    assert answer(before)["account_id"] == actor.account_id
    assert answer(bought) == answer(replayed)
    assert answer(limit)["remaining"]["cents"] == 5000
    assert answer(report)["count"] == 0
    assert refusal(wrong)["fields"]["amount_cents"].startswith("must be a whole number")
    balance = operations.check_balance(actor, str(actor.account_id))
    assert balance.available == Money.parse("120")


def test_callers_side_by_side_never_meet(server: Served, billing: Billing, mode: str) -> None:
    """Eight accounts with balances of their own, sixteen clients, all at once."""
    actors = [account_with(billing, str(10 + number)) for number in range(8)]
    tokens = [token_of(billing, actor) for actor in actors]
    seen: list[tuple[int, Any]] = []

    async def one(number: int, round_: int) -> None:
        calls = [("check_balance", {})] * 3
        calls += [("top_up", {"amount_cents": 100 + number, "idempotency_key": f"r{round_}"})]
        calls += [("set_limit", {"amount_cents": 1000 + number})]
        for result in await ask(server.url, tokens[number], calls, mode=mode):
            seen.append((number, answer(result)))

    async def everyone() -> None:
        async with anyio.create_task_group() as tasks:
            for round_ in range(2):
                for number in range(8):
                    tasks.start_soon(one, number, round_)

    anyio.run(everyone)
    assert len(seen) == 8 * 2 * 5
    for number, said in seen:
        if "account_id" in said:
            assert said["account_id"] == actors[number].account_id
        if "topup_id" in said:
            assert said["amount"]["cents"] == 100 + number
        if "limit_id" in said:
            assert said["amount"]["cents"] == 1000 + number
    for number, actor in enumerate(actors):
        balance = operations.check_balance(actor, str(actor.account_id))
        assert balance.available.cents == (10 + number) * 100 + 2 * (100 + number)


@ON_SQLITE
def test_one_connection_that_changes_its_key_changes_its_account(
    server: Served, billing: Billing
) -> None:
    actors = [account_with(billing, "1"), account_with(billing, "2")]
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    body["params"] = {"name": "check_balance", "arguments": {}}
    with httpx2.Client(headers=HEADERS) as client:
        for actor in actors * 2:
            headers = {"Authorization": f"Bearer {token_of(billing, actor)}"}
            said = client.post(server.url, headers=headers, json=body).json()
            assert said["result"]["structuredContent"]["account_id"] == actor.account_id


WRONG = ["nonsense", "sk_", "sk_00_x", "sk_" + "0" * 32 + "_" + "x" * 43, "sk_é_\u00ff"]


@ON_SQLITE
def test_no_key_or_a_wrong_one_is_401(server: Served, token: str) -> None:
    answers = [post(server.url)]
    answers += [post(server.url, wrong) for wrong in WRONG]
    answers += [post(server.url, token[:-1]), post(server.url, f"{token}x")]
    answers += [post(server.url, Authorization=other) for other in (f"Basic {token}", "Bearer")]
    for answered in answers:
        assert answered.status_code == 401
        assert answered.json()["error"] == "invalid_token"
        assert answered.headers["WWW-Authenticate"].startswith("Bearer ")
        assert "resource_metadata" not in answered.headers["WWW-Authenticate"]
        assert token not in answered.text
    assert post(server.url, token).status_code == 200


def test_a_revoked_key_is_401_at_once(server: Served, billing: Billing, actor: Actor) -> None:
    made = operations.create_key(billing.operator(), str(actor.account_id))
    assert post(server.url, made.token).status_code == 200
    operations.revoke_key(billing.operator(), str(actor.account_id), made.key.id)
    assert post(server.url, made.token).status_code == 401


@ON_SQLITE
def test_foreign_hosts_and_origins_are_refused(server: Served, token: str) -> None:
    assert post(server.url, token, Host="evil.example").status_code == 421
    assert post(server.url, token, Host="127.0.0.1.evil.example:80").status_code == 421
    assert post(server.url, token, Origin="https://evil.example").status_code == 403
    assert post(server.url, token, Origin="null").status_code == 403
    local = server.url.removesuffix("/mcp")
    assert post(server.url, token, Origin=local).status_code == 200
    assert post(server.url.replace("127.0.0.1", "localhost"), token).status_code == 200


@ON_SQLITE
def test_further_names_are_allowed_by_option(database_url: str, token: str) -> None:
    with served(database_url, "--allowed-host", "mcp.example.com") as server:
        assert post(server.url, token, Host="mcp.example.com").status_code == 200
        assert post(server.url, token, Host="mcp.example.com:8443").status_code == 200
        assert post(server.url, token, Origin="https://mcp.example.com").status_code == 200
        assert post(server.url, token, Host="other.example.com").status_code == 421
        assert post(server.url, token, Host="0.0.0.0:80").status_code == 421


@ON_SQLITE
def test_listening_everywhere_trusts_no_further_name(database_url: str, token: str) -> None:
    with served(database_url, "--host", "0.0.0.0") as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        assert post(url, token).status_code == 200
        assert post(url, token, Host="evil.example").status_code == 421
        assert post(url, token, Host="0.0.0.0:80").status_code == 421


@ON_SQLITE
def test_bad_requests_are_answered_without_a_trace(server: Served, token: str) -> None:
    assert post(server.url, token, b"{no json").status_code == 400
    assert post(server.url, token, b"[" * 100_000).status_code == 400
    assert post(server.url, token, b"x" * 300_000).status_code == 413
    assert post(server.url, token, {"jsonrpc": "2.0"}).status_code == 400
    assert post(server.url.replace("/mcp", "/"), token).status_code == 404
    assert post(server.url.replace("/mcp", "/mcp/x"), token).status_code == 404
    assert httpx2.get(f"{server.url}/../.well-known/oauth-protected-resource").status_code == 404
    assert post(server.url, token).status_code == 200
    _, output, errors = server.stop()
    assert output == ""
    assert "Traceback" not in errors


def test_the_key_is_in_no_answer_and_no_log(server: Served, token: str) -> None:
    secret = token.split("_", 2)[2]
    calls = [("check_balance", {}), ("nothing", {"key": 1}), ("top_up", {"amount_cents": "1"})]
    results = anyio.run(lambda: ask(server.url, token, calls))
    bad = post(server.url, f"{token}x"), post(server.url, token, Host="evil.example")
    code, output, errors = server.stop()
    seen = "".join(result.model_dump_json() for result in results) + output + errors
    seen += "".join(answered.text + str(answered.headers) for answered in bad)
    assert secret not in seen
    assert code == 0


def test_the_server_ends_in_order(server: Served, token: str) -> None:
    assert post(server.url, token).status_code == 200
    code, output, errors = server.stop()
    assert (code, output) == (0, "")
    assert "Application shutdown complete" in errors
    assert "Traceback" not in errors


def test_a_database_that_is_away_at_the_start() -> None:
    ended = subprocess.run(
        [*COMMAND, "--transport", "http", "--port", "0"],
        env=environment("postgresql://billing:s3cret@127.0.0.1:1/billing"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("mcp_server: The database cannot be reached")


def asked_in_process(billing: Billing, token: str) -> httpx2.Response:
    """One request to the app itself, without a network."""
    app = asgi_app(billing)

    async def ask_app() -> httpx2.Response:
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:80") as client,
        ):
            headers = {**HEADERS, "Authorization": f"Bearer {token}"}
            return await client.post("/mcp", headers=headers, json=PING)

    return anyio.run(ask_app)


def test_a_database_that_goes_away_is_503(caplog: pytest.LogCaptureFixture) -> None:
    billing = billing_on("postgresql://billing:s3cret@127.0.0.1:1/billing")
    answered = asked_in_process(billing, "sk_" + "0" * 32 + "_x")
    assert answered.status_code == 503
    assert answered.headers["Retry-After"] == "1"
    assert answered.json()["error"] == "storage_unavailable"
    assert "127.0.0.1" not in answered.text
    assert "s3cret" not in caplog.text


def test_a_bug_before_the_tools_is_masked(
    billing: Billing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("canary-words")

    monkeypatch.setattr("mcp_server.identity.authenticate", broken)
    answered = asked_in_process(billing, "sk_x")
    assert (answered.status_code, answered.json()["error"]) == (500, "internal_error")
    assert "canary-words" not in answered.text + caplog.text
    assert "RuntimeError in broken" in caplog.text


@ON_SQLITE
def test_an_api_key_in_the_environment_opens_nothing_over_http(
    database_url: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_API_KEY", token)
    assert "BILLING_API_KEY" in os.environ
    process = subprocess.Popen(
        [*COMMAND, "--transport", "http", "--port", "0"],
        env=environment(database_url, BILLING_API_KEY=token),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        server = Served(process)
        server.wait_until_ready()
        assert post(server.url).status_code == 401
        assert server.stop()[0] == 0
