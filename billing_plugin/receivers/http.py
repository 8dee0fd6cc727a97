"""Sending over HTTP to addresses that customers name: none of our own network, whatever a name
stands for at the moment (requests-hardened looks it up once and connects to what it has checked).

No redirect is followed, no proxy or .netrc of the environment is used, an answer is read to 16 KB
and thrown away, and everything has one deadline: when it passes, the connection is cut.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Thread
from typing import Any

import requests
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter_adapter import IPFilterAdapter

from billing_plugin.receivers.receiver import Answer, Letter

MAX_ANSWER_BYTES = 16_384
USER_AGENT = "flask-billing-plugin webhooks"
TIMEOUT, UNREACHABLE = "timeout", "unreachable"


def post(letter: Letter) -> Answer:
    """Sends the letter and waits no longer than its timeout_s for all of it."""
    sending = _Sending(letter)
    sending.start()
    sending.join(letter.timeout_s)
    if sending.is_alive():
        sending.cut()
    return sending.answer


class _Sending(Thread):
    """One attempt. A name that is not resolved in time can only be left behind."""

    def __init__(self, letter: Letter) -> None:
        super().__init__(name="billing-sends", daemon=True)
        self.answer = Answer(None, TIMEOUT)
        self._letter = letter
        self._adapter = _Watched(letter)

    def run(self) -> None:
        """Sends, and keeps the status as soon as it is there."""
        try:
            with _session(self._letter, self._adapter) as session:
                self._send(session)
        except (requests.ConnectTimeout, requests.ReadTimeout):
            self._fail(TIMEOUT)
        except Exception:  # of the transport, whose words may hold the URL or an address
            self._fail(UNREACHABLE)

    def cut(self) -> None:
        """Ends it: whatever it waits for ends at once."""
        self._adapter.cut()

    def _send(self, session: HTTPSession) -> None:
        letter = self._letter
        with session.post(
            letter.url, data=letter.body.encode(), headers=letter.headers, stream=True,
            timeout=letter.timeout_s,
        ) as response:  # fmt: skip
            if not self._adapter.is_cut:  # a head that we have cut off looks like a whole one
                self.answer = Answer(response.status_code)
                self._drain(response)

    def _drain(self, response: requests.Response) -> None:
        """Lets the receiver finish a short answer; what it says is nobody's business."""
        left = MAX_ANSWER_BYTES
        with suppress(Exception):
            while left > 0 and (chunk := response.raw.read1(left)):
                left -= len(chunk)

    def _fail(self, error: str) -> None:
        if self.answer.status is None and not self._adapter.is_cut:
            self.answer = Answer(None, error)


class _Watched(IPFilterAdapter):
    """The library's adapter, whose connection can be cut."""

    def __init__(self, letter: Letter) -> None:
        super().__init__(letter.url.startswith("https:"), letter.local)
        self.is_cut = False
        self._connection: Any = None

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool, which tells us of the connection that it makes."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        make = pool.ConnectionCls

        def made(*inner: Any, **options: Any) -> Any:
            self._connection = make(*inner, **options)
            return self._connection

        pool.ConnectionCls = made
        return pool

    def cut(self) -> None:
        """Shuts the socket down, so that whoever reads from it or writes to it ends."""
        self.is_cut = True
        found = getattr(self._connection, "sock", None)
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)


def _session(letter: Letter, adapter: _Watched) -> HTTPSession:
    session = HTTPSession(
        Config(
            ip_filter_enable=True, ip_filter_allow_loopback_ips=letter.local, never_redirect=True,
            default_timeout=(letter.timeout_s, letter.timeout_s), user_agent_override=USER_AGENT,
        )
    )  # fmt: skip
    session.trust_env = False
    session.headers.update({"Content-Type": "application/json", "Accept-Encoding": "identity"})
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
