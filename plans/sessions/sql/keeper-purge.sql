-- One batch of purging: sessions are deleted for good, with all that was said in them.

-- Takes sessions that are due to be purged, with all that is theirs, locked. One with a message or a score that somebody
-- else has locked is busy, and left to the next run: to wait for it could end in a deadlock. Stops at 5,000 messages,
-- unless one session alone has more: it is purged whole or not at all.
drop function if exists keeper.take_purge(timestamptz, bigint);
create or replace function keeper.take_purge(since timestamptz, since_id uuid, most bigint)
returns table (session_id uuid, last_accessed timestamptz, messages bigint, feedback bigint, busy boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '400ms'
as $function$
declare
  policy keeper.archive_policy := (select p from keeper.archive_policy p);
  total bigint := 0;
  locked bigint;
begin
  for session_id, last_accessed in
    select d.session_id, d.last_accessed
      from keeper.idle_time(policy, 'purged') t, keeper.due('purged', t.idle, t.rest, since, since_id, most, true) d
  loop
    -- A later look than the one that took them.
    busy := exists (select from keeper.session_holds h where h.session_id = take_purge.session_id);
    with locked_rows as materialized (
      select from {{messages}} m where m.{{messages.session_id}} = take_purge.session_id for update skip locked)
    select (select count(*) from {{messages}} m where m.{{messages.session_id}} = take_purge.session_id),
           (select count(*) from locked_rows)
      into messages, locked;
    busy := busy or locked <> messages;
    with locked_rows as materialized (
      select from {{schema}}.message_feedback f join {{messages}} m on m.{{messages.id}} = f.message_id
       where m.{{messages.session_id}} = take_purge.session_id for update of f skip locked)
    select (select count(*) from {{schema}}.message_feedback f join {{messages}} m on m.{{messages.id}} = f.message_id
             where m.{{messages.session_id}} = take_purge.session_id),
           (select count(*) from locked_rows)
      into feedback, locked;
    busy := busy or locked <> feedback;
    if not busy then
      exit when total > 0 and total + messages > 5000;
      total := total + messages;
    end if;
    return next;
  end loop;
end
$function$;

-- Deletes what was taken, scores and messages first: the cascade would do it row by row. Each session leaves an audit
-- row in the same transaction.
create or replace function keeper.purge(run bigint, ids uuid[], messages bigint[], feedback bigint[], file text) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '400ms'
as $function$
declare
  removed bigint;
begin
  insert into keeper.purged_sessions (session_id, user_id, messages, feedback, run_id, purge_after, archive_file)
  select s.{{sessions.id}}, s.{{sessions.user_id}}, t.messages, t.feedback, run,
         (select p.purge_after from keeper.archive_policy p), file
    from unnest(ids, messages, feedback) t (id, messages, feedback)
    join {{sessions}} s on s.{{sessions.id}} = t.id and s.{{sessions.status}} = 'deleted';
  delete from {{schema}}.message_feedback f using {{messages}} m
   where f.message_id = m.{{messages.id}} and m.{{messages.session_id}} = any (ids);
  delete from {{messages}} m where m.{{messages.session_id}} = any (ids);
  delete from keeper.session_moves m where m.session_id = any (ids);
  delete from {{sessions}} s where s.{{sessions.id}} = any (ids) and s.{{sessions.status}} = 'deleted';
  get diagnostics removed = row_count;
  if removed <> cardinality(ids) then
    raise exception using
      errcode = 'triggered_data_change_violation',
      message = format('%s of %s sessions would not be deleted, but all that was said in them: a trigger keeps them.',
        cardinality(ids) - removed, cardinality(ids)),
      hint = 'Let the trigger pass these, or place a hold on them.';
  end if;
  set constraints all immediate;
  update keeper.archive_runs r set purged = r.purged + removed where r.id = run;
  return removed;
end
$function$;

drop function if exists keeper.purge_batch(bigint, timestamptz, bigint);
create or replace function keeper.purge_batch(run bigint, since timestamptz, since_id uuid, most bigint)
returns table (taken bigint, moved bigint, reached timestamptz, reached_id uuid)
language plpgsql
set search_path = ''
as $function$
declare
  looked_at uuid[];
  ids uuid[];
  message_counts bigint[];
  feedback_counts bigint[];
begin
  select array_agg(t.session_id order by t.last_accessed, t.session_id),
         array_agg(t.session_id) filter (where not t.busy), array_agg(t.messages) filter (where not t.busy),
         array_agg(t.feedback) filter (where not t.busy), count(*), max(t.last_accessed)
    into looked_at, ids, message_counts, feedback_counts, taken, reached
    from keeper.take_purge(since, since_id, most) t;
  reached_id := looked_at[taken];
  moved := case when ids is null then 0 else keeper.purge(run, ids, message_counts, feedback_counts, null) end;
  return next;
end
$function$;

revoke all on function
  keeper.take_purge(timestamptz, uuid, bigint),
  keeper.purge(bigint, uuid[], bigint[], bigint[], text),
  keeper.purge_batch(bigint, timestamptz, uuid, bigint)
from public;
