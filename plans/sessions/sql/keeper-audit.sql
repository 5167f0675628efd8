-- What people did through the dashboard. Stands before the migration, too. Every statement can be run again.

create schema if not exists keeper;
comment on schema keeper is 'Archiving and statistics of the practice sessions. Not exposed by the API, and no API role may use it.';
revoke all on schema keeper from public;

create table if not exists keeper.audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  subject text not null,
  detail jsonb not null default '{}'
);
comment on table keeper.audit is 'Who changed or read what, through the dashboard; written before it is done, or with it.';
