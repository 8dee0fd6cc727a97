"""Books for benchmarks: a busy account of the product's own, and its twin for the hand-written
reference, on each database.

PostgreSQL is a server of our own with its data on disk, as every charge shall be durable.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billing_plugin import Actor, Billing, Money, operations
from tests import servers
from tests.benchmarks.raw_postgresql import RawPostgresql
from tests.benchmarks.raw_sqlite import RawSqlite
from tests.databases import PostgresServer

RICH = Money.parse("1000000000")
CEILING = Money.parse("900000000")
COST = Money.parse("0.0021")
PROVIDER, MODEL = "openai", "gpt-4o"


@dataclass(frozen=True)
class Busy:
    """A system with an account of a billion dollars and one monthly limit."""

    billing: Billing
    actor: Actor
    limit_id: str

    @property
    def account_id(self) -> str:
        """The account."""
        return str(self.actor.account_id)

    def complaints(self) -> list[Any]:
        """What the doctor and the seals find."""
        operator = self.billing.operator()
        return [*operations.check_ledger(operator), *operations.verify_ledger(operator).broken]

    def spent(self) -> Money:
        """What the limit has counted."""
        return operations.get_limit(self.actor, self.account_id, self.limit_id).spent


@dataclass(frozen=True)
class Arena:
    """Where the product meets the reference."""

    backend: str
    ours: Busy
    theirs: Busy
    raw: RawSqlite | RawPostgresql
    conditions: dict[str, Any]
    place: str  # of the reference's database

    def another_raw(self) -> RawSqlite | RawPostgresql:
        """The reference once more, with a connection of its own."""
        place, theirs = self.place, self.theirs
        kind = RawSqlite if self.backend == "sqlite" else RawPostgresql
        return kind(place, theirs.account_id, theirs.limit_id, ceiling=CEILING.nanos)

    def agrees(self) -> bool:
        """Whether both books are healthy and say the same."""
        wrong = self.ours.complaints() + self.theirs.complaints()
        return not wrong and self.ours.spent() == self.theirs.spent()


def busy(url: str, **settings: Any) -> Busy:
    """Migrated, with its limit's counter in place."""
    billing = Billing(url, processor="fake", **settings)
    operator = billing.operator()
    account = operations.create_account(operator, "Busy")
    operations.adjust(operator, account.id, RICH)
    actor = billing.actor(account.id)
    limit = operations.set_limit(actor, account.id, CEILING).limit
    operations.charge(actor, account.id, COST, provider=PROVIDER, model=MODEL)
    return Busy(billing, actor, limit.id)


@contextmanager
def arenas(*backends: str) -> Iterator[list[Arena]]:
    """One arena on each database (both, unless named)."""
    wanted = backends or ("sqlite", "postgresql")
    with tempfile.TemporaryDirectory() as folder, postgresql(wanted) as server:
        found = []
        if "sqlite" in wanted:
            found.append(_sqlite(Path(folder)))
        if server:
            with server.database() as one, server.database() as other:
                found.append(_postgresql(one, other))
                yield found
                _closed(found)
                return
        yield found
        _closed(found)


@contextmanager
def postgresql(backends: tuple[str, ...] = ("postgresql",)) -> Iterator[PostgresServer | None]:
    """A server of our own that is as durable as one in use; none where none is wanted."""
    binaries = servers.find_postgres() if "postgresql" in backends else None
    if binaries is None:
        yield None
        return
    server = PostgresServer(servers.start_postgres(binaries, durable=True))
    try:
        yield server
    finally:
        server.close()
        servers.stop()


def _sqlite(folder: Path) -> Arena:
    theirs = busy(f"sqlite:///{folder}/theirs.db")
    raw = RawSqlite(
        f"{folder}/theirs.db", theirs.account_id, theirs.limit_id, ceiling=CEILING.nanos
    )
    ours = busy(f"sqlite:///{folder}/ours.db")
    return Arena("sqlite", ours, theirs, raw, {"synchronous": "FULL"}, f"{folder}/theirs.db")


def _postgresql(one: str, other: str) -> Arena:
    ours, theirs = busy(one), busy(other)
    raw = RawPostgresql(other, theirs.account_id, theirs.limit_id, ceiling=CEILING.nanos)
    shown = raw.connection.execute("SHOW server_version").fetchone()
    said = {"postgresql": shown[0].split()[0] if shown else "?", "fsync": "on"}
    return Arena("postgresql", ours, theirs, raw, said, other)


def _closed(found: list[Arena]) -> None:
    for arena in found:
        arena.raw.connection.close()
        for one in (arena.ours, arena.theirs):
            one.billing.close()
