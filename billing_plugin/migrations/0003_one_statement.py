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
# Whenever the plans are made, also while the tables are empty, the rows are found by their indexes.
PLANNED = """
  SET plan_cache_mode = force_generic_plan
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
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
  SELECT EXISTS (SELECT FROM billing_idempotency_key k WHERE {known}), (SELECT count(*)
      FROM unnest(limits, buckets, starts, ceilings{needs})
        AS c (id, bucket, start, ceiling{needs})
      JOIN billing_limit_counter k
        ON k.limit_id = c.id AND k.bucket = c.bucket AND k.window_start = c.start
      WHERE k.spent_nanos + k.held_nanos + {need} <= c.ceiling) INTO is_known, fitting;
  IF is_known OR (need > 0 AND fitting < cardinality(limits)) THEN RETURN NULL; END IF;
"""
REMEMBERED = """
  remembered AS (INSERT INTO billing_idempotency_key (digest, content, result_id, day_number)
    SELECT digest, content, result_id, floor(extract(epoch FROM moment) / 86400)
      WHERE digest IS NOT NULL)
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
RETURNS timestamptz LANGUAGE plpgsql {planned} AS $$
#variable_conflict use_variable
DECLARE
  own record;
  moment timestamptz;
  effective timestamptz;
  fitting bigint;
  is_known boolean;
  need bigint := spend + reserve;
  result_id text := used[1];
BEGIN
  {opened}
  IF hold IS NOT NULL THEN
    UPDATE billing_hold h SET status = 'captured', captured_nanos = spend, resolved_at = moment,
        record_id = used[1]
      WHERE h.id = hold AND h.account_id = account AND h.status = 'open' AND h.expires_at > moment
        AND h.amount_nanos = -reserve AND h.amount_nanos >= spend;
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
  effective := coalesce(effective_at, moment);
  own.seal := encode(sha256(convert_to(concat_ws(E'\\n', own.seal, own.sequence + 1,
      own.posted_nanos - spend, to_char(effective AT TIME ZONE 'UTC', {iso}),
      to_char(moment AT TIME ZONE 'UTC', {iso}), said), 'UTF8')), 'hex');
  WITH {remembered}, {counted},
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
RETURNS timestamptz LANGUAGE plpgsql {planned} AS $$
#variable_conflict use_variable
DECLARE
  own record;
  moment timestamptz;
  fitting bigint;
  is_known boolean;
  spend bigint := 0;
  need bigint := reserve;
  result_id text := wanted[1];
BEGIN
  {opened}
  WITH {remembered}, {counted},
  held AS (INSERT INTO billing_hold (id, account_id, amount_nanos, currency, status, actor, key_id,
      request_id, agent, provider, model, metadata, created_at, expires_at)
    VALUES (wanted[1], account, reserve, currency_, 'open', wanted[2], wanted[3], wanted[4],
      wanted[5], wanted[6], wanted[7], wanted[8], moment, moment + lasting))
  UPDATE billing_account a SET held_nanos = a.held_nanos + reserve WHERE a.id = account;
  RETURN moment;
END $$
"""
# Charges that callers of one account make at once: all of them, or NULL. Each has an entry of its
# own; `uses` is an array of one array for each, `needs` what they add up to under each limit.
# use: digest, content, spend, flagged, entry id, record id, actor, key_id, request_id, metadata,
# said, key_id, agent, provider, model, quantities, price, metadata
SPEND_ALL = """
CREATE FUNCTION billing_spend_all({asked}, needs bigint[], spend bigint, uses jsonb)
RETURNS timestamptz LANGUAGE plpgsql {planned} AS $$
#variable_conflict use_variable
DECLARE
  own record;
  moment timestamptz;
  moment_text text;
  fitting bigint;
  is_known boolean;
  need bigint := spend;
  balance bigint;
  seal text;
  seals text[];
  balances bigint[];
  use jsonb;
BEGIN
  {opened}
  moment_text := to_char(moment AT TIME ZONE 'UTC', {iso});
  balance := own.posted_nanos;
  seal := own.seal;
  FOR use IN SELECT u FROM jsonb_array_elements(uses) AS u LOOP
    balance := balance - (use->>2)::bigint;
    balances := balances || balance;
    seal := encode(sha256(convert_to(concat_ws(E'\\n', seal,
        own.sequence + cardinality(balances), balance, moment_text, moment_text, use->>10),
        'UTF8')), 'hex');
    seals := seals || seal;
  END LOOP;
  WITH said AS MATERIALIZED (
    SELECT u, n FROM jsonb_array_elements(uses) WITH ORDINALITY AS s (u, n)),
  remembered AS (INSERT INTO billing_idempotency_key (digest, content, result_id, day_number)
    SELECT decode(u->>0, 'hex'), decode(u->>1, 'hex'), u->>5,
      floor(extract(epoch FROM moment) / 86400) FROM said WHERE u->>0 IS NOT NULL),
  counted AS (UPDATE billing_limit_counter k SET spent_nanos = k.spent_nanos + c.need
    FROM unnest(limits, buckets, starts, needs) AS c (id, bucket, start, need)
    WHERE k.limit_id = c.id AND k.bucket = c.bucket AND k.window_start = c.start),
  entered AS (INSERT INTO billing_ledger_entry (id, account_id, counter_account, kind,
      amount_nanos, currency, balance_after_nanos, sequence, actor, key_id, request_id, metadata,
      effective_at, recorded_at, seal)
    SELECT u->>4, account, 'revenue', 'usage', -(u->>2)::bigint, currency_, balances[n],
      own.sequence + n, u->>6, u->>7, u->>8, u->>9, moment, moment, seals[n] FROM said),
  recorded AS (INSERT INTO billing_usage_record (id, account_id, entry_id, key_id, agent, provider,
      model, quantities, price, cost_nanos, currency, flagged, metadata, effective_at, recorded_at)
    SELECT u->>5, account, u->>4, u->>11, u->>12, u->>13, u->>14, u->>15, u->>16,
      (u->>2)::bigint, currency_, (u->>3)::int, u->>17, moment, moment FROM said),
  rolled AS (INSERT INTO billing_usage_rollup AS r
      (account_id, day, provider, model, cost_nanos, records, flagged)
    SELECT account, left(moment_text, 10), u->>13, u->>14, sum((u->>2)::bigint), count(*),
      sum((u->>3)::int) FROM said GROUP BY u->>13, u->>14 ORDER BY u->>13, u->>14
    ON CONFLICT (account_id, day, provider, model) DO UPDATE SET
      cost_nanos = r.cost_nanos + excluded.cost_nanos, records = r.records + excluded.records,
      flagged = r.flagged + excluded.flagged)
  UPDATE billing_account a SET posted_nanos = balance, sequence = a.sequence + cardinality(seals),
      seal = seals[cardinality(seals)]
    WHERE a.id = account;
  RETURN moment;
END $$
"""
PARTS = {
    "asked": ASKED,
    "planned": PLANNED,
    "opened": OPENED,
    "remembered": REMEMBERED,
    "counted": COUNTED,
    "iso": ISO,
}
ONE = {"need": "need", "needs": "", "known": "k.digest = digest"}
MANY = {
    "need": "c.needs",
    "needs": ", needs",
    "known": """k.digest = ANY (
      ARRAY(SELECT decode(u->>0, 'hex') FROM jsonb_array_elements(uses) AS u))""",
}


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Creates the functions where there are functions."""
    if isinstance(db, PostgresqlDatabase):
        for function in (SPEND, RESERVE):
            db.execute_sql(_put_together(function, ONE))
        db.execute_sql(_put_together(SPEND_ALL, MANY))


def _put_together(function: str, parts: dict[str, str]) -> str:
    for name, part in (PARTS | parts).items():
        function = function.replace("{" + name + "}", part)
    return function
