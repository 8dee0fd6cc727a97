"""The tour: every door is used once, each step says what it did, the first failure ends it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import requests

from billing_plugin import operations
from billing_plugin.demo.agent import ask_over_http, ask_over_stdio

TIMEOUT_S = 10
JOB_S = 30


class Failed(Exception):
    """A step did not do what it should."""


def take(scene: Any) -> int:
    """Takes every step; 0 when all succeed, 1 at the first that does not."""
    guide = Guide(scene)
    for number, step in enumerate(STEPS, 1):
        try:
            print(f"{number:2}. {_title(step)}: {step(guide)}", flush=True)
        except (Failed, requests.RequestException, KeyError) as error:
            print(f"{number:2}. {_title(step)}: FAILED: {error}", file=sys.stderr)
            print(f"The parts' log:\n{scene.log.read_text()[-2000:]}", file=sys.stderr)
            return 1
    print(f"All {len(STEPS)} steps succeeded.")
    return 0


class Guide:
    """Asks the host over HTTP with the sample key."""

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        self._headers = {"Authorization": f"Bearer {scene.key}"}

    def ask(self, method: str, path: str, *, expect: int = 200, **said: Any) -> Any:
        """JSON of a call that must answer with the status `expect`."""
        headers = {**self._headers, **said.pop("headers", {})}
        response = requests.request(
            method, self.scene.url + path, headers=headers, timeout=TIMEOUT_S, **said
        )
        if response.status_code != expect:
            raise Failed(f"{method} {path} answered {response.status_code}: {response.text[:300]}")
        return response.json()

    def page(self, path: str) -> str:
        """A page for people, with the sample key as the password."""
        key = ("", self.scene.key)
        response = requests.get(self.scene.url + path, auth=key, timeout=TIMEOUT_S)
        if response.status_code != 200:
            raise Failed(f"{path} answered {response.status_code}: {response.text[:300]}")
        return response.text


def host_is_untouched(guide: Guide) -> str:
    """The host's own 404 page."""
    response = requests.get(guide.scene.url + "/nowhere", timeout=TIMEOUT_S)
    _must(response.status_code == 404 and "Acme" in response.text, "the host lost its error page")
    return "its own 404 page answers outside our prefixes"


def balance_over_rest(guide: Guide) -> str:
    """The same balance through two faces."""
    cents = guide.ask("GET", "/api/billing/balance")["balanceInCents"]
    native = guide.ask("GET", "/api/v1/billing/balance")["data"]["available"]
    _must(native["cents"] == cents == 1000, "the faces disagree about the balance")
    return f"{native['amount']} {native['currency']} through two faces"


def top_up_once(guide: Guide) -> str:
    """One key, sent twice, one credit."""
    said = {"json": {"amountCents": 2500}, "headers": {"Idempotency-Key": "tour"}}
    first = guide.ask("POST", "/api/v1/billing/topups", expect=201, **said)["data"]
    again = guide.ask("POST", "/api/v1/billing/topups", expect=201, **said)["data"]
    _must(first["id"] == again["id"], "the same key bought twice")
    balance = guide.ask("GET", "/api/billing/balance")["balanceInCents"]
    _must(balance == 3500, f"the balance is {balance} cents, not 3500")
    return "25.00 USD sent twice under one key, credited once"


def usage_is_priced(guide: Guide) -> str:
    """One use at a real price."""
    used = {"provider": "openai", "model": "gpt-4o", "inputTokens": 1523, "outputTokens": 97}
    record = guide.ask("POST", "/api/v1/billing/usage", expect=201, json=used)["data"]
    _must(record["cost"]["amount"] == "0.0047775", f"it cost {record['cost']['amount']}")
    return f"1,620 tokens of gpt-4o cost exactly {record['cost']['amount']} USD"


def host_spends(guide: Guide) -> str:
    """The host's own view charges through the Python API."""
    answer = guide.ask("POST", "/chat", data="How much is this?")
    return f"the host's own view charged {answer['cost']} USD"


def limit_is_hard(guide: Guide) -> str:
    """A limit refuses the use that would pass it, and says why."""
    guide.ask("POST", "/api/v1/billing/limits", expect=201, json={"amount": "0.0090"})
    used = {"provider": "openai", "model": "gpt-4o", "inputTokens": 1523, "outputTokens": 97}
    error = guide.ask("POST", "/api/v1/billing/usage", expect=402, json=used)["error"]
    _must(error["code"] == "LIMIT_EXCEEDED", "the limit did not refuse")
    return f"refused at {error['spent']} of {error['amount']} USD until {error['resetsAt']}"


def spend_is_reported(guide: Guide) -> str:
    """The month's spend by model."""
    report = guide.ask("GET", "/api/v1/billing/spend?groupBy=model")["data"]
    return f"{report['total']['amount']} USD in {report['count']} uses this month"


def pages_say_the_same(guide: Guide) -> str:
    """The overview, as a person sees it."""
    page = guide.page("/billing")
    balance = guide.ask("GET", "/api/v1/billing/balance")["data"]["available"]["amount"]
    _must(f">{balance}</data>" in page, "the overview shows another balance")
    return f"the overview shows {balance} USD"


def vendors_are_asked(guide: Guide) -> str:
    """Both fake vendors at once."""
    answer = guide.ask("POST", "/api/v1/integrations/sync-billing")
    _must((answer["synced"], answer["failed"]) == (2, 0), "a vendor could not be read")
    _must(answer["total_balance"] == 47.83, "the total is not what was exposed")
    return f"{answer['synced']} read, total balance {answer['total_balance']} USD"


def job_runs_in_background(guide: Guide) -> str:
    """A sync through the queue."""
    job = guide.ask("POST", "/api/v1/billing/sync", expect=202, json={})["data"]
    deadline = time.monotonic() + JOB_S
    while job["status"] != "completed" and time.monotonic() < deadline:
        time.sleep(0.1)
        job = guide.ask("GET", f"/api/v1/billing/sync/jobs/{job['id']}")["data"]
    _must(job["status"] == "completed", f"the job is {job['status']} after {JOB_S} s")
    where = "by the RQ worker" if guide.scene.redis_url else "in the process"
    return f"{job['synced']} vendors read {where}"


def agent_over_http(guide: Guide) -> str:
    """An agent asks the MCP server over HTTP."""
    balance = ask_over_http(guide.scene, "check_balance", {})
    cents = guide.ask("GET", "/api/billing/balance")["balanceInCents"]
    _must(balance["available"]["cents"] == cents, "the agent sees another balance")
    return f"check_balance says {balance['available']['amount']} USD"


def agent_over_stdio(guide: Guide) -> str:
    """An agent asks the MCP server over stdio."""
    report = ask_over_stdio(guide.scene, "report_spend", {})
    total = guide.ask("GET", "/api/v1/billing/spend")["data"]["total"]["amount"]
    _must(report["total"]["amount"] == total, "the agent sees another spend")
    return f"report_spend says {report['total']['amount']} USD"


def books_are_right(guide: Guide) -> str:
    """The invariants of the ledger."""
    broken = operations.check_ledger(guide.scene.billing.operator())
    _must(not broken, "; ".join(broken))
    return "every invariant of the ledger holds"


STEPS: tuple[Callable[[Guide], str], ...] = (
    host_is_untouched,
    balance_over_rest,
    top_up_once,
    usage_is_priced,
    host_spends,
    limit_is_hard,
    spend_is_reported,
    pages_say_the_same,
    vendors_are_asked,
    job_runs_in_background,
    agent_over_http,
    agent_over_stdio,
    books_are_right,
)


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Failed(otherwise)


def _title(step: Callable[[Guide], str]) -> str:
    return step.__name__.replace("_", " ").capitalize()
