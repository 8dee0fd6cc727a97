"""Outward HTTP against a real server that lies, stalls and floods."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from billing_plugin.errors import (
    ProviderAuthError,
    ProviderError,
    ProviderUnavailable,
    ProviderUnreadable,
)
from billing_plugin.providers.http import MAX_BYTES, Http, amount, field, parse, rows

KEY = "sk-or-v1-canary-0a1b2c3d4e"


def asking(url: str, timeout_s: int = 5) -> Http:
    return Http(url, {"Authorization": f"Bearer {KEY}"}, timeout_s=timeout_s)


def ask(server: HTTPServer, timeout_s: int = 5) -> Any:
    return asking(server.url_for(""), timeout_s)("GET", "/it")


def refusal(server: HTTPServer, timeout_s: int = 5) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(server, timeout_s)
    error = caught.value
    assert KEY not in f"{error!r} {error.message} {error.details!r} {error.extra!r}"
    assert error.__suppress_context__ or error.__context__ is None
    return error


class Drip:
    """A server that sends one answer a byte at a time, as slowly as it is told."""

    def __init__(self, answer: bytes, pause_s: str) -> None:
        self._answer, self._pause = answer, pause_s
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            client, _ = self._socket.accept()
            with client:
                self._drip_to(client)
        except OSError:
            pass

    def _drip_to(self, client: socket.socket) -> None:
        client.recv(65_536)
        head, _, body = self._answer.partition(b"\r\n\r\n")
        client.sendall(head + b"\r\n\r\n")
        for byte in body:
            client.sendall(bytes([byte]))
            time.sleep(float(self._pause))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def drip() -> Iterator[Drip]:
    body = b'{"data": "' + b"x" * 500 + b'"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server = Drip(head + body, "0.1")
    yield server
    server.close()


def test_numbers_are_exact(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/it").respond_with_data('{"a": 0.1234567890123456789, "b": 5}')
    assert ask(httpserver) == {"a": Decimal("0.1234567890123456789"), "b": 5}


def test_the_credential_and_a_json_body_are_sent(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/it", method="POST", json={"x": 1}).respond_with_json({})
    assert asking(httpserver.url_for(""))("POST", "/it", {"x": 1}) == {}
    [(request, _)] = httpserver.log
    assert request.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, ProviderAuthError),
        (403, ProviderAuthError),
        (408, ProviderUnavailable),
        (429, ProviderUnavailable),
        (500, ProviderUnavailable),
        (503, ProviderUnavailable),
        (204, ProviderUnreadable),
        (302, ProviderUnreadable),
        (400, ProviderUnreadable),
        (404, ProviderUnreadable),
    ],
)
def test_each_status_has_its_class(
    httpserver: HTTPServer, status: int, kind: type[ProviderError]
) -> None:
    httpserver.expect_request("/it").respond_with_data(f"your key {KEY} is bad", status)
    error = refusal(httpserver)
    assert type(error) is kind
    assert error.retryable is (kind is ProviderUnavailable)


def test_a_redirect_is_not_followed(httpserver: HTTPServer) -> None:
    away = {"Location": httpserver.url_for("/elsewhere")}
    httpserver.expect_request("/it").respond_with_data("", 307, headers=away)
    httpserver.expect_request("/elsewhere").respond_with_json({"balance": 1})
    assert isinstance(refusal(httpserver), ProviderUnreadable)
    assert [request.path for request, _ in httpserver.log] == ["/it"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Maintenance</html>",
        '{"data": {"total',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": -Infinity}',
        "[" * 100_000,
        '{"a": ' + "9" * 5000 + "}",
        '{"a": 1e99999999999999999999}',
        b"\xff\xfe\x00",
    ],
    ids=["empty", "html", "cut", "nan", "inf", "minus", "deep", "digits", "exponent", "bytes"],
)
def test_what_is_no_json_is_unreadable(httpserver: HTTPServer, body: str | bytes) -> None:
    httpserver.expect_request("/it").respond_with_data(body)
    assert isinstance(refusal(httpserver), ProviderUnreadable)


def test_a_body_cut_by_the_connection_is_unavailable(httpserver: HTTPServer) -> None:
    cut = Response('{"a": 1', headers={"Content-Length": "500", "Connection": "close"})
    httpserver.expect_request("/it").respond_with_response(cut)
    assert isinstance(refusal(httpserver), ProviderUnavailable | ProviderUnreadable)


def test_a_large_body_is_cut_off(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/it").respond_with_data(b'"' + b"x" * MAX_BYTES + b'"')
    assert "too large" in refusal(httpserver).message


def test_an_endless_body_is_cut_off(httpserver: HTTPServer) -> None:
    endless = Response(iter(lambda: b"x" * 65_536, b""))
    httpserver.expect_request("/it").respond_with_response(endless)
    assert "too large" in refusal(httpserver).message


def test_a_bomb_is_not_unfolded(httpserver: HTTPServer) -> None:
    bomb = gzip.compress(b'"' + b"x" * 50_000_000 + b'"')
    unfolds = {"Content-Encoding": "gzip"}
    httpserver.expect_request("/it").respond_with_data(bomb, headers=unfolds)
    assert "compressed" in refusal(httpserver).message


def test_a_silent_server_is_left_in_time(httpserver: HTTPServer) -> None:
    def wait(_request: object) -> Response:
        time.sleep(3)
        return Response("{}")

    httpserver.expect_request("/it").respond_with_handler(wait)
    began = time.monotonic()
    assert refusal(httpserver, timeout_s=1).message == "The provider did not answer in time."
    assert time.monotonic() - began < 2


def test_a_dripping_server_is_left_in_time(drip: Drip) -> None:
    """Each byte comes well within any time-out; only the deadline over the whole ends it."""
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        asking(drip.url, timeout_s=1)("GET", "/it")
    assert time.monotonic() - began < 3


def test_the_deadline_is_over_all_calls(httpserver: HTTPServer) -> None:
    def slowly(_request: object) -> Response:
        time.sleep(0.4)
        return Response("{}")

    httpserver.expect_request("/it").respond_with_handler(slowly)
    call = asking(httpserver.url_for(""), timeout_s=3)
    call("GET", "/it")
    with pytest.raises(ProviderUnavailable):
        for _ in range(8):
            call("GET", "/it")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "nonsense"])
def test_nobody_there_is_unavailable(url: str) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        asking(url)("GET", "/it")
    assert KEY not in repr(caught.value.details)


@pytest.mark.parametrize("key", ["line\nbreak", "snow☃man"])
def test_a_key_that_no_header_can_hold_is_said_without_it(httpserver: HTTPServer, key: str) -> None:
    with pytest.raises(ProviderError) as caught:
        Http(httpserver.url_for(""), {"Authorization": key}, timeout_s=2)("GET", "/it")
    assert key not in f"{caught.value!r} {caught.value.details!r}"


def test_a_netrc_does_not_replace_the_key(
    httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {httpserver.host} login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    httpserver.expect_request("/it").respond_with_json({})
    ask(httpserver)
    [(request, _)] = httpserver.log
    assert request.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("value", [True, False, "1.50", None, [], {}, 1e3])
def test_only_exact_numbers_are_money(value: Any) -> None:
    with pytest.raises(ProviderUnreadable):
        amount(value)


@pytest.mark.parametrize("text", ["1e13", "-1e13", "1e999999", "10000000000000"])
def test_money_beyond_reason_is_refused(text: str) -> None:
    with pytest.raises(ProviderUnreadable):
        amount(parse(text.encode()))


@pytest.mark.parametrize("text", ["0", "-3.5", "1e-9", "999999999999.999999999", "1E+2"])
def test_money_is_exact(text: str) -> None:
    assert amount(parse(text.encode())) == Decimal(text)


def test_what_is_missing_is_named() -> None:
    document = {"data": {"total": 1, "list": {}}}
    assert field(document, "data", "total") == 1
    with pytest.raises(ProviderUnreadable, match="lacks usage"):
        field(document, "data", "usage")
    with pytest.raises(ProviderUnreadable, match="lacks deeper"):
        field(document, "data", "total", "deeper")
    with pytest.raises(ProviderUnreadable, match="list of the provider's answer is no list"):
        rows(document, "data", "list")
