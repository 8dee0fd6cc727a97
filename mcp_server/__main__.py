"""The command `python -m mcp_server`: serves MCP over stdio or streamable HTTP.

Settings come from BILLING_ variables. Over stdio BILLING_API_KEY says who calls. Standard output
belongs to the protocol; everything said to people goes to standard error.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from billing_plugin import Billing
from billing_plugin.errors import BillingError, ConfigurationError, Unauthenticated

try:
    from mcp_server.identity import OneKey
    from mcp_server.server import asgi_app, build
except ModuleNotFoundError as error:
    if error.name not in ("mcp", "anyio", "pydantic", "starlette"):
        raise
    raise SystemExit("mcp_server: install the extra `mcp`.") from error

API_KEY = "BILLING_API_KEY"
DEFAULT_PORT = 8765
REFUSED, FAILED, INTERRUPTED = 2, 1, 130
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 (an address to listen on is not a name to trust)
GRACE_S = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until told to stop. Returns 2 for a wrong key or setting, 1 for a database away."""
    options = _parser().parse_args(arguments)
    _log_to_stderr()
    token = os.environ.pop(API_KEY, "")
    try:
        if options.transport == "stdio":
            return _serve_stdio(options, token)
        return _serve_http(options)
    except BillingError as error:
        sys.stderr.write(f"mcp_server: {error.message}\n")
        return REFUSED if isinstance(error, Unauthenticated | ConfigurationError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("mcp_server", description="Billing for agents, over MCP.")
    parser.add_argument("--transport", choices=("stdio", "http"), default="stdio")
    parser.add_argument("--host", default="127.0.0.1", help="http: the address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="http: 0 takes a free one")
    parser.add_argument("--database", metavar="URL", help="instead of BILLING_DATABASE_URL")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="http: a further name under which clients call this server; may be repeated",
    )
    return parser


def _log_to_stderr() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("mcp").setLevel(logging.WARNING)


@contextmanager
def _opened(database: str | None) -> Iterator[Billing]:
    billing = Billing.from_environment(database)
    pool: Any = billing.instance.database
    try:
        with billing.instance.active():
            pass  # so that a database that is away is said now, not at the first call
        yield billing
    finally:
        pool.close_all()


def _serve_stdio(options: argparse.Namespace, token: str) -> int:
    if not token:
        raise Unauthenticated(f"{API_KEY} is not set; it says whose account to serve.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # While it serves, the SDK turns stray prints aside; none may wait and come out afterwards.
        sys.stdout.reconfigure(line_buffering=True)
    with _opened(options.database) as billing:
        identity = OneKey(billing.instance, token)
        identity.actor()
        build(identity).run("stdio")
    return 0


def _serve_http(options: argparse.Namespace) -> int:
    import uvicorn

    # uvicorn ends by raising the signal that stopped it once more; ours makes that exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _opened(options.database) as billing:
        uvicorn.run(
            asgi_app(billing, allowed_hosts=_names(options)),
            host=options.host,
            port=options.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    return 0


def _names(options: argparse.Namespace) -> list[str]:
    """The names under which clients may call: the address itself and those that were allowed."""
    own = [] if options.host in EVERYWHERE else [options.host]
    return [f"[{name}]" if ":" in name else name for name in (*own, *options.allowed_host)]


if __name__ == "__main__":
    sys.exit(main())
