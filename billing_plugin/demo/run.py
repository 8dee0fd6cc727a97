"""Puts the demonstration together: database, account, key, parts, host; then shows or tours it."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billing_plugin import Billing, Money, operations
from billing_plugin.context import require
from billing_plugin.demo import parts, tour
from billing_plugin.demo.host import create_app
from billing_plugin.errors import BillingError
from billing_plugin.vault import new_key

OPENING = "10.00"
PAGES = "/billing"  # where the pages for people are, here and in `billing serve`


@dataclass(frozen=True, slots=True)
class Scene:
    """Where everything is, for those who look at it."""

    url: str
    mcp_url: str
    redis_url: str
    account_id: str
    key: str
    environment: dict[str, str]
    billing: Billing
    log: Path


def run(*, check: bool, port: int) -> int:
    """Runs the demonstration until interrupted, or takes the tour; returns the exit code."""
    try:
        require("mcp", extra="demo")
        with _scene(port) as scene:
            return tour.take(scene) if check else _show(scene)
    except BillingError as error:
        print(f"The demonstration failed: {error.message}", file=sys.stderr)
        return 1


@contextmanager
def _scene(port: int) -> Iterator[Scene]:
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="billing-demo-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        log = directory / "parts.log"
        environment = {
            "BILLING_DATABASE_URL": f"sqlite:///{directory}/billing.db",
            "BILLING_REDIS_URL": stack.enter_context(parts.redis_server(log)),
            "BILLING_SECRET_KEYS": new_key(),
            "BILLING_PROCESSOR": "fake",
        }
        settings: dict[str, Any] = {_setting(key): text for key, text in environment.items()}
        billing = Billing(**settings, dashboard_prefix=PAGES)
        account_id, key = _furnish(billing)
        stack.enter_context(parts.worker(environment, log))
        mcp_url = stack.enter_context(parts.mcp_server(environment, log))
        stack.enter_context(parts.ticking(billing))
        url = stack.enter_context(parts.serving(create_app(billing, account_id), port))
        redis_url = environment["BILLING_REDIS_URL"]
        yield Scene(url, mcp_url, redis_url, account_id, key, environment, billing, log)


def _furnish(billing: Billing) -> tuple[str, str]:
    """An account with opening credit, a key, and two vendors: one that tells, one that does not."""
    operator = billing.operator()
    account_id = operations.create_account(operator, "Acme").id
    operations.adjust(operator, account_id, Money.parse(OPENING), reason="welcome")
    figures = {"balance": "47.83", "usage_today": "2.34", "usage_month": "89.47"}
    silent = {"note": "Provider does not expose billing API"}
    for settings in (figures, silent):
        operations.connect(
            operator, account_id, "fake", credentials={"api_key": "demo"}, settings=settings
        )
    return account_id, operations.create_key(operator, account_id).token


def _show(scene: Scene) -> int:
    """Prints where everything is and waits for Ctrl-C."""
    print(_words(scene), flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        print("Stopped.")
    return 0


def _words(scene: Scene) -> str:
    queue = f"worker on {scene.redis_url}" if scene.redis_url else "jobs run in this process"
    curl = f'curl -s -H "Authorization: Bearer {scene.key}"'
    return f"""
Host application  {scene.url}
Pages             {scene.url}{PAGES} (the sample key is the password)
API documentation {scene.url}/api/v1/billing/docs
MCP endpoint      {scene.mcp_url}
Queue             {queue}
Account           {scene.account_id}
Sample key        {scene.key}

Try:
  {curl} {scene.url}/api/billing/balance
  {curl} -X POST -H "Content-Type: application/json" \\
    -d '{{"amountCents": 2500}}' {scene.url}/api/v1/billing/topups
  {curl} -X POST {scene.url}/api/v1/integrations/sync-billing

Cards and vendors are fake; the ledger is real. Ctrl-C stops everything."""


def _setting(key: str) -> str:
    return key.removeprefix("BILLING_").lower()
