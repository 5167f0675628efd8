-- What the keeper knows and notes. Every statement can be run again.

create schema if not exists keeper;
comment on schema keeper is 'Archiving and statistics of the practice sessions. Not exposed by the API, and no API role may use it.';
revoke all on schema keeper from public, anon, authenticated, service_role;

-- Null: that transition is off.
create table if not exists keeper.archive_policy (
  only_row boolean primary key default true check (only_row),
  archive_after interval default '90 days' check (archive_after > '0'),
  delete_after interval check (delete_after > '0'),
  purge_after interval check (purge_after > '0'),
  changed_at timestamptz not null default now(),
  changed_by text not null default session_user
);
comment on table keeper.archive_policy is 'How long a session may lie idle in a status before the keeper moves it on.';
insert into keeper.archive_policy default values on conflict do nothing;

create table if not exists keeper.session_holds (
  session_id uuid primary key,
  reason text not null check (btrim(reason) <> ''),
  placed_by text not null default session_user,
  placed_at timestamptz not null default now()
);
comment on table keeper.session_holds is 'Sessions that must not be moved on or deleted, whoever asks for it.';

create table if not exists keeper.archive_runs (
  id bigint generated always as identity primary key,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  archived bigint not null default 0,
  deleted bigint not null default 0,
  purged bigint not null default 0,
  error text,
  undone_at timestamptz,
  run_by text not null default session_user
);

create table if not exists keeper.session_moves (
  session_id uuid not null,
  -- Null for what brought a session back.
  run_id bigint references keeper.archive_runs (id),
  from_status {{schema}}.session_status not null,
  to_status {{schema}}.session_status not null,
  moved_at timestamptz not null default clock_timestamp()
);
create index if not exists session_moves_session_id_idx on keeper.session_moves (session_id, moved_at desc);
create index if not exists session_moves_run_id_idx on keeper.session_moves (run_id);

create table if not exists keeper.purged_sessions (
  session_id uuid not null,
  user_id uuid not null,
  messages bigint not null,
  feedback bigint not null,
  run_id bigint not null references keeper.archive_runs (id),
  purge_after interval not null,
  purged_at timestamptz not null default now(),
  purged_by text not null default session_user
);
comment on table keeper.purged_sessions is 'Audit: what was deleted for good, when, by whom, and by which policy.';

-- The registry has one row for each session, whatever its partition, and loses it only when the session is deleted: a
-- hold there stops a DELETE of the session, of its user, of a partition's row, and TRUNCATE.
create or replace function keeper.session_hold_keep() returns trigger
language plpgsql security definer
set search_path = ''
as $function$
declare
  held text := (select h.reason from keeper.session_holds h where h.session_id = old.id);
begin
  if held is not null then
    raise exception using
      errcode = 'restrict_violation',
      message = format('Session %s is held: %s', old.id, held),
      hint = format('`tandem release %s` ends the hold.', old.id);
  end if;
  return case tg_op when 'DELETE' then old else new end;
end
$function$;

revoke all on function keeper.session_hold_keep() from public;

create or replace trigger session_hold_keep before delete or update of id on private.session_keys
  for each row execute function keeper.session_hold_keep();
alter table private.session_keys enable always trigger session_hold_keep;

-- Who runs the tasks. The epoch grows with every new holder: what an old one still wants to write is refused by it.
create table if not exists keeper.leader (
  only_row boolean primary key default true check (only_row),
  holder text,
  epoch bigint not null default 0,
  expires_at timestamptz not null default '-infinity'
);
insert into keeper.leader default values on conflict do nothing;
