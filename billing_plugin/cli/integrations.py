"""`billing integrations …` and `billing sync`: vendor accounts, and asking them."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

from billing_plugin import operations
from billing_plugin.cli.base import ACCOUNT, DATABASE, JSON, account_id_of, operator_of, show


@click.group()
def integrations() -> None:
    """Connected vendor accounts."""


@integrations.command("create")
@ACCOUNT
@click.option("--provider", required=True, help="openrouter, fake, …")
@click.option("--label", default="")
@click.option("--setting", "settings", multiple=True, metavar="NAME=TEXT", help="May be repeated.")
@DATABASE
@JSON
def create_integration(
    account: str, *, provider: str, label: str, settings: Iterable[str],
    database: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Connect a vendor account.

    Keys are read from BILLING_PROVIDER_API_KEY and BILLING_PROVIDER_MANAGEMENT_KEY, or asked for;
    never from the command line, where others could see them.
    """
    made = operations.connect(
        operator_of(database), account_id_of(account), provider,
        credentials=_credentials(), label=label,
        settings=dict(setting.partition("=")[::2] for setting in settings),
    )  # fmt: skip
    facts = {"id": made.id, "number": made.number, "provider": made.provider}
    show(facts | {"keys": made.preview}, as_json=as_json)


@click.command()
@ACCOUNT
@click.option("--provider", help="Only this one.")
@DATABASE
@JSON
def sync(account: str, provider: str | None, *, database: str | None, as_json: bool) -> None:
    """Ask the account's vendors for balance and spend, through the queue if there is one."""
    job = operations.request_sync(operator_of(database), account_id_of(account), provider=provider)
    facts = {"id": job.id, "status": job.status, "synced": job.synced, "failed": job.failed}
    show(facts, as_json=as_json)


def _credentials() -> dict[str, str]:
    names = {"api_key": "API_KEY", "management_key": "MANAGEMENT_KEY"}
    found = {kind: os.environ.get(f"BILLING_PROVIDER_{name}", "") for kind, name in names.items()}
    return found if any(found.values()) else {"api_key": click.prompt("API key", hide_input=True)}
