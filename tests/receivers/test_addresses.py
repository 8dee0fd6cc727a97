"""Which URLs may be told."""

from __future__ import annotations

import pytest

from billing_plugin.errors import InvalidRequest
from billing_plugin.receivers import check_url
from billing_plugin.receivers.addresses import MAX_URL

GOOD = (
    "https://example.com",
    "https://example.com/in?a=b&c=%20",
    "https://hooks.example.com:8443/",
    "https://EXAMPLE.com?x",
    "https://93.184.216.34/in",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/",
    "https://xn--bcher-kva.example/",
)
BAD = (
    *("", "example.com", "//example.com", "http://example.com/", "ftp://example.com/"),
    *("file:///etc/passwd", "https://", "https:///in", "https://user@example.com/"),
    *("https://user:secret@example.com/", "https://example.com/#part", "https://example.com\\in"),
    *("https://example.com /", "https://example.com/\n", "https://bücher.example/"),
    *("https://example.com:0/", "https://example.com:65536/", "https://example.com:port/"),
    *("https://localhost/", "https://LOCALHOST/", "https://127.0.0.1/", "https://127.1/"),
    *("https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://0/"),
    *("https://10.1.2.3/", "https://172.16.0.1/", "https://192.168.0.1/", "https://100.64.0.1/"),
    *("https://169.254.169.254/latest/meta-data/", "https://224.0.0.1/", "https://[::1]/"),
    *("https://[::]/", "https://[fe80::1]/", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/"),
    *("https://[64:ff9b::7f00:1]/", "https://" + "a" * MAX_URL),
)


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("url", GOOD)
def test_a_good_url(url: str, local: bool) -> None:
    assert check_url(url, local=local) == url


@pytest.mark.parametrize("url", BAD)
def test_a_bad_url(url: str) -> None:
    with pytest.raises(InvalidRequest):
        check_url(url, local=False)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_for_development(host: str) -> None:
    for scheme in ("http", "https"):
        url = f"{scheme}://{host}:8080/in"
        assert check_url(url, local=True) == url
        with pytest.raises(InvalidRequest):
            check_url(url, local=False)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "https://10.0.0.1/", "http://example.com/"])
def test_development_opens_nothing_else(url: str) -> None:
    with pytest.raises(InvalidRequest):
        check_url(url, local=True)
