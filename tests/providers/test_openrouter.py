"""OpenRouter as a real HTTP server plays it: every answer of its contract, and every lie."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from billing_plugin import Money
from billing_plugin.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderUnavailable,
    ProviderUnreadable,
)
from billing_plugin.providers.openrouter import (
    FROM_KEYS,
    MAX_PAGES,
    NO_USAGE,
    NOT_MANAGEMENT,
    ONLY_THIS_KEY,
    OpenRouter,
)
from billing_plugin.providers.provider import Reading

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MANAGEMENT, ORDINARY = "sk-or-v1-management-canary", "sk-or-v1-ordinary-canary"
META = {"data": {"metrics": [
    {"name": "request_count", "display_format": "number", "is_rate": False},
    {"name": "cost", "display_format": "currency", "is_rate": False},
    {"name": "cost_per_token", "display_format": "currency", "is_rate": True},
    {"name": "byok_cost", "display_format": "currency", "is_rate": False},
]}}  # fmt: skip
DAYS = [
    {"date": "2026-11-01", "cost": 80.25},
    {"date": "2026-11-19", "cost": 6.88},
    {"date": "2026-11-20T00:00:00Z", "cost": 2.34},
]
KEYS = [
    {"hash": "k1", "usage_daily": 1.5, "usage_monthly": 40},
    {"hash": "k2", "usage_daily": 0.25, "usage_monthly": 9.75},
    {"hash": "k3", "usage_daily": 0, "usage_monthly": 0.000000001},
]
Answer = Callable[[Request], Response]


class Vendor:
    """Plays the vendor; a test replaces the answer of a path."""

    def __init__(self, server: HTTPServer) -> None:
        self.server = server
        self.keys = KEYS
        self.answers: dict[str, Any] = {
            "/credits": {"data": {"total_credits": 100.5, "total_usage": 52.67}},
            "/analytics/meta": META,
            "/analytics/query": {"data": {"data": DAYS, "metadata": {"truncated": False}}},
            "/keys": self._page,
        }
        server.expect_request("/key").respond_with_handler(self._key)
        for path in self.answers:
            server.expect_request(path).respond_with_handler(self._for_management)

    def says(self, path: str, answer: Any, status: int = 200) -> None:
        """From now on, at that path."""
        self.answers[path] = (answer, status)

    @property
    def asked(self) -> list[str]:
        return [request.path for request, _ in self.server.log]

    def read(self, timeout_s: int = 5, **credentials: str) -> Reading:
        given = credentials or {"management_key": MANAGEMENT}
        adapter = OpenRouter(self.server.url_for(""))
        return adapter.read(given, {}, at=AT, timeout_s=timeout_s)

    def refusal(self, **credentials: str) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            self.read(**credentials)
        error = caught.value
        shown = f"{error!r} {error.message} {error.details!r} {error.extra!r}"
        assert MANAGEMENT not in shown
        assert ORDINARY not in shown
        return error

    def _key(self, request: Request) -> Response:
        if "/key" in self.answers:
            return self._answer("/key", request)
        key = request.headers["Authorization"].removeprefix("Bearer ")
        if key not in (MANAGEMENT, ORDINARY):
            return _json({"error": {"code": 401, "message": f"No auth for {key}"}}, 401)
        facts = {"usage_daily": 2.34, "usage_monthly": 25.5, "usage": 89.47}
        return _json({"data": {**facts, "is_management_key": key == MANAGEMENT}})

    def _for_management(self, request: Request) -> Response:
        if request.headers["Authorization"] != f"Bearer {MANAGEMENT}":
            if request.path == "/credits":  # the trap: zeros for an ordinary key
                return _json({"data": {"total_credits": 0, "total_usage": 0}})
            words = "Only management keys can perform this operation"
            return _json({"error": {"code": 403, "message": words}}, 403)
        return self._answer(request.path, request)

    def _answer(self, path: str, request: Request) -> Response:
        answer = self.answers[path]
        if callable(answer):
            return _json(answer(request))
        body, status = answer if isinstance(answer, tuple) else (answer, 200)
        return Response(body, status) if isinstance(body, str) else _json(body, status)

    def _page(self, request: Request) -> Any:
        offset = int(parse_qs(request.query_string.decode())["offset"][0])
        return {"data": self.keys[offset : offset + 2]}


@pytest.fixture
def vendor(httpserver: HTTPServer) -> Vendor:
    return Vendor(httpserver)


def test_a_management_key_sees_the_account(vendor: Vendor) -> None:
    reading = vendor.read()
    assert reading.balance == Money.parse("47.83")
    assert (reading.usage_today, reading.usage_month) == (Money.parse("2.34"), Money.parse("89.47"))
    assert (reading.scope, reading.note, reading.currency) == ("account", "", "USD")
    assert set(reading.sources.values()) == {"reported"}
    assert reading.as_of == AT


def test_analytics_are_asked_for_the_month_in_utc_by_the_cost_metric(vendor: Vendor) -> None:
    vendor.read()
    [query] = [r.get_json() for r, _ in vendor.server.log if r.path == "/analytics/query"]
    assert query["metrics"] == ["cost"]
    assert query["time_range"] == {"start": "2026-11-01T00:00:00Z", "end": "2026-11-20T12:00:00Z"}


def test_a_management_key_may_stand_in_either_place(vendor: Vendor) -> None:
    assert vendor.read(api_key=MANAGEMENT).balance == Money.parse("47.83")
    both = vendor.read(api_key=ORDINARY, management_key=MANAGEMENT)
    assert both.balance == Money.parse("47.83")


def test_an_ordinary_key_sees_itself_and_no_balance(vendor: Vendor) -> None:
    reading = vendor.read(api_key=ORDINARY)
    assert reading.balance is None
    assert (reading.usage_today, reading.usage_month) == (Money.parse("2.34"), Money.parse("25.5"))
    assert (reading.scope, reading.note) == ("key", ONLY_THIS_KEY)
    assert reading.sources["balance"] == "unavailable"


def test_zero_credits_for_an_ordinary_key_are_not_even_asked_for(vendor: Vendor) -> None:
    vendor.read(api_key=ORDINARY)
    assert vendor.asked == ["/key"]


def test_an_ordinary_key_in_the_management_place_is_told_so(vendor: Vendor) -> None:
    error = vendor.refusal(management_key=ORDINARY)
    assert isinstance(error, ProviderAuthError)
    assert error.message == NOT_MANAGEMENT


def test_an_unknown_key_is_an_auth_error(vendor: Vendor) -> None:
    error = vendor.refusal(api_key="sk-or-v1-revoked")
    assert isinstance(error, ProviderAuthError)
    assert error.message == "API key invalid or expired"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, ProviderAuthError), (429, ProviderUnavailable), (502, ProviderUnavailable)],
)
@pytest.mark.parametrize("path", ["/key", "/credits"])
def test_a_refusal_of_what_is_needed_fails_the_reading(
    vendor: Vendor, path: str, status: int, kind: type[ProviderError]
) -> None:
    words = {"error": {"code": status, "message": f"your key {MANAGEMENT}"}}
    vendor.says(path, words, status)
    assert type(vendor.refusal()) is kind


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"total_credits": 100.5},
        {"total_usage": 1},
        {"total_credits": "100.5", "total_usage": 1},
        {"total_credits": True, "total_usage": 1},
        {"total_credits": None, "total_usage": 1},
        {"total_credits": 1e15, "total_usage": 1},
        [],
        "100",
    ],
)
def test_credits_in_another_shape_are_never_a_number(vendor: Vendor, data: Any) -> None:
    vendor.says("/credits", {"data": data})
    assert isinstance(vendor.refusal(), ProviderUnreadable)


@pytest.mark.parametrize("body", ["<html>", '{"data": {"total_credits": 1, "to', "", "NaN"])
def test_credits_that_are_no_json_fail(vendor: Vendor, body: str) -> None:
    vendor.says("/credits", body)
    assert isinstance(vendor.refusal(), ProviderUnreadable)


def test_nan_credits_fail(vendor: Vendor) -> None:
    vendor.says("/credits", '{"data": {"total_credits": NaN, "total_usage": 1}}')
    assert isinstance(vendor.refusal(), ProviderUnreadable)


@pytest.mark.parametrize("missing", ["usage_daily", "usage_monthly", "is_management_key"])
def test_a_key_that_lacks_a_figure_fails(vendor: Vendor, missing: str) -> None:
    facts = {"usage_daily": 1, "usage_monthly": 2, "is_management_key": False}
    vendor.says("/key", {"data": {name: facts[name] for name in facts if name != missing}})
    assert isinstance(vendor.refusal(api_key=ORDINARY), ProviderUnreadable)


def test_a_negative_balance_is_reported_as_it_is(vendor: Vendor) -> None:
    vendor.says("/credits", {"data": {"total_credits": 10, "total_usage": 12.5}})
    assert vendor.read().balance == Money.parse("-2.5")


def test_decimals_are_exact(vendor: Vendor) -> None:
    credits_ = '{"data": {"total_credits": 0.3, "total_usage": 0.1}}'
    vendor.says("/credits", credits_)
    assert vendor.read().balance == Money(200_000_000)
    vendor.says("/credits", '{"data": {"total_credits": 123456789.123456789, "total_usage": 0}}')
    assert vendor.read().balance == Money(123_456_789_123_456_789)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"error": {"code": 403}}, 403),
        ({"error": {}}, 500),
        ("<html>", 200),
        ({"data": {"metrics": []}}, 200),
        ({"data": {"metrics": 3}}, 200),
        ({"data": {"metrics": ["cost"]}}, 200),
        ({"data": {"metrics": [{"name": "a", "display_format": "currency"},
                               {"name": "b", "display_format": "currency"}]}}, 200),
    ],
)  # fmt: skip
def test_without_analytics_usage_is_the_sum_of_the_keys(
    vendor: Vendor, answer: Any, status: int
) -> None:
    vendor.says("/analytics/meta", answer, status)
    reading = vendor.read()
    assert reading.balance == Money.parse("47.83")
    assert reading.usage_today == Money.parse("1.75")
    assert reading.usage_month == Money.parse("49.750000001")
    assert (reading.sources["usage_month"], reading.note) == ("derived", FROM_KEYS)


@pytest.mark.parametrize(
    "data",
    [
        {"data": DAYS, "metadata": {"truncated": True}},
        {"data": DAYS, "metadata": {}},
        {"data": DAYS},
        {"metadata": {"truncated": False}},
        {"data": {}, "metadata": {"truncated": False}},
        {"data": [{"date": "2026-11-20"}], "metadata": {"truncated": False}},
        {"data": [{"date": 20261120, "cost": 1}], "metadata": {"truncated": False}},
        {"data": [{"date": "2026-11-20", "cost": "1"}], "metadata": {"truncated": False}},
        {"data": ["2026-11-20"], "metadata": {"truncated": False}},
    ],
)
def test_analytics_in_part_are_not_a_total(vendor: Vendor, data: Any) -> None:
    vendor.says("/analytics/query", {"data": data})
    reading = vendor.read()
    assert (reading.usage_month, reading.note) == (Money.parse("49.750000001"), FROM_KEYS)


def test_one_money_metric_of_another_name_is_taken(vendor: Vendor) -> None:
    metric = {"name": "spend", "display_format": "currency", "is_rate": False}
    vendor.says("/analytics/meta", {"data": {"metrics": [metric]}})
    days = [{"date": "2026-11-20", "spend": 7}]
    answer = {"data": {"data": days, "metadata": {"truncated": False}}}
    vendor.says("/analytics/query", answer)
    assert vendor.read().usage_today == Money.parse("7")


def test_an_empty_month_is_zero_and_reported(vendor: Vendor) -> None:
    answer = {"data": {"data": [], "metadata": {"truncated": False}}}
    vendor.says("/analytics/query", answer)
    reading = vendor.read()
    assert (reading.usage_today, reading.usage_month) == (Money.zero(), Money.zero())


def without_analytics(vendor: Vendor) -> None:
    vendor.says("/analytics/meta", {"error": {}}, 500)


def test_pages_that_repeat_count_no_key_twice(vendor: Vendor) -> None:
    without_analytics(vendor)
    vendor.says("/keys", {"data": [KEYS[0], KEYS[1], KEYS[0], *KEYS]})
    reading = vendor.read()
    assert reading.usage_today == Money.parse("1.75")
    assert vendor.asked.count("/keys") == 2


def test_pages_without_end_are_not_summed_in_part(vendor: Vendor) -> None:
    without_analytics(vendor)
    count = iter(range(10**6))

    def another(_request: Request) -> Any:
        key = {"hash": f"k{next(count)}", "usage_daily": 1, "usage_monthly": 1}
        return {"data": [key]}

    vendor.answers["/keys"] = another
    reading = vendor.read(timeout_s=20)
    assert (reading.usage_today, reading.usage_month) == (None, None)
    assert (reading.sources["usage_today"], reading.note) == ("failed", NO_USAGE)
    assert vendor.asked.count("/keys") == MAX_PAGES


@pytest.mark.parametrize(
    "page",
    [
        {"data": {}},
        {"data": [{"hash": "a", "usage_daily": 1}]},
        {"data": [{"usage_daily": 1, "usage_monthly": 1}]},
        {"data": [{"hash": "a", "usage_daily": "1", "usage_monthly": 1}]},
        {},
        "<html>",
    ],
)
def test_a_missing_usage_is_no_zero_and_hides_no_balance(vendor: Vendor, page: Any) -> None:
    without_analytics(vendor)
    vendor.says("/keys", page)
    reading = vendor.read()
    assert reading.balance == Money.parse("47.83")
    assert (reading.usage_today, reading.usage_month) == (None, None)
    assert reading.sources == {
        "balance": "reported",
        "usage_today": "failed",
        "usage_month": "failed",
    }


def test_slow_analytics_leave_the_balance(vendor: Vendor) -> None:
    def slowly(_request: Request) -> Any:
        time.sleep(1.5)
        return META

    vendor.answers["/analytics/meta"] = slowly
    began = time.monotonic()
    reading = vendor.read(timeout_s=1)
    assert time.monotonic() - began < 3
    assert (reading.balance, reading.note) == (Money.parse("47.83"), NO_USAGE)


def test_a_redirect_does_not_carry_the_key_away(vendor: Vendor) -> None:
    away = {"Location": vendor.server.url_for("/elsewhere")}
    vendor.server.clear_all_handlers()
    vendor.server.expect_request("/key").respond_with_data("", 302, headers=away)
    assert isinstance(vendor.refusal(), ProviderUnreadable)
    assert vendor.asked == ["/key"]


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
