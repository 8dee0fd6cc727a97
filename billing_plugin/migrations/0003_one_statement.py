"""The happy path of charge, hold and capture as one statement on PostgreSQL (models/moves.py).

It decides under the account's lock with fresh snapshots, as each statement of a function has one.
Whatever is out of the ordinary it leaves alone and answers NULL: then the general path decides.
"""

from __future__ import annotations

from peewee import Database, PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

ISO = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
MOVE = """
CREATE FUNCTION billing_move(m jsonb) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
  a billing_account;
  e billing_ledger_entry;
  r billing_usage_record;
  h billing_hold;
  moment timestamptz;
  spend bigint := m->>'spend';
  reserve bigint := m->>'reserve';
  need bigint := spend + reserve;
BEGIN
  SELECT * INTO a FROM billing_account WHERE id = m->>'account_id' FOR UPDATE;
  moment := coalesce((m->>'at')::timestamptz, clock_timestamp());
  IF a.id IS NULL OR a.currency <> m->>'currency' OR a.limits_version <> (m->>'version')::bigint
      OR moment >= a.due_at OR moment < (m->>'since')::timestamptz
      OR moment >= (m->>'until')::timestamptz
      OR (need > 0 AND a.posted_nanos - a.held_nanos - need < -a.postpaid_nanos) THEN
    RETURN NULL;
  END IF;
  IF need > 0 AND m ? 'cells' AND EXISTS (
      SELECT 1 FROM jsonb_to_recordset(m->'cells') AS c
        (limit_id text, bucket text, window_start timestamptz, ceiling bigint)
      LEFT JOIN billing_limit_counter k USING (limit_id, bucket, window_start)
      WHERE k.limit_id IS NULL OR k.spent_nanos + k.held_nanos + need > c.ceiling) THEN
    RETURN NULL;
  END IF;
  IF m ? 'capture' THEN
    UPDATE billing_hold SET status = 'captured', captured_nanos = spend, resolved_at = moment,
        record_id = m->'record'->>'id'
      WHERE id = m->>'capture' AND account_id = a.id AND status = 'open' AND expires_at > moment
        AND amount_nanos = -reserve AND amount_nanos >= spend;
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
  IF m ? 'key' THEN
    INSERT INTO billing_idempotency_key (digest, content, result_id, day)
      VALUES (decode(m->'key'->>'digest', 'hex'), decode(m->'key'->>'content', 'hex'),
        m->'key'->>'result_id', floor(extract(epoch FROM moment) / 86400))
      ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
  IF m ? 'cells' THEN
    UPDATE billing_limit_counter k
      SET spent_nanos = k.spent_nanos + spend, held_nanos = k.held_nanos + reserve
      FROM jsonb_to_recordset(m->'cells') AS c
        (limit_id text, bucket text, window_start timestamptz)
      WHERE k.limit_id = c.limit_id AND k.bucket = c.bucket AND k.window_start = c.window_start;
  END IF;
  IF m ? 'hold' THEN
    h := jsonb_populate_record(NULL::billing_hold, m->'hold');
    h.created_at := moment;
    h.expires_at := moment + make_interval(secs => (m->>'lasting_s')::float8);
    INSERT INTO billing_hold SELECT h.*;
  END IF;
  IF m ? 'entry' THEN
    e := jsonb_populate_record(NULL::billing_ledger_entry, m->'entry');
    e.sequence := a.sequence + 1;
    e.balance_after_nanos := a.posted_nanos - spend;
    e.effective_at := coalesce(e.effective_at, moment);
    e.recorded_at := moment;
    a.sequence := e.sequence;
    e.seal := encode(sha256(convert_to(concat_ws(E'\\n', a.seal, e.sequence,
        e.balance_after_nanos, to_char(e.effective_at AT TIME ZONE 'UTC', {iso}),
        to_char(e.recorded_at AT TIME ZONE 'UTC', {iso}), m->>'digest'), 'UTF8')), 'hex');
    a.seal := e.seal;
    INSERT INTO billing_ledger_entry SELECT e.*;
    r := jsonb_populate_record(NULL::billing_usage_record, m->'record');
    r.effective_at := e.effective_at;
    r.recorded_at := moment;
    INSERT INTO billing_usage_record SELECT r.*;
    INSERT INTO billing_usage_rollup AS u
        (account_id, day, provider, model, cost_nanos, records, flagged)
      VALUES (a.id, to_char(r.effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), r.provider, r.model,
        spend, 1, r.flagged)
      ON CONFLICT (account_id, day, provider, model) DO UPDATE SET
        cost_nanos = u.cost_nanos + excluded.cost_nanos, records = u.records + 1,
        flagged = u.flagged + excluded.flagged;
  END IF;
  UPDATE billing_account SET posted_nanos = posted_nanos - spend,
      held_nanos = held_nanos + reserve, sequence = a.sequence, seal = a.seal
    WHERE id = a.id;
  RETURN moment;
END $$
"""


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Creates the function where there are functions."""
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql(MOVE.replace("{iso}", ISO))
