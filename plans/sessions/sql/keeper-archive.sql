-- Archiving: the policy, what was done by it, and one batch of each kind of work. `tandem serve`, `tandem archive` and a
-- job of pg_cron run the same functions.

-- Null: that transition is off.
create table if not exists keeper.archive_policy (
  only_row boolean primary key default true check (only_row),
  archive_after interval default '90 days' check (archive_after > '0'),
  delete_after interval check (delete_after > '0'),
  purge_after interval check (purge_after > '0'),
  -- For so long `tandem undo` works, and what was soft-deleted is not purged.
  grace interval not null default '7 days' check (grace >= '0'),
  -- Where `tandem` writes what it purges, on the machine that it runs on; null: nowhere.
  archive_directory text check (archive_directory <> ''),
  changed_at timestamptz not null default now(),
  changed_by text not null default session_user
);
comment on table keeper.archive_policy is 'How long a session may lie idle in a status before the keeper moves it on.';
insert into keeper.archive_policy default values on conflict do nothing;

create table if not exists keeper.archive_runs (
  id bigint generated always as identity primary key,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  archived bigint not null default 0,
  deleted bigint not null default 0,
  purged bigint not null default 0,
  error text,
  -- Why it did nothing, or less than was due.
  note text,
  undone_at timestamptz,
  run_by text not null default session_user
);

create table if not exists keeper.session_moves (
  session_id uuid not null,
  -- Null where it was not the keeper: the application, `tandem undo`, `tandem unarchive`.
  run_id bigint references keeper.archive_runs (id),
  from_status {{schema}}.session_status not null,
  to_status {{schema}}.session_status not null,
  moved_at timestamptz not null default clock_timestamp()
);
comment on table keeper.session_moves is 'When a session came into its status. Where it has left that status, what no policy asks for any more is removed after each run.';
create index if not exists session_moves_session_id_idx on keeper.session_moves (session_id, moved_at desc);
create index if not exists session_moves_run_id_idx on keeper.session_moves (run_id);
create index if not exists session_moves_moved_at_idx on keeper.session_moves (moved_at);

create table if not exists keeper.purged_sessions (
  session_id uuid not null,
  user_id uuid not null,
  messages bigint not null,
  feedback bigint not null,
  run_id bigint not null references keeper.archive_runs (id),
  purge_after interval not null,
  -- The file that it was written to before; null: none.
  archive_file text,
  purged_at timestamptz not null default now(),
  purged_by text not null default session_user,
  restored_at timestamptz,
  restored_by text
);
create index if not exists purged_sessions_session_id_idx on keeper.purged_sessions (session_id);
comment on table keeper.purged_sessions is 'Audit: what was deleted for good, when, by whom, and by which policy.';

-- Whoever moves a session on, its time in the new status counts from now. The registry sees each move, and a partitioned
-- table fires no AFTER UPDATE trigger for one.
create or replace function keeper.session_move_note() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  insert into keeper.session_moves (session_id, run_id, from_status, to_status)
  values (new.id, nullif(current_setting('keeper.run', true), '')::bigint, old.status, new.status);
  return null;
end
$function$;
revoke all on function keeper.session_move_note() from public;

do $do$
begin
  if not exists (select from pg_catalog.pg_trigger where tgrelid = 'private.session_keys'::regclass and tgname = 'session_move_note') then
    create trigger session_move_note after update on private.session_keys
      for each row when (old.status is distinct from new.status) execute function keeper.session_move_note();
    alter table private.session_keys enable always trigger session_move_note;
  end if;
end
$do$;

-- First half of the lock of a run ("trun"); the other one is its number.
create or replace function keeper.run_lock() returns integer
language sql immutable
set search_path = ''
as $function$ select 1953658222 $function$;

-- Begins a run, and closes those that nobody works on any more: a killed `tandem`, a cancelled CALL. Whoever works on one holds
-- its lock; to be released by the same session, with keeper.end_run.
create or replace function keeper.begin_run() returns bigint
language plpgsql
set search_path = ''
as $function$
declare
  unended bigint;
  run bigint;
begin
  for unended in select r.id from keeper.archive_runs r where r.ended_at is null loop
    if pg_try_advisory_lock(keeper.run_lock(), unended::integer) then
      update keeper.archive_runs r
         set ended_at = clock_timestamp(), error = 'It was interrupted.' where r.id = unended and r.ended_at is null;
      perform pg_advisory_unlock(keeper.run_lock(), unended::integer);
    end if;
  end loop;
  insert into keeper.archive_runs default values returning id into run;
  perform pg_advisory_lock(keeper.run_lock(), run::integer);
  return run;
end
$function$;

create or replace function keeper.end_run(run bigint) returns void
language sql
set search_path = ''
as $function$
  select pg_advisory_unlock(keeper.run_lock(), run::integer)
$function$;

-- The one condition of being due: a dry run reads by it, a batch locks by it. `idle` is counted from the last access, and
-- `rest` from when the session came into its status, where that is known. With `take`, the rows are locked; what
-- somebody else has locked is left out, and PostgreSQL looks at the condition again, on the row as it is by then. The
-- registry's row is locked as well: nobody adds a message to a session that is being moved, or places a hold on it.
-- What was come to already, by last access and id, is not come to again: any number may have been used at one moment.
drop function if exists keeper.due(text, interval, interval, timestamptz, bigint, boolean);
create or replace function keeper.due(
  transition text, idle interval, rest interval, since timestamptz, since_id uuid, most bigint, take boolean
) returns table (session_id uuid, last_accessed timestamptz)
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
begin
  return query execute $sql$
    select s.{{sessions.id}}, s.{{sessions.last_accessed}}
      from {{sessions}} s join private.session_keys k on k.id = s.{{sessions.id}}
     where s.{{sessions.status}} = $1 and s.{{sessions.last_accessed}} < now() - $2
       and not exists (select from keeper.session_moves m
                        where m.session_id = s.{{sessions.id}} and m.to_status = $1 and m.moved_at > now() - $3)
       and not exists (select from keeper.session_holds h where h.session_id = s.{{sessions.id}})
  $sql$
  -- Left out and not made true: an index is read from there on, whichever way the statement is planned.
  || case when since is not null then 'and (s.{{sessions.last_accessed}}, s.{{sessions.id}}) > ($4, $5)' else '' end || $sql$
     order by s.{{sessions.last_accessed}}, s.{{sessions.id}}
     limit $6
  $sql$ || case when take then 'for update of s, k skip locked' else '' end
  using
    (case transition when 'archived' then 'active' when 'deleted' then 'archived' when 'purged' then 'deleted' end)::{{schema}}.session_status,
    idle, rest, since, since_id, most;
end
$function$;

-- What a transition asks of a session under a policy; no row where it is off.
create or replace function keeper.idle_time(policy keeper.archive_policy, transition text)
returns table (idle interval, rest interval)
language sql stable
set search_path = pg_catalog, pg_temp
as $function$
  select t.idle, case when transition = 'purged' then greatest(t.idle, policy.grace) else t.idle end
    from (select case transition when 'archived' then policy.archive_after
                                 when 'deleted' then policy.delete_after
                                 when 'purged' then policy.purge_after end as idle) t
   where t.idle is not null
$function$;

-- Moves a batch of due sessions on, and says how many were taken, and how far it came: the next one begins there. No
-- message is touched, for they refer to the registry. A lock that others hold is waited for only briefly: the server
-- looks for deadlocks after a second, and none shall be found in which this has a part.
drop function if exists keeper.move_batch(bigint, text, timestamptz, bigint);
create or replace function keeper.move_batch(run bigint, transition text, since timestamptz, since_id uuid, most bigint)
returns table (taken bigint, moved bigint, reached timestamptz, reached_id uuid)
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '400ms'
as $function$
declare
  policy keeper.archive_policy := (select p from keeper.archive_policy p);
  ids uuid[];
begin
  select array_agg(d.session_id order by d.last_accessed, d.session_id), count(*), max(d.last_accessed)
    into ids, taken, reached
    from keeper.idle_time(policy, transition) t, keeper.due(transition, t.idle, t.rest, since, since_id, most, true) d;
  reached_id := ids[taken];
  moved := 0;
  if taken > 0 then
    perform set_config('keeper.run', run::text, true);
    -- A later look than the one that took them: a hold that was placed in between is seen.
    with moved_on as (
      update {{sessions}} s set {{sessions.status}} = transition::{{schema}}.session_status
       where s.{{sessions.id}} = any (ids)
         and s.{{sessions.status}} = (case transition when 'archived' then 'active' else 'archived' end)::{{schema}}.session_status
         and not exists (select from keeper.session_holds h where h.session_id = s.{{sessions.id}})
      returning s.{{sessions.status}} as status)
    -- A trigger of the application's may have kept one where it was.
    select count(*) into moved from moved_on m where m.status = transition::{{schema}}.session_status;
    perform set_config('keeper.run', '', true);
    -- What an application defers to the end of the transaction refuses the batch here, where that is expected.
    set constraints all immediate;
    update keeper.archive_runs r
       set archived = r.archived + case transition when 'archived' then moved else 0 end,
           deleted = r.deleted + case transition when 'deleted' then moved else 0 end
     where r.id = run;
  end if;
  return next;
end
$function$;

-- Where a run goes on behind a session that cannot be moved: the next one that is due from there on.
create or replace function keeper.next_due(transition text, since timestamptz, since_id uuid)
returns table (reached timestamptz, reached_id uuid)
language sql
set search_path = ''
as $function$
  select d.last_accessed, d.session_id
    from keeper.archive_policy p, keeper.idle_time(p, transition) t,
         keeper.due(transition, t.idle, t.rest, since, since_id, 1, false) d
$function$;

-- What is older than any time that is asked about is of no use any more. But a policy may be switched on, or its time made
-- longer, later: since when a session has been in the status that it is in stays known.
create or replace function keeper.forget_moves(most bigint) returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $function$
  with old as (
    delete from keeper.session_moves m
     where m.ctid = any (array(
       select o.ctid from keeper.session_moves o, keeper.archive_policy p
        where o.moved_at < now() - greatest(p.archive_after, p.delete_after, p.purge_after, p.grace)
          and (not exists (select from private.session_keys k where k.id = o.session_id and k.status = o.to_status)
            or exists (select from keeper.session_moves later
                        where later.session_id = o.session_id and later.moved_at > o.moved_at))
        limit most))
    returning 1)
  select count(*) from old
$function$;

-- A policy that moves sessions on sooner than the one before is accepted only from somebody who knows how many sessions
-- that moves: a mistaken zero changes the number. `tandem` asks for it; in psql, SET keeper.affected = '123' says it.
create or replace function keeper.archive_policy_guard() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
declare
  known bigint := coalesce(nullif(current_setting('keeper.affected', true), '')::bigint, 0);
  affected bigint;
begin
  if coalesce(new.archive_after, '1000000 years') < coalesce(old.archive_after, '1000000 years')
    or coalesce(new.delete_after, '1000000 years') < coalesce(old.delete_after, '1000000 years')
    or coalesce(new.purge_after, '1000000 years') < coalesce(old.purge_after, '1000000 years')
    or new.grace < old.grace
  then
    select count(*) into affected
      from unnest(array['purged', 'deleted', 'archived']) x (transition),
           keeper.idle_time(new, x.transition) t,
           keeper.due(x.transition, t.idle, t.rest, null, null, null, false);
    if affected > known then
      raise exception using
        errcode = 'object_not_in_prerequisite_state',
        message = format('This policy is stricter than the one in force, and moves %s sessions on.', affected),
        hint = format('SET keeper.affected = %L before, if that is what is wanted.', affected);
    end if;
  end if;
  return new;
end
$function$;

create or replace trigger archive_policy_guard before update on keeper.archive_policy
  for each row execute function keeper.archive_policy_guard();

revoke all on function
  keeper.run_lock(),
  keeper.begin_run(),
  keeper.end_run(bigint),
  keeper.due(text, interval, interval, timestamptz, uuid, bigint, boolean),
  keeper.idle_time(keeper.archive_policy, text),
  keeper.move_batch(bigint, text, timestamptz, uuid, bigint),
  keeper.next_due(text, timestamptz, uuid),
  keeper.forget_moves(bigint),
  keeper.archive_policy_guard()
from public;
