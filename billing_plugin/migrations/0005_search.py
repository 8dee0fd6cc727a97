"""The index of cost items' words (decision 0027)."""

from __future__ import annotations

from peewee import Database, PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

# Of ASCII this tokenizer takes letters and digits, and all characters besides: just our words.
SQLITE = ("CREATE VIRTUAL TABLE billing_item_search USING fts5 (words, tokenize = 'ascii')",)
POSTGRESQL = (
    """CREATE TABLE billing_item_search (
        account_id TEXT NOT NULL,
        item_id TEXT NOT NULL,
        words TSVECTOR NOT NULL,
        PRIMARY KEY (account_id, item_id))""",
    # What is not yet sorted in is read by every search: less of it than usual (in kB).
    """CREATE INDEX billing_item_search_words ON billing_item_search
        USING gin (words) WITH (gin_pending_list_limit = 512)""",
)


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Creates the index."""
    for statement in POSTGRESQL if isinstance(db, PostgresqlDatabase) else SQLITE:
        db.execute_sql(statement)
