-- What the keeper measures, what it warns of, and the backups that it makes. Every statement can be run again.

create table if not exists keeper.samples (
  series text not null,
  -- What the figure is of: a status, a language; '' where there is only one.
  label text not null default '',
  taken_at timestamptz not null default now(),
  value double precision not null,
  primary key (series, label, taken_at)
);
create index if not exists samples_taken_at_idx on keeper.samples (taken_at);
comment on table keeper.samples is 'Figures over time: each minute for a day, each hour for a month.';

create table if not exists keeper.alerts (
  id bigint generated always as identity primary key,
  name text not null,
  label text not null default '',
  severity text not null check (severity in ('warning', 'critical')),
  summary text not null,
  -- Since when the condition holds; firing once it has held for long enough.
  since timestamptz not null default now(),
  firing_at timestamptz,
  resolved_at timestamptz,
  -- When the webhook took the news, and that it is over.
  notified_at timestamptz,
  resolution_notified_at timestamptz,
  -- Of the news that is due: how often it was tried, why in vain, and when it is tried again; null: given up.
  attempts integer not null default 0,
  last_error text,
  next_attempt_at timestamptz default now()
);
create unique index if not exists alerts_open_idx on keeper.alerts (name, label) where resolved_at is null;
create index if not exists alerts_since_idx on keeper.alerts (since desc);
comment on table keeper.alerts is 'What was wrong, since when, and until when. A condition that was over before it fired leaves no row.';

create table if not exists keeper.backups (
  id bigint generated always as identity primary key,
  -- Whose disk it is on: rotation removes only what this host wrote.
  host text not null,
  directory text not null,
  files text[] not null default '{}',
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  -- Of the files, and of the tables in them.
  bytes bigint,
  rows bigint,
  -- As the manifest has it: what is in the directory now is this backup only where it says the same.
  snapshot_at timestamptz,
  error text,
  removed_at timestamptz,
  run_by text not null default session_user
);
create index if not exists backups_started_at_idx on keeper.backups (started_at desc);
comment on table keeper.backups is 'Backups that the keeper made, or failed to make.';

create table if not exists keeper.drills (
  id bigint generated always as identity primary key,
  backup_id bigint references keeper.backups (id),
  host text not null,
  directory text not null,
  -- A scratch database of the same server, or a private server of the keeper's.
  place text not null check (place in ('server', 'embedded')),
  -- The scratch database, until it is dropped.
  scratch text,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  rows bigint,
  bytes bigint,
  error text,
  run_by text not null default session_user
);
create index if not exists drills_started_at_idx on keeper.drills (started_at desc);
comment on table keeper.drills is 'Restore drills of these backups: what was restored aside, compared, and dropped.';
