"""What `billing doctor` looks at: database, Redis, keys, the books, and the sums of reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from billing_plugin import migrations, operations
from billing_plugin.errors import BillingError
from billing_plugin.extension import Billing
from billing_plugin.queue import answers

FIRST = 5  # how many of the sums that differ are named


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    healthy: bool
    words: str


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything that was looked at."""

    findings: list[Finding]

    @property
    def healthy(self) -> bool:
        """Whether nothing is ill."""
        return all(finding.healthy for finding in self.findings)

    def as_dict(self) -> dict[str, dict[str, object]]:
        """By name, for JSON."""
        return {f.name: {"healthy": f.healthy, "message": f.words} for f in self.findings}

    def lines(self) -> list[str]:
        """One line for each, for people."""
        return [f"{'ok' if f.healthy else 'ILL':4} {f.name}: {f.words}" for f in self.findings]


def examine(billing: Billing) -> Examination:
    """Looks at everything; each check stands alone, so that one illness hides no other."""
    checks: dict[str, Callable[[Billing], tuple[bool, str]]] = {
        "database": _database,
        "redis": _redis,
        "secret keys": _secret_keys,
        "ledger": _ledger,
        "reports": _reports,
    }
    return Examination([_found(name, check, billing) for name, check in checks.items()])


def _found(name: str, check: Callable[[Billing], tuple[bool, str]], billing: Billing) -> Finding:
    try:
        return Finding(name, *check(billing))
    except BillingError as error:
        return Finding(name, False, error.message)


def _database(billing: Billing) -> tuple[bool, str]:
    with billing.instance.active():
        missing = migrations.pending(billing.instance.database)
    return not missing, f"missing migrations: {', '.join(missing)}" if missing else "up to date"


def _redis(billing: Billing) -> tuple[bool, str]:
    settings = billing.instance.settings
    if not settings.redis_url:
        return True, "not set; jobs run in the process"
    return (True, "answers") if answers(settings) else (False, "away")


def _secret_keys(billing: Billing) -> tuple[bool, str]:
    open_vault = billing.instance.open_vault
    if not billing.instance.settings.secret_keys:
        return True, "not set; vendor accounts cannot be connected"
    if open_vault:
        open_vault()
    return True, "good"


def _ledger(billing: Billing) -> tuple[bool, str]:
    broken = operations.check_ledger(billing.operator())
    return not broken, "; ".join(broken) or "every invariant holds"


def _reports(billing: Billing) -> tuple[bool, str]:
    wrong = operations.check_reports(billing.operator())
    if not wrong:
        return True, "every sum is that of its items"
    more = [f"and {len(wrong) - FIRST} more"] if len(wrong) > FIRST else []
    return False, "; ".join([*wrong[:FIRST], *more]) + ". `billing reports rebuild` mends them."
