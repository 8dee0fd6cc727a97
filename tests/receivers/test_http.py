"""Sending to receivers that are good, slow, endless, far too clever, or not there at all."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from billing_plugin.receivers import post
from billing_plugin.receivers.http import MAX_ANSWER_BYTES, USER_AGENT
from billing_plugin.receivers.receiver import Answer, Letter
from tests.receivers.servers import Receiver

HEADERS = {"webhook-id": "evt_1"}


def letter(url: str, *, local: bool = True, timeout_s: int = 5) -> Letter:
    return Letter(url, '{"type":"x"}', HEADERS, timeout_s, local)


def senders() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "billing-sends"]


def gone_quiet() -> bool:
    """Whether every thread that sends has ended, within a while."""
    until = time.monotonic() + 10
    while senders() and time.monotonic() < until:
        time.sleep(0.01)
    return not senders()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A proxy that nobody should ask."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    yield


@pytest.mark.usefixtures("environment")
def test_what_is_sent(there: Receiver) -> None:
    assert post(letter(there.url)) == Answer(200)
    [got] = there.received
    assert (got.path, got.body) == ("/in", '{"type":"x"}')
    assert got.headers["user-agent"] == USER_AGENT
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-id"] == "evt_1"
    assert got.headers["accept-encoding"] == "identity"
    assert "cookie" not in got.headers
    assert "authorization" not in got.headers


@pytest.mark.parametrize("status", [201, 204, 299, 301, 400, 410, 429, 500, 503])
def test_the_status_is_the_answer(there: Receiver, status: int) -> None:
    there.how = status
    answer = post(letter(there.url))
    assert answer == Answer(status)
    assert answer.is_good is (status < 300)


def test_no_redirect_is_followed(there: Receiver) -> None:
    there.how = "redirect"
    answer = post(letter(there.url))
    assert answer == Answer(302)
    assert not answer.is_good
    assert [one.path for one in there.received] == ["/in"]


def test_an_endless_answer_is_read_to_its_cap(there: Receiver) -> None:
    there.how = "endless"
    assert post(letter(there.url, timeout_s=15)) == Answer(200)
    assert MAX_ANSWER_BYTES < 20_000
    assert gone_quiet()


@pytest.mark.parametrize("how", ["silent", "drip"])
def test_whoever_is_too_slow_is_cut_off(there: Receiver, how: str) -> None:
    """A head that never ends would hold a time-out of single reads for ever."""
    there.how = how
    assert post(letter(there.url, timeout_s=1)) == Answer(None, "timeout")
    assert len(there.received) == 1
    assert gone_quiet()


def test_nobody_is_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert post(letter(f"http://127.0.0.1:{port}/")) == Answer(None, "unreachable")


def test_what_is_no_http() -> None:
    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen()

        def answer() -> None:
            connection, _ = odd.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        speaking = threading.Thread(target=answer)
        speaking.start()
        found = post(letter(f"http://127.0.0.1:{odd.getsockname()[1]}/"))
        speaking.join()
    assert found == Answer(None, "unreachable")


def test_this_machine_is_not_told_unless_the_setting_says_so(there: Receiver) -> None:
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1"):
        url = there.url.replace("127.0.0.1", host)
        assert post(letter(url, local=False)) == Answer(None, "unreachable")
    assert there.received == []


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[fd00::1]", "[::ffff:10.0.0.1]"],
)
def test_the_own_network_is_never_told(host: str, local: bool) -> None:
    assert post(letter(f"https://{host}/", local=local)) == Answer(None, "unreachable")


def test_a_name_is_looked_up_once_and_what_was_checked_is_told(
    there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers a public address first and a private one then gets nothing told there."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def turning(host: str, port: int, *args: object, **kwargs: object) -> object:
        if host == "turning.example.com":
            asked.append(host)
            host = "192.0.2.1" if len(asked) > 1 else "10.0.0.1"
        return real(host, port, *args, **kwargs)  # type: ignore[arg-type]  # as it was asked

    monkeypatch.setattr(socket, "getaddrinfo", turning)
    url = there.url.replace("127.0.0.1", "turning.example.com")
    assert post(letter(url, local=True)) == Answer(None, "unreachable")
    assert (asked, there.received) == (["turning.example.com"], [])


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for `localhost` that nobody but its own test trusts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + made.public_bytes(pem))
    return path


@pytest.fixture
def over_tls(there: Receiver, certificate: Path) -> str:
    """The receiver's URL by its name, over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    there.server.socket = context.wrap_socket(there.server.socket, server_side=True)
    return there.url.replace("http://127.0.0.1", "https://localhost")


def test_a_certificate_that_nobody_trusts(there: Receiver, over_tls: str) -> None:
    assert post(letter(over_tls)) == Answer(None, "unreachable")
    assert there.received == []


def test_a_certificate_is_held_against_the_name(
    there: Receiver, over_tls: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the connection is made to the address that was checked."""
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    assert post(letter(over_tls)) == Answer(200)
    assert len(there.received) == 1
    by_address = over_tls.replace("localhost", "127.0.0.1")
    assert post(letter(by_address)) == Answer(None, "unreachable")
    assert len(there.received) == 1


def test_whoever_is_silent_within_tls_is_cut_off(
    there: Receiver, over_tls: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    for there.how in ("silent", "drip"):
        assert post(letter(over_tls, timeout_s=1)) == Answer(None, "timeout")
        assert gone_quiet()
    assert len(there.received) == 2
