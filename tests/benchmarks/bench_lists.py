"""G8: the documented list of 100 cost items, against a Flask route whose database makes the JSON.

Both are asked within the process. The route of the reference knows no keys, no limits, no cursors
and no filter but its own: one statement, one text. SQLite is judged by CPU, PostgreSQL by the wall.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from flask import Flask, Response
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.benchmarks import harness
from tests.benchmarks.harness import Comparison, Contestant, Goal, compare, report
from tests.benchmarks.items import Stock, stocked
from tests.factories import token_of

PATH, RAW = "/api/v1/billing/items?limit=100", "/raw"
TIMES, BOUND = 20, 2.0
# what is listed: how the product is asked, and how the reference
LISTS = {
    "the newest": ("", ""),
    "of a provider": ("&provider=provider+3", " AND provider = 'provider 3'"),
    "of some days": (
        "&from=2025-03-01&to=2025-03-31",
        " AND date >= '2025-03-01T00:00:00.000000Z' AND date < '2025-04-01T00:00:00.000000Z'",
    ),
}
_MAGNITUDE = "abs(nanos + CAST(nanos < 0 AND attos > 0 AS INTEGER))"
_ATTOS = "CASE WHEN nanos < 0 AND attos > 0 THEN 1000000000 - attos ELSE attos END"
_FACTS = """'id', id, 'name', name, 'amount', {cents}, 'amountExact', {exact}, 'currency', currency,
  'tags', {tags}, 'source', source, 'recurring', {recurring}, 'date', {date},
  'createdAt', {created_at}, 'updatedAt', {updated_at}, 'categoryId', category_id,
  'description', description, 'provider', provider, 'providerRef', provider_ref,
  'serviceId', service_id"""
_SQLITE = {
    "cents": "CAST(round((nanos + attos / 1000000000.0) / 10000000.0) AS INTEGER)",
    "exact": f"""printf('%s%d.%09d%09d', CASE WHEN nanos < 0 THEN '-' ELSE '' END,
      {_MAGNITUDE} / 1000000000, {_MAGNITUDE} % 1000000000, {_ATTOS})""",
    "tags": "json(tags)",
    "recurring": "json(CASE recurring WHEN 1 THEN 'true' ELSE 'false' END)",
    **{name: f"substr({name}, 1, 23) || 'Z'" for name in ("date", "created_at", "updated_at")},
}
_POSTGRESQL = {
    "cents": "CAST(round((nanos + attos / 1000000000.0) / 10000000.0) AS BIGINT)",
    "exact": f"""concat(CASE WHEN nanos < 0 THEN '-' ELSE '' END, {_MAGNITUDE} / 1000000000, '.',
      lpad(mod({_MAGNITUDE}, 1000000000)::text, 9, '0'), lpad(({_ATTOS})::text, 9, '0'))""",
    "tags": "tags::json",
    "recurring": "recurring = 1",
    **{
        name: f"""to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
        for name in ("date", "created_at", "updated_at")
    },
}
_ROWS = """(SELECT * FROM billing_item WHERE account_id = {account}{where}
  ORDER BY date DESC, id DESC LIMIT 100) AS page"""
Ask = Callable[[], bytes]


def main() -> int:
    """Measure, check, report."""
    wanted = options()
    comparisons = []
    with stocked([wanted.items], *wanted.database) as stocks:
        for stock in next(stocks):
            comparisons += [listed(stock, name, wanted.rounds) for name in LISTS]
    return report(comparisons, json_wanted=wanted.json)


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object per comparison")
    parser.add_argument("--rounds", type=int, default=harness.DEFAULT_ROUNDS)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--database", nargs="*", default=[], choices=("sqlite", "postgresql"))
    return parser.parse_args()


def listed(stock: Stock, name: str, rounds: int) -> Comparison:
    """One list, by both."""
    query, where = LISTS[name]
    on_cpu = stock.backend == "sqlite"
    goal = Goal("G8", stock.backend, BOUND, judged_on="cpu_ratio" if on_cpu else "ratio")
    token = token_of(stock.billing, stock.actor)
    ours = asking(mounted(stock), PATH + query, Authorization=f"Bearer {token}")
    raw = asking(reference(stock, where), RAW)
    return compare(
        goal, Contestant(f"GET /items, {name}", partial(again, ours)),
        Contestant("JSON of the database", partial(again, raw)), rounds=rounds,
        correct=rows_in(ours()) == rows_in(raw()), conditions={"items": stock.number},
    )  # fmt: skip


def mounted(stock: Stock) -> Flask:
    """An application with the product."""
    app = Flask(__name__)
    stock.billing.init_app(app)
    return app


def reference(stock: Stock, where: str) -> Flask:
    """An application of one route."""
    app, database = Flask(__name__), stock.billing.instance.database
    words = _SQLITE if stock.backend == "sqlite" else _POSTGRESQL
    each = f"json_object({_FACTS})" if stock.backend == "sqlite" else f"json_build_object({_FACTS})"
    every = "json_group_array({})" if stock.backend == "sqlite" else "json_agg({})::text"
    account = "?" if stock.backend == "sqlite" else "%s"
    rows = _ROWS.format(account=account, where=where)
    sql = f"SELECT {every.format(each.format(**words))} FROM {rows}"

    @app.get(RAW)
    def raw() -> Response:
        [text] = database.execute_sql(sql, (stock.account_id,)).fetchone()
        return Response(f'{{"success":true,"data":{text}}}', mimetype="application/json")

    return app


def asking(app: Flask, path: str, **headers: str) -> Ask:
    """Asks for a path, with an environment that was made ready before."""
    environ = EnvironBuilder(path=path, headers=headers).get_environ()

    def ask() -> bytes:
        body, status, _ = run_wsgi_app(app.wsgi_app, dict(environ))
        text = b"".join(body)
        assert status == "200 OK", text
        return text

    return ask


def again(ask: Ask) -> None:
    """So often that a clock can tell."""
    for _ in range(TIMES):
        ask()


def rows_in(body: bytes) -> list[dict[str, Any]]:
    """What a body says of each item, however it writes amounts and nothing."""
    return [
        {name: value for name, value in one.items() if value is not None}
        | {"amountExact": Decimal(one["amountExact"])}
        for one in json.loads(body)["data"]
    ]


if __name__ == "__main__":
    raise SystemExit(main())
