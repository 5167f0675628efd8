-- src/engine/sql/state.sql as its first version was. It stays as it is: runs that were begun with it are still to be gone on with.
CREATE SCHEMA IF NOT EXISTS tandem;
COMMENT ON SCHEMA tandem IS 'State of Tandem; dropped by `tandem finish`.';
REVOKE ALL ON SCHEMA tandem FROM PUBLIC;

CREATE TABLE IF NOT EXISTS tandem.run (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  plan text NOT NULL,
  phase text NOT NULL CHECK (phase IN ('preparing', 'copying', 'draining', 'ready', 'baking', 'rolled_back', 'finished')),
  -- What the run was started with, resolved: the moves of its tables, and the options.
  settings jsonb NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  cutover_at timestamptz,
  cutover_lock_ms double precision,
  cutover_attempts integer NOT NULL DEFAULT 0,
  -- A rollback has begun: nothing but its completion makes sense any more.
  rolling_back boolean NOT NULL DEFAULT false
);

CREATE TABLE IF NOT EXISTS tandem.step (
  run_id integer NOT NULL REFERENCES tandem.run (id),
  position integer NOT NULL,
  name text NOT NULL,
  guide text NOT NULL,
  title text NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'failed', 'reverted')),
  started_at timestamptz,
  finished_at timestamptz,
  detail jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (run_id, name)
);

CREATE TABLE IF NOT EXISTS tandem.moved_table (
  name text PRIMARY KEY,
  copy_filenode oid,
  copy_blocks integer NOT NULL DEFAULT 0,
  copy_done boolean NOT NULL DEFAULT false,
  -- How many of its build statements are done: an index that stands is not built again.
  built integer NOT NULL DEFAULT 0,
  copied_rows bigint NOT NULL DEFAULT 0,
  rows_estimate bigint NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS tandem.copied_range (
  table_name text NOT NULL,
  first_block integer NOT NULL,
  end_block integer NOT NULL,
  rows bigint NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (table_name, first_block)
);

-- Rows that the other side cannot hold, by key: never dropped, never in the application's way.
CREATE TABLE IF NOT EXISTS tandem.quarantine (
  table_name text NOT NULL,
  key jsonb NOT NULL,
  reason text NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (table_name, key)
);

-- What the run made in the user's schemas beside the targets: a rollback takes away these, and nothing else.
CREATE TABLE IF NOT EXISTS tandem.created_object (
  name text PRIMARY KEY
);

-- Who holds the run. The lock itself is an advisory lock of the holder's session; this row is its name plate.
CREATE TABLE IF NOT EXISTS tandem.runner (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  command text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  backend_pid integer NOT NULL,
  since timestamptz NOT NULL DEFAULT now()
);

-- What the run is told while it works, and what it is waiting for.
CREATE TABLE IF NOT EXISTS tandem.control (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  paused boolean NOT NULL DEFAULT false,
  cutover_requested boolean NOT NULL DEFAULT false,
  max_lag double precision,
  max_wal_rate double precision,
  max_active integer,
  throttle_sql text,
  waiting_for text
);
INSERT INTO tandem.control DEFAULT VALUES ON CONFLICT DO NOTHING;
