"""The command line: `billing …` alone, `flask billing …` inside a host. One file for each noun."""

from __future__ import annotations

import click

from billing_plugin.cli import forecasts
from billing_plugin.cli.accounts import accounts
from billing_plugin.cli.auto_topups import auto_topup
from billing_plugin.cli.base import Commands
from billing_plugin.cli.billing_profiles import profile
from billing_plugin.cli.categories import categories
from billing_plugin.cli.focus import focus
from billing_plugin.cli.integrations import integrations, sync
from billing_plugin.cli.invoices import invoices
from billing_plugin.cli.items import items
from billing_plugin.cli.keys import keys
from billing_plugin.cli.ledger import ledger
from billing_plugin.cli.limits import limits
from billing_plugin.cli.payment_methods import methods
from billing_plugin.cli.prices import prices
from billing_plugin.cli.reports import reports
from billing_plugin.cli.system import demo, doctor, migrate, new_secret_key, serve
from billing_plugin.cli.topups import top_up
from billing_plugin.cli.usage import import_usage
from billing_plugin.cli.webhooks import webhooks

COMMANDS: tuple[click.Command, ...] = (
    *(accounts, demo, doctor, focus, import_usage, integrations, keys, migrate, new_secret_key),
    *(ledger, limits, prices, serve, sync),
    *(categories, items, reports),
    *(auto_topup, invoices, methods, profile, top_up, webhooks),
)


@click.group(cls=Commands)
@click.version_option(package_name="flask-billing-plugin")
def main() -> None:
    """Billing and AI-spend control."""


for command in forecasts.COMMANDS:
    reports.add_command(command)
for command in COMMANDS:
    main.add_command(command)

flask_commands = main  # `flask billing …`, by entry point
