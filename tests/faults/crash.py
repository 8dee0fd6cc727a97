"""Kill -9 at random moments, then an audit.

    python -m tests.faults.crash --rounds N --seed S [--database sqlite|postgresql] [--postmaster]

A round: three processes charge, hold, capture and release; a real `billing serve` is charged over
HTTP; a real worker syncs. At a random moment some or all of them are killed with SIGKILL (with
`--postmaster` PostgreSQL itself is, alone or with all its processes), started again, and killed
again. Then the audit: what was acknowledged is there; what was asked but not answered is asked
again with the same key, twice, and has one effect; nothing else is there; no hold outlives its
deadline; balance, counters, entries and seals agree. Prints one line of JSON; the exit code is 1
where anything was wrong.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import requests

from billing_plugin import Billing, Money, operations
from tests.factories import billing_on
from tests.faults import places
from tests.faults.cluster import Cluster
from tests.faults.swarming import reader
from tests.faults.victim import Act, Word, buy_over_http, charge_until_killed, outcome, over_http
from tests.worker.processes import ROOT, environment

CREDIT = 10**9
VICTIMS = 3
LAST_HOLD_S = 2
WITHIN_S = 60


@dataclass
class Journal:
    """What was asked of the books and answered by them, as read from the pipes."""

    asked: dict[tuple[str, str], Act] = field(default_factory=dict)
    done: dict[tuple[str, str], str] = field(default_factory=dict)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)

    def read(self, word: Word) -> None:
        name = (word.act.kind, word.act.key)
        if word.said == "ask":
            self.asked[name] = word.act
        elif word.said == "done":
            self.done[name] = word.answer
        elif word.said == "refused":
            self.refused[name] = word.answer

    @property
    def open(self) -> list[Act]:
        """What nobody knows the outcome of."""
        ended = self.done.keys() | self.refused.keys()
        return [act for name, act in self.asked.items() if name not in ended]


class Scene:
    """The processes of one round, around one fresh account."""

    def __init__(self, billing: Billing, url: str, name: str) -> None:
        self.billing, self.url, self.name = billing, url, name
        self.operator = billing.operator()
        self.account_id = operations.create_account(self.operator, name).id
        operations.adjust(self.operator, self.account_id, Money(CREDIT))
        for window, by in (("total", []), ("monthly", ["model"]), ("daily", [])):
            operations.set_limit(
                self.operator, self.account_id, Money(CREDIT), window=window, partitions=by
            )
        operations.connect(
            self.operator, self.account_id, "fake", credentials={"api_key": "x"},
            settings={"balance": "4.20"},
        )  # fmt: skip
        self.token = operations.create_key(self.operator, self.account_id, ()).token
        self.port = _free_port()
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tests.faults.victim", "requests"])
        self.journal = Journal()
        self.victims: dict[int, Any] = {}
        self.pipes: list[Connection] = []
        self.server = self.worker = None
        self.customer: Any = None
        self.generation = 0
        self.unknown = self.happened = 0  # acts without an answer, and those of them that were done

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts whatever is not there."""
        self.generation += 1
        for number in range(VICTIMS):
            if number not in self.victims:
                seed = f"{self.name} {self.generation}"
                said = (number, self.url, self.account_id, seed)
                self.victims[number] = self._process(charge_until_killed, *said)
        if self.server is None:
            self.server = self._command("billing_plugin.cli", "serve", "--port", str(self.port))
        if self.worker is None:
            self.worker = self._command("worker")
        if self.customer is None:
            self.customer = self._process(buy_over_http, self.http, self.token, self.name)

    def kill(self, names: set[str]) -> None:
        """SIGKILL."""
        for number in [n for n in self.victims if f"victim {n}" in names]:
            _end(self.victims.pop(number))
        if "server" in names and self.server:
            _killed(self.server)
            self.server = None
        if "worker" in names and self.worker:
            _killed(self.worker)
            self.worker = None
        if "customer" in names and self.customer:
            _end(self.customer)
            self.customer = None

    @property
    def everybody(self) -> set[str]:
        return {"server", "worker", "customer", *(f"victim {n}" for n in range(VICTIMS))}

    def listen(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Reads the pipes for so long, or to the end of them all."""
        end = time.monotonic() + seconds
        while self.pipes and (left := end - time.monotonic()) > 0 and not until():
            for pipe in wait(self.pipes, timeout=min(left, 0.1)):
                self._read(pipe)  # type: ignore[arg-type]  # nothing but our own pipes

    def _read(self, pipe: Connection) -> None:
        try:
            self.journal.read(pipe.recv())
        except (EOFError, OSError):
            pipe.close()
            self.pipes.remove(pipe)

    def _process(self, work: Callable[..., None], *said: Any) -> Any:
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=work, args=(*said, theirs), daemon=True)
        process.start()
        theirs.close()
        self.pipes.append(ours)
        return process

    def _command(self, module: str, *said: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", module, *said],
            env=environment(self.url, ""),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def crash_round(scene: Scene, chance: random.Random, cluster: Cluster | None) -> list[str]:
    """One round and its audit; what was wrong."""
    try:
        scene.start()
        scene.listen(WITHIN_S, until=lambda: _is_busy(scene))
        scene.listen(chance.uniform(0.0, 1.0))
        if cluster:
            cluster.kill(only_the_first=chance.random() < 0.5)
            scene.listen(chance.uniform(0.0, 0.3))
            cluster.start()
        else:
            chosen = {one for one in sorted(scene.everybody) if chance.random() < 0.5}
            scene.kill((chosen or scene.everybody) - {"customer"})
            scene.start()
        answered = len(scene.journal.done)
        scene.listen(WITHIN_S, until=lambda: len(scene.journal.done) >= answered + 20)
        scene.listen(chance.uniform(0.1, 0.6))
    finally:
        scene.kill(scene.everybody)
        scene.listen(WITHIN_S)
    return audit(scene)


def audit(scene: Scene) -> list[str]:
    """Everything that contradicts what was acknowledged."""
    journal, wrong = scene.journal, []
    time.sleep(0.1)  # what a dead client has sent may still be carried out
    wrong += [f"lost: {name}" for name in sorted(_lost(scene))]
    records, holds = _stored(scene)
    for act in journal.open:
        sentence, word = _again(scene, act)
        wrong += [sentence] if sentence else []
        scene.unknown += 1
        scene.happened += word.answer in records or word.answer in holds
        journal.read(word)
    wrong += [
        f"{kind} was refused: {code}"
        for (kind, _), code in journal.refused.items()
        if (kind, code) not in {("capture", "hold_expired"), ("release", "hold_expired")}
    ]
    time.sleep(LAST_HOLD_S + 0.1)
    return wrong + _balance(scene) + _invariants(scene)


def _lost(scene: Scene) -> set[str]:
    """What was acknowledged and is not there."""
    records, holds = _stored(scene)
    lost = set()
    for (kind, key), answer in scene.journal.done.items():
        act = scene.journal.asked[kind, key]
        if kind in ("charge", "capture") and records.get(answer) != act.nanos:
            lost.add(f"{kind} {key}")
        if kind == "hold" and answer not in holds:
            lost.add(f"{kind} {key}")
        if kind == "capture" and holds.get(act.about) != "captured":
            lost.add(f"{kind} {key}")
    return lost


def _again(scene: Scene, act: Act) -> tuple[str, Word]:
    """Does an act of unknown outcome again, twice: both must say the same."""
    words = [outcome(scene.operator, scene.account_id, act) for _ in range(2)]
    if words[0] != words[1] or words[0].said == "unknown":
        return f"again and again: {words}", words[0]
    return "", words[0]


def _balance(scene: Scene) -> list[str]:
    """Each act counts once, nothing else does, and nothing is held any more."""
    records, _ = _stored(scene)
    done = scene.journal.done
    expected = {
        answer: scene.journal.asked[name].nanos
        for name, answer in done.items()
        if name[0] in ("charge", "capture")
    }
    wrong = []
    if records != expected:
        extra, missing = records.keys() - expected.keys(), expected.keys() - records.keys()
        wrong.append(f"{len(extra)} uses too many, {len(missing)} missing")
    balance = operations.check_balance(scene.operator, scene.account_id)
    left = CREDIT - sum(expected.values())
    if (balance.available.nanos, balance.held.nanos) != (left, 0):
        wrong.append(f"{balance.available.nanos} available, {balance.held.nanos} held, not {left}")
    for state in operations.list_limits(scene.operator, scene.account_id):
        if (state.spent.nanos, state.held.nanos) != (CREDIT - left, 0):
            wrong.append(f"the {state.limit.window} limit counts {state.spent} and {state.held}")
    return wrong


def _invariants(scene: Scene) -> list[str]:
    """What doctor, seals and the worker's jobs say."""
    wrong = operations.check_ledger(scene.operator)
    wrong += [str(one) for one in operations.verify_ledger(scene.operator).broken]
    env = environment(scene.url, "")
    done = subprocess.run(
        [sys.executable, "-m", "worker", "--burst"], env=env, cwd=ROOT, check=False,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=WITHIN_S,
    )  # fmt: skip
    if done.returncode:
        wrong.append(f"the worker ended with {done.returncode}: {done.stderr[-300:]!r}")
    return wrong


def _stored(scene: Scene) -> tuple[dict[str, int], dict[str, str]]:
    """Nanos of every use, and the status of every hold, by id."""
    ask, close = reader(scene.url)
    records, holds = ask([
        "SELECT id, cost_nanos FROM billing_usage_record WHERE account_id = ?",
        "SELECT id, status FROM billing_hold WHERE account_id = ?",
    ], scene.account_id)  # fmt: skip
    close()
    return {row[0]: int(row[1]) for row in records}, {row[0]: row[1] for row in holds}


def _is_busy(scene: Scene) -> bool:
    """Everybody is at work, the server too."""
    names = [key for kind, key in scene.journal.done if kind == "charge"]
    return len(names) > 10 and any(" http " in key for key in names)


def _end(process: Any) -> None:
    process.kill()
    process.join(WITHIN_S)
    process.close()


def _killed(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def over_the_server_again(scene: Scene) -> list[str]:
    """What the customer was answered is answered again by a server that has just been started."""
    server = scene._command("billing_plugin.cli", "serve", "--port", str(scene.port))
    wrong = []
    try:
        _until_it_serves(scene.port)
        with requests.Session() as session:
            session.headers["X-API-Key"] = scene.token
            known = [one for one in scene.journal.done.items() if " http " in one[0][1]][-20:]
            for name, answer in known:
                word = over_http(session, scene.http, scene.journal.asked[name])
                if (word.said, word.answer) != ("done", answer):
                    wrong.append(f"over HTTP again: {word}, not {answer}")
    finally:
        _killed(server)
    return wrong


def _until_it_serves(port: int) -> None:
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server does not serve")


def run(url: str, *, rounds: int, seed: int, cluster: Cluster | None = None) -> dict[str, Any]:
    """So many rounds on a prepared database; the facts, with everything that is `wrong`."""
    chance, began = random.Random(seed), time.monotonic()
    billing = billing_on(url, redis_url="")
    totals: Counter[str] = Counter()
    wrong: list[str] = []
    try:
        for number in range(rounds):
            scene = Scene(billing, url, f"{seed} {number}")
            found = crash_round(scene, chance, cluster)
            if number == rounds - 1:
                found += over_the_server_again(scene)
            journal = scene.journal
            totals["asked"] += len(journal.asked)
            totals["acknowledged"] += len(journal.done)
            totals["without_an_answer"] += scene.unknown
            totals["but_done"] += scene.happened
            totals["expired_before"] += len(journal.refused)
            wrong += [f"round {number}: {one}" for one in found]
    finally:
        billing.close()
    took_s = time.monotonic() - began
    return {
        "rounds": rounds, "seed": seed, **totals, "lost": sum("lost:" in one for one in wrong),
        "seconds": round(took_s, 1), "rounds_per_hour": round(rounds * 3600 / took_s),
        "wrong": wrong,
    }  # fmt: skip


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=places.KINDS, default="sqlite")
    parser.add_argument("--postmaster", action="store_true", help="kill PostgreSQL itself")
    said = parser.parse_args()
    with ExitStack() as stack:
        cluster = stack.enter_context(Cluster()) if said.postmaster else None
        url = stack.enter_context(places.place(cluster.url if cluster else said.database))
        found = run(url, rounds=said.rounds, seed=said.seed, cluster=cluster)
    database = url.partition(":")[0] + (" killed" if said.postmaster else "")
    print(json.dumps({"harness": "crash", "database": database, **found}))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
