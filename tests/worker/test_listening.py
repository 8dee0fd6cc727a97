"""The RQ worker: real Redis, real processes, both databases."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import subprocess
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue
from rq.job import Callback

from billing_plugin import Actor, Billing, Money, operations
from tests import servers
from tests.factories import account_with, billing_on
from tests.worker import host
from tests.worker.processes import burst, environment, until, worker

EVER_S = 4_000_000_000
CANARY = "sk-or-v1-canary-5f1d0c7e9a"


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def connected(billing: Billing, provider: str = "fake", **settings: Any) -> Actor:
    actor = account_with(billing)
    credentials = {"api_key": CANARY}
    operations.connect(
        actor, actor.account_id, provider, credentials=credentials, settings=settings
    )
    return actor


def job_of(actor: Actor, job_id: str) -> Any:
    return operations.get_sync_job(actor, actor.account_id, job_id)


def snapshots(actor: Actor) -> list[Any]:
    [integration] = operations.list_integrations(actor, actor.account_id)
    return operations.list_snapshots(actor, actor.account_id, integration.id)


def queue_on(redis_url: str) -> Queue:
    return Queue("billing", connection=redis.Redis.from_url(redis_url), serializer="json")


@contextmanager
def system(database_url: str, redis_url: str, **options: Any) -> Iterator[Billing]:
    """A billing system whose one slot of the schedule was taken while it had no account."""
    billing = billing_on(database_url, redis_url=redis_url, sync_interval_s=EVER_S, **options)
    operations.schedule_syncs(billing.operator())
    yield billing
    billing.instance.database.close_all()


@pytest.fixture
def env(database_url: str, redis_url: str) -> dict[str, str]:
    """A worker whose schedule has one slot, so that only what a test asks for is run."""
    return environment(database_url, redis_url, BILLING_SYNC_INTERVAL_S=str(EVER_S))


@pytest.fixture
def billing(database_url: str, redis_url: str) -> Iterator[Billing]:
    with system(database_url, redis_url) as found:
        yield found


def test_a_requested_sync_is_run_by_a_worker(billing: Billing, env: dict[str, str]) -> None:
    actor = connected(billing, balance="47.83", usage_today="2.34")
    job = operations.request_sync(actor, actor.account_id)
    assert job.status == "pending"
    done = burst(env)
    assert done.returncode == 0, done.stdout
    job = job_of(actor, job.id)
    assert (job.status, job.synced, job.failed, job.attempt) == ("completed", 1, 0, 1)
    [snapshot] = snapshots(actor)
    assert (snapshot.balance, snapshot.usage_month) == (Money.parse("47.83"), None)


def test_two_workers_at_once_run_one_slot_once(database_url: str, redis_url: str) -> None:
    env = environment(database_url, redis_url)
    with system(database_url, redis_url) as billing:
        actor = connected(billing, balance="1")
        with ThreadPoolExecutor(3) as pool:
            done = list(pool.map(burst, [env] * 3))
        assert [process.returncode for process in done] == [0, 0, 0]
        [job] = operations.list_sync_jobs(actor, actor.account_id)
        assert (job.origin, job.status, job.attempt) == ("scheduled", "completed", 1)
        assert len(snapshots(actor)) == 1


def test_what_a_redis_lost_is_enqueued_again(
    database_url: str, redis_url: str, env: dict[str, str]
) -> None:
    with system(database_url, redis_url, clock=an_hour_ago) as billing:
        actor = connected(billing, balance="1")
        job = operations.request_sync(actor, actor.account_id)
    redis.Redis.from_url(redis_url).flushall()
    with system(database_url, redis_url):
        burst(env)
        assert job_of(actor, job.id).status == "completed"


def test_a_job_that_is_run_twice_has_one_effect(
    billing: Billing, redis_url: str, env: dict[str, str]
) -> None:
    actor = connected(billing, balance="1")
    job = operations.request_sync(actor, actor.account_id)
    for _ in range(2):
        queue_on(redis_url).enqueue("worker.jobs.run_sync_job", job.id)
    said = burst(env).stdout
    assert said.count("Job OK") == 3
    assert len(snapshots(actor)) == 1
    assert job_of(actor, job.id).attempt == 1


def test_a_waiting_job_is_not_enqueued_again(billing: Billing, redis_url: str) -> None:
    actor = connected(billing)
    first = operations.request_sync(actor, actor.account_id)
    for _ in range(5):
        assert operations.request_sync(actor, actor.account_id).id == first.id
    assert queue_on(redis_url).job_ids == [first.id]


def test_a_pickled_payload_is_not_loaded(
    billing: Billing, redis_url: str, env: dict[str, str], tmp_path: Path
) -> None:
    trap = tmp_path / "loaded"
    queue = queue_on(redis_url)
    bad = queue.enqueue("worker.jobs.run_sync_job", "job_x")
    blob = pickle.dumps(_Exploit(str(trap)))
    queue.connection.hset(bad.key, "data", zlib.compress(blob))
    actor = connected(billing, balance="1")
    good = operations.request_sync(actor, actor.account_id)
    done = burst(env)
    assert not trap.exists()
    assert bad.get_status(refresh=True) == "failed", done.stdout
    assert job_of(actor, good.id).status == "completed"


@pytest.mark.parametrize(
    "name", ["os.mkdir", "worker.jobs.serve", "worker.jobs.operations.os.mkdir", "worker.jobs.x"]
)
def test_nothing_but_the_jobs_is_run(name: str, redis_url: str, tmp_path: Path) -> None:
    env = environment(f"sqlite:///{tmp_path / 'own.db'}", redis_url)
    trap = tmp_path / "made"
    job = queue_on(redis_url).enqueue(name, str(trap))
    done = burst(env)
    assert done.returncode == 0
    assert not trap.exists()
    assert job.get_status(refresh=True) == "failed"
    assert "RefusedJobError" in str(job.latest_result().exc_string)


def test_a_job_with_other_arguments_is_refused(redis_url: str, tmp_path: Path) -> None:
    env = environment(f"sqlite:///{tmp_path / 'own.db'}", redis_url)
    queue = queue_on(redis_url)
    found = [
        queue.enqueue("worker.jobs.run_sync_job"),
        queue.enqueue("worker.jobs.run_sync_job", {"id": "job_x"}),
        queue.enqueue("worker.jobs.run_sync_job", "job_x", job_id="y"),
        queue.enqueue("worker.jobs.run_sync_job", "job_x", more=1),
    ]
    burst(env)
    statuses = [str(job.get_status(refresh=True).value) for job in found]
    assert statuses == ["failed", "failed", "finished", "failed"]


def test_callbacks_of_a_payload_are_not_run(redis_url: str, tmp_path: Path) -> None:
    env = environment(f"sqlite:///{tmp_path / 'own.db'}", redis_url)
    trap = f"{__name__}.leave_a_trace"
    job = queue_on(redis_url).enqueue(
        "worker.jobs.run_sync_job", "job_x", on_success=Callback(trap), on_failure=Callback(trap)
    )
    done = burst(env | {"TRACE": str(tmp_path / "trace")})
    assert job.get_status(refresh=True) == "finished", done.stdout
    assert not (tmp_path / "trace").exists()


def test_no_secret_reaches_redis_or_a_log(
    database_url: str, redis_url: str, env: dict[str, str]
) -> None:
    with system(database_url, redis_url, providers=host.adapters()) as billing:
        actor = connected(billing, "talkative")
        job = operations.request_sync(actor, actor.account_id)
        said = burst(env, "--billing", host.PLACE).stdout
        assert (job_of(actor, job.id).failed, "talkative failed: RuntimeError" in said) == (1, True)
        [integration] = operations.list_integrations(actor, actor.account_id)
    kept = everything_in(redis_url)
    assert job.id.encode() in kept
    for secret in (CANARY, env["BILLING_SECRET_KEYS"], integration.sealed):
        assert secret.encode() not in kept
        assert secret not in said
    assert CANARY not in str(integration.billing_sync_error)


def test_a_failed_job_keeps_only_the_class_of_its_reason(redis_url: str, tmp_path: Path) -> None:
    """Its database cannot be reached, and the reason would hold the URL."""
    away = f"postgresql://postgres:{CANARY}@127.0.0.1:1/none"
    job = queue_on(redis_url).enqueue("worker.jobs.run_sync_job", "job_x")
    done = burst(environment(away, redis_url))
    assert done.returncode == 0
    assert job.get_status(refresh=True) == "failed"
    assert "StorageUnavailable" in str(job.latest_result().exc_string)
    assert CANARY not in done.stdout
    assert CANARY.encode() not in everything_in(redis_url)


def test_a_killed_worker_loses_no_job(redis_url: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'own.db'}"
    env = environment(url, redis_url, BILLING_SYNC_INTERVAL_S=str(EVER_S))
    asked, said = tmp_path / "asked", tmp_path / "said"
    with system(url, redis_url, providers=host.adapters()) as billing:
        actor = connected(billing, "slow", asked=str(asked))
        job = operations.request_sync(actor, actor.account_id)
        with worker(env, said, "--billing", host.PLACE) as first:
            until(asked.exists)
            with worker(env, said, "--billing", host.PLACE):
                _kill_with_children(first.pid)
                until(lambda: job_of(actor, job.id).status == "completed", within_s=60)
        found = job_of(actor, job.id)
        assert (found.synced, found.attempt) == (1, 2)
        assert len(snapshots(actor)) == 1


def test_a_redis_that_dies_is_waited_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'own.db'}"
    port, said = servers._free_port(), tmp_path / "said"
    redis_url = f"redis://:{CANARY}@127.0.0.1:{port}/0"
    env = environment(url, redis_url, BILLING_SYNC_INTERVAL_S=str(EVER_S))
    with system(url, redis_url, clock=an_hour_ago) as billing, worker(env, said) as process:
        actor = connected(billing, balance="1")
        job = operations.request_sync(actor, actor.account_id)
        until(lambda: "trying again" in said.read_text())
        with redis_server(port, tmp_path):
            until(lambda: job_of(actor, job.id).status == "completed", within_s=60)
        until(lambda: said.read_text().count("could not connect") > 0)
        late = operations.request_sync(actor, actor.account_id)
        assert job_of(actor, late.id).status == "pending"
        with redis_server(port, tmp_path):
            until(lambda: job_of(actor, late.id).status == "completed", within_s=60)
            process.terminate()
            assert process.wait(30) == 0
    assert CANARY not in said.read_text()
    assert "Traceback" not in said.read_text()


def test_an_idle_worker_stops_at_once(env: dict[str, str], tmp_path: Path) -> None:
    said = tmp_path / "said"
    with worker(env, said) as process:
        until(lambda: "Listening on" in said.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


def test_a_redis_that_is_none_is_named_without_its_password(tmp_path: Path) -> None:
    env = environment(f"sqlite:///{tmp_path / 'own.db'}", f"redis://:pass/{CANARY}@host:x/0")
    done = burst(env)
    assert (done.returncode, "BILLING_REDIS_URL" in done.stdout) == (6, True)
    assert CANARY not in done.stdout
    assert "Traceback" not in done.stdout


def leave_a_trace(*_args: Any) -> None:
    """What a callback in a payload would run."""
    Path(os.environ["TRACE"]).touch()


def everything_in(redis_url: str) -> bytes:
    """Every key and value of every kind, with compressed ones unpacked."""
    client = redis.Redis.from_url(redis_url)
    found: list[bytes] = []
    for key in client.scan_iter("*"):
        found += [key, *_values(client, key)]
    return b"\n".join(part for value in found for part in (value, _unpacked(value)))


def _values(client: Any, key: bytes) -> list[bytes]:
    kind = client.type(key).decode()
    if kind == "hash":
        return [part for pair in client.hgetall(key).items() for part in pair]
    if kind == "stream":
        return [part for _, entry in client.xrange(key) for pair in entry.items() for part in pair]
    read = {
        "string": lambda: [client.get(key)],
        "list": lambda: client.lrange(key, 0, -1),
        "set": lambda: list(client.smembers(key)),
        "zset": lambda: client.zrange(key, 0, -1),
    }
    return list(read[kind]())


def _unpacked(value: bytes) -> bytes:
    for unpack in (zlib.decompress, lambda text: zlib.decompress(base64.b64decode(text))):
        try:
            return bytes(unpack(value))
        except (ValueError, zlib.error):
            continue
    return b""


@contextmanager
def redis_server(port: int, folder: Path) -> Iterator[None]:
    """A Redis of the test's own that asks for the password, and is killed at the end."""
    binary = servers.find_redis()
    command = [str(binary), "--port", str(port), "--requirepass", CANARY, "--save", ""]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.kill()
        server.wait()


def _kill_with_children(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for victim in (pid, *map(int, children)):
        os.kill(victim, signal.SIGKILL)


class _Exploit:
    """Unpickling this would make a directory."""

    def __init__(self, trap: str) -> None:
        self._trap = trap

    def __reduce__(self) -> Any:
        return os.mkdir, (self._trap,)
