"""One real thing through every door: the public trace, charged over REST by a real server,
stopped by a limit that an agent set, synced by a real worker, reported to agents, all to the nano.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import anyio
import pytest
import requests
from mcp import Client, StdioServerParameters

from billing_plugin import Billing, Money, operations
from tests.factories import SECRET_KEY, account_with, billing_on, token_of
from tests.mcp_server.agents import answer, ask, served
from tests.worker.processes import burst, environment

TRACE = Path(__file__).parents[2] / "shared" / "data" / "azure-llm-trace-conv-2023.csv"
BATCH = 1_000
USE = {"model": "gpt-4o", "provider": "openai"}  # 2.50 and 10.00 dollars for a million tokens
READ_NANOS, WRITTEN_NANOS = 2_500, 10_000
DAYS = {"from_day": "2023-11-16", "to_day": "2023-11-16"}
pytestmark = pytest.mark.skipif(
    not TRACE.exists(), reason=f"The public trace {TRACE.name} is not beside this project."
)


def rows() -> list[tuple[str, int, int]]:
    parts = (line.split(",") for line in TRACE.read_text().splitlines()[1:])
    return [(stamp, int(read), int(written)) for stamp, read, written in parts]


def costs() -> list[int]:
    return [read * READ_NANOS + written * WRITTEN_NANOS for _, read, written in rows()]


def records() -> list[dict[str, Any]]:
    """The trace as the native API takes it; a row's number makes its idempotency key."""
    return [
        {
            **USE,
            "inputTokens": read,
            "outputTokens": written,
            "effectiveAt": stamp.replace(" ", "T")[:26] + "Z",
            "idempotencyKey": f"trace-{number}",
        }
        for number, (stamp, read, written) in enumerate(rows())
    ]


@contextmanager
def serving(database_url: str, redis_url: str) -> Iterator[str]:
    """`billing serve` as its own process: its URL."""
    command = [sys.executable, "-m", "billing_plugin.cli", "serve", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--database", database_url, "--redis", redis_url],
        env={**os.environ, "BILLING_SECRET_KEYS": SECRET_KEY},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield _url(process)
        finally:
            process.terminate()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    for line in process.stderr:
        if found := re.search(r"http://\S+", line):
            return found.group()
    raise AssertionError("the server did not say where it serves")


class Customer:
    """A client of the native API over real HTTP."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url + "/api/v1/billing"
        self.session = requests.Session()
        self.session.headers["X-API-Key"] = token

    def __enter__(self) -> Customer:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def charge(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The outcomes of one batch."""
        done = self.session.post(f"{self.url}/usage/batch", json={"records": batch}, timeout=60)
        assert done.status_code == 200, done.text
        results: list[dict[str, Any]] = done.json()["data"]["results"]
        return results

    def charge_all(self) -> list[dict[str, Any]]:
        """The outcomes of the whole trace, in order."""
        said = records()
        batches = [said[start : start + BATCH] for start in range(0, len(said), BATCH)]
        return [outcome for batch in batches for outcome in self.charge(batch)]

    def sync(self) -> str:
        """The id of a sync job that a worker will run."""
        done = self.session.post(f"{self.url}/sync", json={}, timeout=60)
        assert done.status_code == 202, done.text
        return str(done.json()["data"]["id"])


def over_http(url: str, token: str, tool: str, said: dict[str, Any]) -> dict[str, Any]:
    [result] = anyio.run(ask, url, token, [(tool, said)])
    return answer(result)


def over_stdio(database_url: str, token: str, tool: str, said: dict[str, Any]) -> dict[str, Any]:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_server"],
        env={**os.environ, "BILLING_DATABASE_URL": database_url, "BILLING_API_KEY": token},
    )

    async def call() -> dict[str, Any]:
        async with Client(server) as client:
            return answer(await client.call_tool(tool, said))

    return anyio.run(call)


def test_the_trace_through_every_door(
    database_url: str, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    billing = billing_on(database_url)
    actor = account_with(billing, "1000")
    account_id, token = str(actor.account_id), token_of(billing, actor)
    operations.connect(
        actor, account_id, "fake", credentials={"api_key": "demo"}, settings={"balance": "4.20"}
    )
    began = time.monotonic()
    with (
        serving(database_url, redis_url) as url,
        Customer(url, token) as customer,
        served(database_url) as agents,
    ):
        limit = over_http(agents.url, token, "set_limit", {"amount_cents": _half_cents()})
        spent = _charged_up_to(customer, Money.from_cents(_half_cents()).nanos)
        assert over_http(agents.url, token, "report_spend", DAYS)["total"]["amount"] == (
            Money(spent).text
        )
        operations.remove_limit(actor, account_id, limit["limit_id"])
        total = _charged_whole(customer, spent)
        job_id = customer.sync()
        assert burst(environment(database_url, redis_url)).returncode == 0
        agent = over_http(agents.url, token, "check_balance", {})
    assert operations.get_sync_job(actor, account_id, job_id).status == "completed"
    report = over_stdio(database_url, token, "report_spend", DAYS)
    assert report["total"]["amount"] == Money(total).text
    assert report["count"] == len(rows())
    assert agent["available"]["amount"] == (Money.parse("1000") - Money(total)).text
    assert operations.check_ledger(billing.operator()) == []
    with capsys.disabled():
        print(f"\n{_words(billing, total, spent)} in {time.monotonic() - began:.1f} s")


def _half_cents() -> int:
    return math.floor(Fraction(sum(costs()), 2 * 10**7))


def _charged_up_to(customer: Customer, limit_nanos: int) -> int:
    """Charges the trace under the limit: what fits is charged, what does not is refused."""
    spent = 0
    for outcome, cost in zip(customer.charge_all(), costs(), strict=True):
        fits = spent + cost <= limit_nanos
        assert outcome["status"] == ("recorded" if fits else "refused")
        if not fits:
            assert outcome["error"]["code"] == "LIMIT_EXCEEDED"
        spent += cost * fits
    assert 0 < limit_nanos - spent < max(costs())
    return spent


def _charged_whole(customer: Customer, spent: int) -> int:
    """Charges the whole trace, of which `spent` was charged before; then once more, for nothing."""
    outcomes = customer.charge_all()
    by_status = {"recorded": 0, "replayed": 0}
    for outcome, cost in zip(outcomes, costs(), strict=True):
        by_status[outcome["status"]] += cost
        assert Money.parse(outcome["record"]["cost"]["amount"]).nanos == cost
    assert by_status == {"recorded": sum(costs()) - spent, "replayed": spent}
    assert {outcome["status"] for outcome in customer.charge_all()} == {"replayed"}
    return sum(costs())


def _words(billing: Billing, total: int, spent: int) -> str:
    kind = type(billing.instance.database).__name__
    return (
        f"{kind}: {len(rows())} requests charged {Money(total)} over REST, three times sent;"
        f" the limit of {Money.from_cents(_half_cents())} had stopped at {Money(spent)}"
    )
