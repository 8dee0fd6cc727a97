"""The happy path of charge, hold and capture as one statement on PostgreSQL (models/moves.py).

The functions decide under the account's lock with fresh snapshots, as each statement of a function
has one. Whatever is out of the ordinary they leave alone and answer NULL: then the general path
decides. `at` is NULL where the database's clock counts.
"""

from __future__ import annotations

from peewee import Database, PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

ISO = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
ASKED = """
  account text, currency_ text, version bigint, at timestamptz, since timestamptz,
  until timestamptz, limits text[], buckets text[], starts timestamptz[], ceilings bigint[]
"""
# Nothing below is reached unless the account is as the caller saw it and `need` fits.
OPENED = """
  SELECT a.currency, a.posted_nanos, a.held_nanos, a.postpaid_nanos, a.sequence, a.seal,
      a.limits_version, a.due_at INTO own FROM billing_account a WHERE a.id = account FOR UPDATE;
  moment := coalesce(at, clock_timestamp());
  IF own.currency IS DISTINCT FROM currency_ OR own.limits_version <> version
      OR moment >= own.due_at OR moment < since OR moment >= until
      OR (need > 0 AND own.posted_nanos - own.held_nanos - need < -own.postpaid_nanos) THEN
    RETURN NULL;
  END IF;
  IF need > 0 AND cardinality(limits) > 0 THEN
    SELECT count(*) INTO fitting
      FROM unnest(limits, buckets, starts, ceilings) AS c (id, bucket, start, ceiling)
      JOIN billing_limit_counter k
        ON k.limit_id = c.id AND k.bucket = c.bucket AND k.window_start = c.start
      WHERE k.spent_nanos + k.held_nanos + need <= c.ceiling;
    IF fitting < cardinality(limits) THEN RETURN NULL; END IF;
  END IF;
"""
REMEMBERED = """
  IF digest IS NOT NULL THEN
    INSERT INTO billing_idempotency_key (digest, content, result_id, day_number)
      VALUES (digest, content, result_id, floor(extract(epoch FROM moment) / 86400))
      ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
"""
COUNTED = """
  counted AS (UPDATE billing_limit_counter k
    SET spent_nanos = k.spent_nanos + spend, held_nanos = k.held_nanos + reserve
    FROM unnest(limits, buckets, starts) AS c (id, bucket, start)
    WHERE k.limit_id = c.id AND k.bucket = c.bucket AND k.window_start = c.start)
"""
# entry: id, actor, key_id, request_id, metadata
# used: id, key_id, agent, provider, model, quantities, price, flagged, metadata
SPEND = """
CREATE FUNCTION billing_spend({asked}, digest bytea, content bytea, spend bigint, reserve bigint,
  entry text[], said text, used text[], hold text, effective_at timestamptz)
RETURNS timestamptz LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_variable
DECLARE
  own record;
  moment timestamptz;
  effective timestamptz;
  fitting bigint;
  need bigint := spend + reserve;
  result_id text := used[1];
BEGIN
  {opened}
  -- Nothing below could undo a capture whose key turns out to be known.
  IF hold IS NOT NULL AND digest IS NOT NULL THEN RETURN NULL; END IF;
  IF hold IS NOT NULL THEN
    UPDATE billing_hold h SET status = 'captured', captured_nanos = spend, resolved_at = moment,
        record_id = used[1]
      WHERE h.id = hold AND h.account_id = account AND h.status = 'open' AND h.expires_at > moment
        AND h.amount_nanos = -reserve AND h.amount_nanos >= spend;
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
  {remembered}
  effective := coalesce(effective_at, moment);
  own.seal := encode(sha256(convert_to(concat_ws(E'\\n', own.seal, own.sequence + 1,
      own.posted_nanos - spend, to_char(effective AT TIME ZONE 'UTC', {iso}),
      to_char(moment AT TIME ZONE 'UTC', {iso}), said), 'UTF8')), 'hex');
  WITH {counted},
  entered AS (INSERT INTO billing_ledger_entry (id, account_id, counter_account, kind,
      amount_nanos, currency, balance_after_nanos, sequence, actor, key_id, request_id, metadata,
      effective_at, recorded_at, seal)
    VALUES (entry[1], account, 'revenue', 'usage', -spend, currency_, own.posted_nanos - spend,
      own.sequence + 1, entry[2], entry[3], entry[4], entry[5], effective, moment, own.seal)),
  recorded AS (INSERT INTO billing_usage_record (id, account_id, entry_id, hold_id, key_id, agent,
      provider, model, quantities, price, cost_nanos, currency, flagged, metadata, effective_at,
      recorded_at)
    VALUES (used[1], account, entry[1], hold, used[2], used[3], used[4], used[5], used[6], used[7],
      spend, currency_, used[8]::int, used[9], effective, moment)),
  rolled AS (INSERT INTO billing_usage_rollup AS u
      (account_id, day, provider, model, cost_nanos, records, flagged)
    VALUES (account, to_char(effective AT TIME ZONE 'UTC', 'YYYY-MM-DD'), used[4], used[5], spend,
      1, used[8]::int)
    ON CONFLICT (account_id, day, provider, model) DO UPDATE SET
      cost_nanos = u.cost_nanos + excluded.cost_nanos, records = u.records + 1,
      flagged = u.flagged + excluded.flagged)
  UPDATE billing_account a SET posted_nanos = a.posted_nanos - spend,
      held_nanos = a.held_nanos + reserve, sequence = a.sequence + 1, seal = own.seal
    WHERE a.id = account;
  RETURN moment;
END $$
"""
# wanted: id, actor, key_id, request_id, agent, provider, model, metadata
RESERVE = """
CREATE FUNCTION billing_reserve({asked}, digest bytea, content bytea, reserve bigint,
  wanted text[], lasting interval)
RETURNS timestamptz LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_variable
DECLARE
  own record;
  moment timestamptz;
  fitting bigint;
  spend bigint := 0;
  need bigint := reserve;
  result_id text := wanted[1];
BEGIN
  {opened}
  {remembered}
  WITH {counted},
  held AS (INSERT INTO billing_hold (id, account_id, amount_nanos, currency, status, actor, key_id,
      request_id, agent, provider, model, metadata, created_at, expires_at)
    VALUES (wanted[1], account, reserve, currency_, 'open', wanted[2], wanted[3], wanted[4],
      wanted[5], wanted[6], wanted[7], wanted[8], moment, moment + lasting))
  UPDATE billing_account a SET held_nanos = a.held_nanos + reserve WHERE a.id = account;
  RETURN moment;
END $$
"""
PARTS = {
    "asked": ASKED,
    "opened": OPENED,
    "remembered": REMEMBERED,
    "counted": COUNTED,
    "iso": ISO,
}


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Creates the functions where there are functions."""
    if isinstance(db, PostgresqlDatabase):
        for function in (SPEND, RESERVE):
            db.execute_sql(_put_together(function))


def _put_together(function: str) -> str:
    for name, part in PARTS.items():
        function = function.replace("{" + name + "}", part)
    return function
