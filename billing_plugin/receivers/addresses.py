"""Which URLs may be told at all, before anything is sent to them."""

from __future__ import annotations

import re
import socket

import requests
from requests_hardened.ip_filter import filter_host

from billing_plugin.errors import InvalidRequest

MAX_URL = 2000
LOCAL = ("localhost", "127.0.0.1", "[::1]")
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?([/?][!-~]*)?")


def check_url(url: str, *, local: bool) -> str:
    """The URL itself: https, and of a host, not of an address that only this network has; with
    `local` also of this machine, and http there. Raises InvalidRequest.

    What a name stands for is checked when something is sent, as it may change at any time.
    """
    found = _URL.fullmatch(url)
    if found is None or len(url) > MAX_URL or "#" in url or "\\" in url:
        raise InvalidRequest(
            f"A webhook's URL is https://host/..., of at most {MAX_URL} visible ASCII characters,"
            " without user and fragment."
        )
    scheme, host, port = found[1], found[2].lower(), int(found[3] or 443)
    if scheme == "http" and not (local and host in LOCAL):
        raise InvalidRequest("A webhook's URL is https.")
    if not 0 < port < 65_536 or not _may_be_told(host.strip("[]"), port, local=local):
        raise InvalidRequest("A webhook's URL is of a public address.")
    return url


def _may_be_told(host: str, port: int, *, local: bool) -> bool:
    """Whether it is a name, or an address (however it is written) that may be told."""
    if host == "localhost":
        return local
    try:
        socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)
    except OSError:
        return True
    try:
        filter_host(host, port, allow_loopback=local)
    except requests.RequestException:
        return False
    return True
