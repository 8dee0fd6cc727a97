"""The pool of database connections: what one thread gives back, any other may take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from billing_plugin import Actor, operations


def test_a_connection_made_in_one_thread_serves_another(actor: Actor) -> None:
    def posted(_: int) -> str:
        return operations.check_balance(actor, str(actor.account_id)).posted.text

    for _ in range(3):
        with ThreadPoolExecutor(4) as threads:
            assert set(threads.map(posted, range(20))) == {"100.00"}
