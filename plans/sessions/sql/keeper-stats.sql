-- How often session_stats is brought up to date, and what came of it. Every statement can be run again.

create table if not exists keeper.stats_policy (
  only_row boolean primary key default true check (only_row),
  refresh_every interval not null default '1 minute' check (refresh_every > '0'),
  -- At most this share of the time is spent on folding and refreshing: the interval follows what they cost.
  share double precision not null default 0.05 check (share > 0 and share <= 1),
  -- Null: never.
  recount_every interval default '1 day' check (recount_every > '0'),
  changed_at timestamptz not null default now(),
  changed_by text not null default session_user
);
comment on table keeper.stats_policy is 'How often the keeper refreshes session_stats, and counts every session anew to find drift.';
insert into keeper.stats_policy default values on conflict do nothing;

create table if not exists keeper.stats_refreshes (
  id bigint generated always as identity primary key,
  -- With the folding before it.
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  mode text not null check (mode in ('plain', 'concurrent', 'skipped')),
  rows bigint,
  -- Entries that were folded into the rollup before it.
  entries bigint not null default 0,
  -- Version of the rollup that it reads.
  version bigint not null,
  -- Writes to sessions so far, as the server's statistics count them. Where both are the same again, nothing changed.
  changes bigint,
  error text
);
create index if not exists stats_refreshes_started_at_idx on keeper.stats_refreshes (started_at desc);

create table if not exists keeper.stats_recounts (
  id bigint generated always as identity primary key,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  -- Where it goes on, after a restart too.
  next_id uuid,
  sessions bigint not null default 0,
  -- Sessions whose figures were wrong, and were put right.
  drifted bigint not null default 0
);
comment on table keeper.stats_recounts is 'Each time that the figures of every session were compared with its rows.';

-- Rows of sessions written so far, by the server's own count, partitions included, and those of the registry, which loses
-- its rows when sessions is truncated. Null where the server does not count.
create or replace function keeper.session_writes() returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $function$
  select case when current_setting('track_counts')::boolean then
    sum(pg_stat_get_tuples_inserted(p.relid) + pg_stat_get_tuples_updated(p.relid) + pg_stat_get_tuples_deleted(p.relid))::bigint end
  from (
    select relid from pg_partition_tree($identifier${{sessions}}$identifier$::regclass) union select 'private.session_keys'::regclass
  ) p
$function$;

-- When the next refresh is due: as long after the last one as its share of the time asks for.
create or replace function keeper.refresh_due_at() returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $function$
  select coalesce(
    (select r.ended_at + greatest(p.refresh_every, (r.ended_at - r.started_at) / p.share)
       from keeper.stats_refreshes r where r.ended_at is not null order by r.id desc limit 1),
    '-infinity')
  from keeper.stats_policy p
$function$;

-- Notes a refresh, and says which: plainly, where there is nothing yet to be read beside; not at all, where nothing
-- changed since the last one. To be called after the last fold, and before the refresh reads: what is written in between
-- is due the next time.
create or replace function keeper.begin_refresh(began timestamptz, folded bigint, force boolean, out refresh_id bigint, out refresh_mode text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
declare
  writes constant bigint := keeper.session_writes();
  rollup_version constant bigint := (select s.version from private.session_rollup_state s);
  populated constant boolean := (
    select c.relispopulated from pg_catalog.pg_class c where c.oid = $identifier${{schema}}.session_stats$identifier$::regclass
  );
  unchanged constant boolean := (
    select r.version = rollup_version and r.changes = writes from keeper.stats_refreshes r
     where r.ended_at is not null and r.error is null order by r.id desc limit 1
  );
begin
  refresh_mode := case when not populated then 'plain' when unchanged and not force then 'skipped' else 'concurrent' end;
  insert into keeper.stats_refreshes (started_at, ended_at, mode, entries, version, changes)
  values (began, case when refresh_mode = 'skipped' then clock_timestamp() end, refresh_mode, folded, rollup_version, writes)
  returning id into refresh_id;
end
$function$;

-- Notes how it ended, and forgets what is older than 30 days.
create or replace function keeper.end_refresh(ended bigint, failure text, out row_count bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
begin
  if failure is null then
    row_count := (select count(*) from {{schema}}.session_stats);
  end if;
  update keeper.stats_refreshes r set ended_at = clock_timestamp(), rows = row_count, error = failure where r.id = ended;
  delete from keeper.stats_refreshes r where r.started_at < now() - interval '30 days' and r.id < ended;
end
$function$;

-- Counts one batch of sessions anew, where that is due: of the recount that was begun, or of a new one, which force begins
-- at any time. No row where none is due.
create or replace function keeper.recount_batch(max_sessions integer, force boolean default false)
returns table (sessions bigint, drifted bigint, ended boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
declare
  recount keeper.stats_recounts;
  batch record;
begin
  -- Whoever counts at the same time waits, and goes on where this batch ends.
  lock table keeper.stats_recounts in share row exclusive mode;
  select r.* into recount from keeper.stats_recounts r order by r.id desc limit 1;
  if force or recount.id is null or recount.ended_at is not null then
    if not force and not exists (
      select from keeper.stats_policy p
       where p.recount_every is not null and coalesce(recount.started_at + p.recount_every <= now(), true)
    ) then
      return;
    end if;
    insert into keeper.stats_recounts (next_id) values ('00000000-0000-0000-0000-000000000000') returning * into recount;
  end if;
  batch := private.recount_sessions(recount.next_id, max_sessions);
  update keeper.stats_recounts r
     set next_id = batch.next_id, sessions = r.sessions + batch.sessions, drifted = r.drifted + batch.drifted,
         ended_at = case when batch.next_id is null then clock_timestamp() end
   where r.id = recount.id
  returning r.sessions, r.drifted, r.ended_at is not null into sessions, drifted, ended;
  return next;
end
$function$;

-- All of it, for a scheduler in the database: folds, counts some sessions anew where that is due, refreshes. Does nothing
-- where the last refresh was too costly to be followed by another one yet. It commits as it goes, so that it can be
-- called only by itself, and cannot pin its search_path: every name is qualified.
create or replace procedure keeper.refresh_stats(force boolean default false)
language plpgsql
as $procedure$
declare
  began constant timestamptz := clock_timestamp();
  batch constant integer := 20000;
  taken bigint;
  folded bigint := 0;
  counted record;
  refresh record;
  failure text;
  state text;
begin
  if not force and keeper.refresh_due_at() > began then return; end if;
  loop
    select f.entries into taken from private.fold_session_changes(batch) f;
    folded := folded + taken;
    commit;
    exit when taken < batch;
  end loop;
  -- A recount goes on from call to call, for a second each.
  loop
    select c.ended into counted from keeper.recount_batch(500) c;
    commit;
    exit when counted.ended is distinct from false or clock_timestamp() > began + interval '1 second';
  end loop;
  select b.refresh_id, b.refresh_mode into refresh from keeper.begin_refresh(began, folded, force) b;
  commit;
  if refresh.refresh_mode = 'skipped' then return; end if;
  begin
    if refresh.refresh_mode = 'plain' then
      refresh materialized view {{schema}}.session_stats;
    else
      refresh materialized view concurrently {{schema}}.session_stats;
    end if;
  exception when query_canceled or others then
    failure := sqlerrm;
    state := sqlstate;
  end;
  perform keeper.end_refresh(refresh.refresh_id, failure);
  commit;
  if failure is not null then
    raise exception using errcode = state, message = failure;
  end if;
end
$procedure$;

revoke all on function
  keeper.session_writes(),
  keeper.refresh_due_at(),
  keeper.begin_refresh(timestamptz, bigint, boolean),
  keeper.end_refresh(bigint, text),
  keeper.recount_batch(integer, boolean)
from public;
revoke all on procedure keeper.refresh_stats(boolean) from public;
