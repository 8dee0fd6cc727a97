"""Requests are counted by key; every answer of every face says what is left."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from flask import Flask
from limits.errors import StorageError

from billing_plugin import Billing
from billing_plugin.config import Settings
from billing_plugin.dialects import throttle
from billing_plugin.dialects.throttle import KEPT, Quota, Throttle
from billing_plugin.errors import RateLimited
from tests.dialects.faces import assert_refused
from tests.dialects.routes import NATIVE, PREFIXES, PUBLIC
from tests.dialects.test_dialect import PATHS
from tests.factories import Caller, account_with, app_with, billing_on, token_of

LEFT = re.compile(r'"requests";r=(\d+);t=(\d+)')


@pytest.fixture
def narrow(database_url: str) -> Billing:
    """A system that answers three requests a minute."""
    return billing_on(database_url, rate_limit_per_minute=3)


def left(response: Any) -> int:
    told = LEFT.fullmatch(response.headers["RateLimit"])
    assert told, response.headers
    assert 1 <= int(told[2]) <= 120
    return int(told[1])


@pytest.mark.parametrize("face", PREFIXES)
def test_the_request_after_the_last_is_refused_in_the_faces_shape(
    narrow: Billing, face: str
) -> None:
    method, path = PATHS[face]
    call = Caller(app_with(narrow), token_of(narrow, account_with(narrow)))
    assert [left(call(method, path)) for _ in range(3)] == [2, 1, 0]
    refused = call(method, path)
    assert_refused(refused, face, 429, "RATE_LIMITED")
    assert left(refused) == 0
    assert refused.headers["RateLimit-Policy"] == '"requests";q=3;w=60'
    assert 1 <= int(refused.headers["Retry-After"]) <= 120


def test_every_key_has_a_quota_of_its_own_on_all_faces_together(narrow: Billing) -> None:
    app, actor = app_with(narrow), account_with(narrow)
    one, other = (Caller(app, token_of(narrow, actor)) for _ in range(2))
    told = [left(one(*PATHS[face])) for face in ("native", "conduit", "native")]
    assert told == [2, 1, 0]
    assert one(*PATHS["native"]).status_code == 429
    assert left(other(*PATHS["native"])) == 2


def test_wrong_keys_are_counted_by_address_and_right_ones_go_on(narrow: Billing) -> None:
    app = app_with(narrow)
    wrong = Caller(app, "sk_0_0")
    answers = [wrong(*PATHS["native"]).status_code for _ in range(5)]
    assert answers == [401, 401, 401, 429, 429]
    right = Caller(app, token_of(narrow, account_with(narrow)))
    assert right(*PATHS["native"]).status_code == 200


@pytest.mark.parametrize("face", PREFIXES)
def test_paths_that_are_none_count_as_well(narrow: Billing, face: str) -> None:
    client = app_with(narrow).test_client()
    answers = [client.get(f"{PREFIXES[face]}/nothing") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
    assert [left(answer) for answer in answers] == [2, 1, 0, 0]


def test_what_needs_no_key_is_counted_and_never_refused(narrow: Billing) -> None:
    client = app_with(narrow).test_client()
    for _ in range(5):
        assert left(client.get(f"{NATIVE}/openapi.json")) >= 0
        assert client.options(f"{NATIVE}/balance").status_code == 200
    assert f"{NATIVE}/openapi.json" in PUBLIC


def test_zero_switches_it_off(database_url: str) -> None:
    billing = billing_on(database_url, rate_limit_per_minute=0)
    call = Caller(app_with(billing), token_of(billing, account_with(billing)))
    for _ in range(5):
        response = call(*PATHS["native"])
        assert response.status_code == 200
        assert not [name for name in dict(response.headers) if name.startswith("RateLimit")]
    assert KEPT not in billing.instance.kept


def test_operators_and_host_actors_are_counted_too(narrow: Billing) -> None:
    host = Flask("host")
    actor = account_with(narrow)
    narrow.authenticate = lambda request: actor
    narrow.init_app(host)
    client = host.test_client()
    assert [client.get(f"{NATIVE}/balance").status_code for _ in range(4)] == [200] * 3 + [429]


def test_a_redis_that_is_away_lets_requests_through_and_says_so_once(
    narrow: Billing, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Throttle(narrow.instance.settings)

    def fail(*_: object) -> bool:
        raise StorageError(ConnectionError("redis://user:secret@away"))

    monkeypatch.setattr(counted._limiter, "hit", fail)
    monkeypatch.setitem(narrow.instance.kept, KEPT, counted)
    call = Caller(app_with(narrow), token_of(narrow, account_with(narrow)))
    with caplog.at_level(logging.WARNING, "billing_plugin"):
        for _ in range(6):
            response = call(*PATHS["native"])
            assert response.status_code == 200
            assert response.headers["RateLimit-Policy"] == '"requests";q=3;w=60'
            assert "RateLimit" not in response.headers
    assert [record.getMessage() for record in caplog.records] == [
        "requests are not counted: StorageError"
    ]


def test_nothing_listens_where_redis_should_be() -> None:
    """A real connection is refused; the next five seconds nobody asks again."""
    counted = Throttle(Settings(redis_url="redis://127.0.0.1:1/0", rate_limit_per_minute=3))
    assert [counted.take("x") for _ in range(5)] == [Quota(3)] * 5


def test_with_redis_all_processes_count_together(redis_url: str) -> None:
    settings = Settings(redis_url=redis_url, rate_limit_per_minute=3)
    one, other = Throttle(settings), Throttle(settings)
    told = [throttle_.take("key") for throttle_ in (one, other, one, other)]
    assert [quota.remaining for quota in told] == [2, 1, 0, 0]
    assert [quota.allowed for quota in told] == [True, True, True, False]


def test_a_quota_that_is_used_up_says_when_to_come_back() -> None:
    Quota(3, 0, 17).require()
    with pytest.raises(RateLimited) as refused:
        Quota(3, 0, 17, allowed=False).require()
    assert refused.value.extra == {"retry_after_s": 17}
    assert throttle.WINDOW_S == 60
