"""`python -m worker` as a process: without Redis, its options, and what it loads beforehand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.errors import ConfigurationError
from tests.factories import SECRET_KEY, account_with, app_with, billing_on
from tests.worker import host
from tests.worker.processes import ROOT, burst, environment, until, worker
from worker.__main__ import main, run

NEW_MODULES = """
import sys
from tests.worker import host
from tests.factories import account_with
from billing_plugin import operations
from worker.__main__ import preload
from worker.schedule import tick
billing = host.billing
actor = account_with(billing)
operations.connect(actor, actor.account_id, "{provider}", credentials={{"api_key": "k"}})
billing.instance.enqueue = lambda name, identifier: None
preload(billing)
[job_id] = tick(billing)
before = set(sys.modules)
assert operations.run_sync_job(billing.operator(), job_id)
print(sorted(set(sys.modules) - before))
"""


def connected(billing: Billing) -> Actor:
    actor = account_with(billing)
    operations.connect(actor, actor.account_id, "fake", credentials={"api_key": "k"})
    return actor


def test_without_redis_a_burst_does_what_is_due(database_url: str) -> None:
    billing = billing_on(database_url)
    actor = connected(billing)
    done = burst(environment(database_url))
    assert done.returncode == 0, done.stdout
    [job] = operations.list_sync_jobs(actor, actor.account_id)
    assert (job.origin, job.status) == ("scheduled", "completed")
    billing.instance.database.close_all()


def test_without_redis_it_works_until_told_to_stop(database_url: str, tmp_path: Path) -> None:
    billing = billing_on(database_url)
    actor = connected(billing)
    with worker(environment(database_url), tmp_path / "said") as process:
        until(lambda: operations.list_sync_jobs(actor, actor.account_id))
        process.terminate()
        assert process.wait(10) == 0
    [job] = operations.list_sync_jobs(actor, actor.account_id)
    assert job.status == "completed"
    billing.instance.database.close_all()


def test_options_name_the_database_and_switch_redis_off(tmp_path: Path) -> None:
    own = tmp_path / "named.db"
    env = environment("sqlite:////nowhere/at/all.db", "redis://127.0.0.1:1")
    assert burst(env, "--database", f"sqlite:///{own}", "--redis", "").returncode == 0
    assert own.exists()


def test_a_hosts_own_adapters_are_used(database_url: str) -> None:
    billing = billing_on(database_url, providers=host.adapters())
    actor = account_with(billing)
    operations.connect(actor, actor.account_id, "talkative", credentials={"api_key": "k"})
    assert burst(environment(database_url), "--billing", host.PLACE).returncode == 0
    [integration] = operations.list_integrations(actor, actor.account_id)
    assert integration.billing_sync_error == "The provider's answer could not be read."
    billing.instance.database.close_all()


@pytest.mark.parametrize(
    "place", ["tests.worker.host:nothing", "tests.worker.host:Slow", "no_such_module:app", "no"]
)
def test_a_place_without_billing_is_named(place: str, tmp_path: Path) -> None:
    done = burst(environment(f"sqlite:///{tmp_path / 'own.db'}"), "--billing", place)
    assert done.returncode == 6
    assert f"{place} " in done.stdout
    assert "Traceback" not in done.stdout


def test_without_the_redis_extra_a_redis_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.__main__.listen", None)
    billing = billing_on(f"sqlite:///{tmp_path / 'own.db'}", redis_url="redis://127.0.0.1:1/0")
    with pytest.raises(ConfigurationError, match="extra `redis`"):
        run(billing, Event(), burst=True)


def test_a_hosts_app_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    billing = billing_on(f"sqlite:///{tmp_path / 'own.db'}")
    actor = connected(billing)
    monkeypatch.setattr(host, "app", app_with(billing), raising=False)
    assert main(["--burst", "--billing", "tests.worker.host:app"]) == 0
    assert len(operations.list_sync_jobs(actor, actor.account_id)) == 1
    billing.instance.database.close_all()


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    env = environment(f"sqlite:///{tmp_path / 'own.db'}", BILLING_PROVIDER_TIMEOUT_S="soon")
    done = burst(env)
    assert (done.returncode, "BILLING_PROVIDER_TIMEOUT_S" in done.stdout) == (6, True)
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("provider", ["fake", "openrouter"])
def test_a_job_imports_nothing_that_was_not_loaded(provider: str, tmp_path: Path) -> None:
    env = environment(f"sqlite:///{tmp_path / 'own.db'}", HTTPS_PROXY="http://127.0.0.1:1")
    code = NEW_MODULES.format(provider=provider)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        cwd=ROOT,
        text=True,
        timeout=60,
        capture_output=True,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_an_adapter_that_cannot_be_loaded_stops_nothing(tmp_path: Path) -> None:
    providers = {"gone": "tests.worker.no_such_module:Adapter"}
    billing = billing_on(f"sqlite:///{tmp_path / 'own.db'}", providers=providers)
    actor = connected(billing)
    operations.connect(actor, actor.account_id, "gone", credentials={"api_key": SECRET_KEY})
    report = operations.sync_integrations(actor, actor.account_id)
    assert [result.error for result in report.results] == [
        None,
        "The provider's adapter cannot be loaded.",
    ]
    billing.instance.database.close_all()
