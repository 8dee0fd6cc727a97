"""`--no-servers`: the SQLite part alone, and an account of what was therefore not run."""

from collections import Counter
from collections.abc import Generator

import pytest

NEEDS = {"pg_server": "PostgreSQL", "redis_url": "Redis"}
KEY = "not_run"
NOTHING = "No selected test needs a server; everything was run."


def missing_servers(item: pytest.Item) -> list[str]:
    """The servers a test cannot do without."""
    fixtures = {*getattr(item, "fixturenames", ())}
    chosen = getattr(item, "callspec", None)
    if chosen and "postgresql" in chosen.params.values():
        fixtures.add("pg_server")
    return [server for fixture, server in NEEDS.items() if fixture in fixtures]


class NoServersRun:
    """Deselects every test that needs a server; with xdist, each worker tells the controller."""

    def __init__(self) -> None:
        self.not_run: Counter[str] = Counter()

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep what runs without servers, and count the rest by what it needs."""
        needs = {item: " and ".join(missing_servers(item)) for item in items}
        self.not_run.update(need for need in needs.values() if need)
        config.hook.pytest_deselected(items=[item for item in items if needs[item]])
        items[:] = [item for item in items if not needs[item]]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In a worker: hand the counts over."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[KEY] = dict(self.not_run)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """In the controller: every worker collected the same tests, so one count is enough."""
        self.not_run = Counter(getattr(node, "workeroutput", {}).get(KEY, {})) or self.not_run

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, None, None]:
        """Say it last, below every other report."""
        yield
        terminalreporter.section("--no-servers", yellow=True)
        needs = ", ".join(f"{count} need {name}" for name, count in sorted(self.not_run.items()))
        total = self.not_run.total()
        terminalreporter.write_line(f"{total} not run: {needs}." if total else NOTHING)
