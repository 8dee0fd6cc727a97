"""Counting cost items again: to check every roll-up against the items, or to make it anew."""

from __future__ import annotations

from billing_plugin.context import is_sqlite
from billing_plugin.models import items, search
from billing_plugin.models.base import Row, execute, fetch_all
from billing_plugin.models.items import TAG_COLUMNS, TAGS
from billing_plugin.models.rollups import DAY, DELTA, EVERY, SUMS, Rollup, within_64_bits

_SAID = (
    "i.account_id, i.day, substr(i.day, 1, 7) AS month, i.currency, i.source, i.recurring,"
    " COALESCE(i.provider, '') AS provider, COALESCE(i.service_id, '') AS service_id,"
    " COALESCE(i.category_id, '') AS category_id"
)
_EACH_SQLITE = "json_each(i.tags) AS e"
_EACH_POSTGRESQL = "jsonb_array_elements_text(CAST(i.tags AS jsonb)) AS e (value)"
_ADDED = "SUM(nanos) AS nanos, SUM(attos) AS attos, SUM(items) AS items"
_HOMELESS = (
    "SELECT i.account_id, i.id, i.category_id FROM billing_item i LEFT JOIN billing_category c"
    " ON c.id = i.category_id AND c.account_id = i.account_id"
    " WHERE i.category_id IS NOT NULL AND c.id IS NULL"
    " UNION ALL SELECT i.account_id, i.id, 'its account' FROM billing_item i"
    " LEFT JOIN billing_account a ON a.id = i.account_id WHERE a.id IS NULL ORDER BY 1, 2"
)


def rebuild(account_id: str) -> None:
    """Makes the account's tags, sums and index of words anew from its items, in the present
    transaction.

    Raises InvalidRequest for a sum beyond 64 bits of nanos.
    """
    items.hold(account_id)
    execute(f"DELETE FROM {TAGS} WHERE account_id = ?", (account_id,))
    execute(
        f"INSERT INTO {TAGS} ({TAG_COLUMNS}) SELECT DISTINCT i.account_id, e.value, i.day, i.id"
        f" FROM billing_item i CROSS JOIN {_each()} WHERE i.account_id = ?",
        (account_id,),
    )
    rebuild_sums(account_id)
    search.rebuild(account_id)


def rebuild_sums(account_id: str) -> None:
    """The sums alone; the caller holds the account's items."""
    execute(f"DELETE FROM {DELTA} WHERE account_id = ?", (account_id,))
    for rollup in EVERY:
        execute(f"DELETE FROM {rollup.table} WHERE account_id = ?", (account_id,))
        with within_64_bits():
            execute(
                f"INSERT INTO {rollup.table} (account_id, {rollup.key}, {SUMS})"
                f" SELECT account_id, {rollup.key}, {_ADDED} FROM ({_source(rollup)}) facts"
                f" WHERE account_id = ? GROUP BY account_id, {rollup.key}",
                (account_id,),
            )


def _source(rollup: Rollup) -> str:
    """What a roll-up is made of: the items, or the days, which are made first and are fewer."""
    if rollup is DAY or rollup.of_tags:
        return _facts(rollup)
    return f"SELECT *, substr(day, 1, 7) AS month FROM {DAY.table}"


def drifted() -> list[str]:
    """Sums, tags and words that differ from the items they are made of, a sentence each."""
    found = [
        f"{row[0]}: {rollup.table} of {' '.join(map(str, row[1:-3]))} is off by"
        f" {' '.join(str(int(value)) for value in row[-3:])}"
        for rollup in EVERY
        for row in fetch_all(_differences(rollup))
    ]
    tags = [f"{account}: tag {tag} of {item} is kept wrongly" for account, item, tag in _tags()]
    return found + tags + search.drifted()


def homeless() -> list[str]:
    """Items of categories or accounts that are not there, a sentence each."""
    return [f"{item} of {account}: {what} is not there" for account, item, what in
            fetch_all(_HOMELESS)]  # fmt: skip


def _tags() -> list[Row]:
    """Tags of items that the table of tags lacks, or has without an item that says so."""
    said = f"SELECT i.account_id, i.id, e.value, i.day FROM billing_item i CROSS JOIN {_each()}"
    kept = "SELECT account_id, item_id, tag, day FROM billing_item_tag"
    rows = fetch_all(f"{said} EXCEPT {kept}") + fetch_all(f"{kept} EXCEPT {said}")
    return sorted({row[:3] for row in rows})


def _differences(rollup: Rollup) -> str:
    """What sums and deltas have more than the items, where they differ."""
    key = f"account_id, {rollup.key}"
    where = "tag IS NOT NULL" if rollup.of_tags else "tag IS NULL"
    deltas = key.replace("month", "substr(day, 1, 7)")
    return (
        f"SELECT {key}, {_ADDED} FROM (SELECT {key}, {SUMS} FROM {rollup.table}"
        f" UNION ALL SELECT {deltas}, {SUMS} FROM {DELTA} WHERE {where}"
        f" UNION ALL SELECT {key}, -nanos, -attos, -items FROM ({_facts(rollup)}) facts) sides"
        f" GROUP BY {key} HAVING SUM(nanos) <> 0 OR SUM(attos) <> 0 OR SUM(items) <> 0"
        f" ORDER BY {key}"
    )


def _facts(rollup: Rollup) -> str:
    """What each item counts by itself, once for each tag where tags are counted."""
    tag = ", COALESCE(e.value, '') AS tag" if rollup.of_tags else ""
    tagged = f" LEFT JOIN {_each()} ON 1 = 1" if rollup.of_tags else ""
    return f"SELECT {_SAID}{tag}, i.nanos, i.attos, 1 AS items FROM billing_item i{tagged}"


def _each() -> str:
    """The tags of an item, one row each."""
    return _EACH_SQLITE if is_sqlite() else _EACH_POSTGRESQL
