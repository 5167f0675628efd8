-- What is counted ahead for each session, and the queue of changes that are not counted in yet. Every statement can be
-- run again. Triggers (session-changes.sql) append to the queue what a statement adds to a session; a fold takes entries
-- out and adds them to the rollup. At any moment, and in any one snapshot, rollup and queue together say what counting
-- anew would: an entry and the rows that it speaks of are committed together, so a snapshot sees both or neither.

create table if not exists private.session_rollup (
  session_id uuid not null constraint session_rollup_pkey primary key,
  messages integer not null,
  text_messages integer not null,
  audio_messages integer not null,
  system_messages integer not null,
  overall_sum bigint not null,
  overall_count integer not null,
  grammar_sum bigint not null,
  grammar_count integer not null,
  vocabulary_sum bigint not null,
  vocabulary_count integer not null,
  fluency_sum bigint not null,
  fluency_count integer not null,
  pronunciation_sum bigint not null,
  pronunciation_count integer not null,
  first_message timestamptz,
  last_message timestamptz
) with (fillfactor = 80);

comment on table private.session_rollup is
  'Messages and scores of each session that has messages, as of the last fold of session_changes. Holds nothing of the session itself: what changes there is no matter of the rollup.';

-- No key and no sequence: writers only append, and meet nobody. session_id is null where every session is to be counted
-- anew; recount, where the figures of this entry do not say what became of the session.
create table if not exists private.session_changes (
  session_id uuid,
  recount boolean not null default false,
  messages integer not null default 0,
  text_messages integer not null default 0,
  audio_messages integer not null default 0,
  system_messages integer not null default 0,
  overall_sum bigint not null default 0,
  overall_count integer not null default 0,
  grammar_sum bigint not null default 0,
  grammar_count integer not null default 0,
  vocabulary_sum bigint not null default 0,
  vocabulary_count integer not null default 0,
  fluency_sum bigint not null default 0,
  fluency_count integer not null default 0,
  pronunciation_sum bigint not null default 0,
  pronunciation_count integer not null default 0,
  first_message timestamptz,
  last_message timestamptz
-- Every fold leaves as many dead rows as it took: they are cleared away by their number, not by their share. Giving the
-- empty end of the file back would lock writers out for a moment, and it is needed again a minute later.
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);

comment on table private.session_changes is
  'What was written to messages and message_feedback since the last fold, as additions to session_rollup. Appended to by triggers.';

create index if not exists session_changes_session_id_idx on private.session_changes (session_id);

-- One row: whoever changes the rollup holds it, and leaves another version behind.
create table if not exists private.session_rollup_state (
  only_row boolean not null default true constraint session_rollup_state_pkey primary key
    constraint session_rollup_state_only_row_check check (only_row),
  version bigint not null default 0
);
insert into private.session_rollup_state default values on conflict do nothing;

alter table private.session_rollup enable row level security;
alter table private.session_changes enable row level security;
alter table private.session_rollup_state enable row level security;
revoke all on private.session_rollup, private.session_changes, private.session_rollup_state
from public, anon, authenticated, service_role;

-- Counting anew, for whichever sessions are asked for: a condition on session_id reaches both tables.
create or replace view private.session_counts with (security_invoker = true) as
select
  counted.session_id,
  count(counted.type)::integer as messages,
  (count(*) filter (where counted.type = 'text'))::integer as text_messages,
  (count(*) filter (where counted.type = 'audio'))::integer as audio_messages,
  (count(*) filter (where counted.type = 'system'))::integer as system_messages,
  coalesce(sum(counted.overall_score), 0)::bigint as overall_sum,
  count(counted.overall_score)::integer as overall_count,
  coalesce(sum(counted.grammar_score), 0)::bigint as grammar_sum,
  count(counted.grammar_score)::integer as grammar_count,
  coalesce(sum(counted.vocabulary_score), 0)::bigint as vocabulary_sum,
  count(counted.vocabulary_score)::integer as vocabulary_count,
  coalesce(sum(counted.fluency_score), 0)::bigint as fluency_sum,
  count(counted.fluency_score)::integer as fluency_count,
  coalesce(sum(counted.pronunciation_score), 0)::bigint as pronunciation_sum,
  count(counted.pronunciation_score)::integer as pronunciation_count,
  min(counted.created_at) as first_message,
  max(counted.created_at) as last_message
from (
  select message.{{messages.session_id}} as session_id, message.{{messages.type}} as type, message.{{messages.created_at}} as created_at,
    null::smallint as overall_score, null::smallint as grammar_score, null::smallint as vocabulary_score,
    null::smallint as fluency_score, null::smallint as pronunciation_score
  from {{messages}} message
  union all
  -- Apart from the messages: joined to them, a message with two feedbacks would count twice.
  select message.{{messages.session_id}}, null, null, feedback.overall_score, feedback.grammar_score, feedback.vocabulary_score,
    feedback.fluency_score, feedback.pronunciation_score
  from {{schema}}.message_feedback feedback join {{messages}} message on message.{{messages.id}} = feedback.message_id
) counted
group by counted.session_id;

revoke all on private.session_counts from public, anon, authenticated, service_role;

-- The same by index alone, whatever the planner takes the tables for: it costs as much as these sessions have messages.
create or replace function private.count_sessions(wanted uuid[]) returns setof private.session_rollup
language sql stable security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $function$
  select c.* from private.session_counts c where c.session_id = any (wanted)
$function$;

-- What these sessions amount to now: the rollup and what the queue adds to it, or their rows, where the queue asks for
-- that. Exact in the snapshot of the statement that calls it. A session without messages has no row.
create or replace function private.session_figures(wanted uuid[]) returns setof private.session_rollup
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $function$
  with change as materialized (
    select c.* from private.session_changes c where c.session_id = any (wanted)
  ), recount as materialized (
    select c.session_id from change c where c.recount
    union
    select w.session_id from unnest(wanted) as w (session_id) where exists (select from private.session_changes c where c.session_id is null)
  )
  select
    f.session_id,
    sum(f.messages)::integer,
    sum(f.text_messages)::integer,
    sum(f.audio_messages)::integer,
    sum(f.system_messages)::integer,
    sum(f.overall_sum)::bigint,
    sum(f.overall_count)::integer,
    sum(f.grammar_sum)::bigint,
    sum(f.grammar_count)::integer,
    sum(f.vocabulary_sum)::bigint,
    sum(f.vocabulary_count)::integer,
    sum(f.fluency_sum)::bigint,
    sum(f.fluency_count)::integer,
    sum(f.pronunciation_sum)::bigint,
    sum(f.pronunciation_count)::integer,
    min(f.first_message),
    max(f.last_message)
  from (
    select r.* from private.session_rollup r
     where r.session_id = any (wanted) and r.session_id not in (select session_id from recount)
    union all
    select c.session_id, c.messages, c.text_messages, c.audio_messages, c.system_messages,
      c.overall_sum, c.overall_count, c.grammar_sum, c.grammar_count, c.vocabulary_sum, c.vocabulary_count,
      c.fluency_sum, c.fluency_count, c.pronunciation_sum, c.pronunciation_count, c.first_message, c.last_message
    from change c where c.session_id not in (select session_id from recount)
    union all
    select c.* from private.count_sessions(array(select session_id from recount)) c
  ) f
  group by f.session_id
  having sum(f.messages) <> 0
$function$;

-- Takes entries out of the queue and counts them in: all entries, of every session that it takes one of, since a session
-- that is counted anew has them in its rows. One statement, and so one snapshot: what is committed later stays in the
-- queue, and is in no row that was counted. To be called until it takes less than it may.
create or replace function private.fold_session_changes(max_entries integer default 20000, out entries bigint, out sessions bigint)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  -- One fold at a time, and the lock before the snapshot: the rollup that it sees is the last one.
  perform from private.session_rollup_state for update;
  if exists (select from private.session_changes c where c.session_id is null) then
    with taken as (
      delete from private.session_changes returning 1
    ), counted as materialized (
      select c.* from private.session_counts c
    ), gone as (
      delete from private.session_rollup r where not exists (select from counted c where c.session_id = r.session_id) returning 1
    ), put as (
      insert into private.session_rollup as r select c.* from counted c
      on conflict (session_id) do update set
        (messages, text_messages, audio_messages, system_messages, overall_sum, overall_count, grammar_sum, grammar_count, vocabulary_sum,
         vocabulary_count, fluency_sum, fluency_count, pronunciation_sum, pronunciation_count, first_message, last_message) =
        row (excluded.messages, excluded.text_messages, excluded.audio_messages, excluded.system_messages, excluded.overall_sum,
         excluded.overall_count, excluded.grammar_sum, excluded.grammar_count, excluded.vocabulary_sum, excluded.vocabulary_count,
         excluded.fluency_sum, excluded.fluency_count, excluded.pronunciation_sum, excluded.pronunciation_count,
         excluded.first_message, excluded.last_message)
      where row (r.*) is distinct from row (excluded.*)
      returning 1
    )
    select (select count(*) from taken), (select count(*) from gone) + (select count(*) from put) into entries, sessions;
  else
    with touched as materialized (
      select distinct c.session_id from (select q.session_id from private.session_changes q limit max_entries) c
       where c.session_id is not null
    ), figures as materialized (
      select f.* from private.session_figures(array(select t.session_id from touched t)) f
    ), taken as (
      delete from private.session_changes c using touched t where c.session_id = t.session_id returning 1
    ), gone as (
      delete from private.session_rollup r using touched t
       where r.session_id = t.session_id and not exists (select from figures f where f.session_id = r.session_id)
    ), put as (
      insert into private.session_rollup select f.* from figures f
      on conflict (session_id) do update set
        (messages, text_messages, audio_messages, system_messages, overall_sum, overall_count, grammar_sum, grammar_count, vocabulary_sum,
         vocabulary_count, fluency_sum, fluency_count, pronunciation_sum, pronunciation_count, first_message, last_message) =
        row (excluded.messages, excluded.text_messages, excluded.audio_messages, excluded.system_messages, excluded.overall_sum,
         excluded.overall_count, excluded.grammar_sum, excluded.grammar_count, excluded.vocabulary_sum, excluded.vocabulary_count,
         excluded.fluency_sum, excluded.fluency_count, excluded.pronunciation_sum, excluded.pronunciation_count,
         excluded.first_message, excluded.last_message)
    )
    select (select count(*) from taken), (select count(*) from touched) into entries, sessions;
  end if;
  if entries > 0 then
    update private.session_rollup_state set version = version + 1;
  end if;
end
$function$;

-- Counts a batch of sessions anew, from the given id on, and compares: a session whose figures are not what rollup and
-- queue say has drifted, and is put right. In the same one snapshot, so that nothing which is being written counts as
-- drift. next_id is where the following batch begins; null after the last one.
create or replace function private.recount_sessions(
  from_id uuid, max_sessions integer default 500, out next_id uuid, out sessions bigint, out drifted bigint
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  perform from private.session_rollup_state for update;
  with id as materialized (
    select i.id, row_number() over (order by i.id) as place from (
      (select k.id from private.session_keys k where k.id >= from_id order by k.id limit max_sessions + 1)
      union
      (select r.session_id from private.session_rollup r where r.session_id >= from_id order by r.session_id limit max_sessions + 1)
    ) i order by i.id limit max_sessions + 1
  ), batch as materialized (
    select i.id from id i where i.place <= max_sessions
  ), counted as materialized (
    select c.* from private.count_sessions(array(select b.id from batch b)) c
  ), believed as materialized (
    select f.* from private.session_figures(array(select b.id from batch b)) f
  ), wrong as materialized (
    select coalesce(c.session_id, b.session_id) as session_id from counted c full join believed b on b.session_id = c.session_id
     where row (c.*) is distinct from row (b.*)
  ), taken as (
    delete from private.session_changes c using wrong w where c.session_id = w.session_id
  ), gone as (
    delete from private.session_rollup r using wrong w
     where r.session_id = w.session_id and not exists (select from counted c where c.session_id = r.session_id)
  ), put as (
    insert into private.session_rollup select c.* from counted c join wrong w on w.session_id = c.session_id
    on conflict (session_id) do update set
      (messages, text_messages, audio_messages, system_messages, overall_sum, overall_count, grammar_sum, grammar_count, vocabulary_sum,
       vocabulary_count, fluency_sum, fluency_count, pronunciation_sum, pronunciation_count, first_message, last_message) =
      row (excluded.messages, excluded.text_messages, excluded.audio_messages, excluded.system_messages, excluded.overall_sum,
       excluded.overall_count, excluded.grammar_sum, excluded.grammar_count, excluded.vocabulary_sum, excluded.vocabulary_count,
       excluded.fluency_sum, excluded.fluency_count, excluded.pronunciation_sum, excluded.pronunciation_count,
       excluded.first_message, excluded.last_message)
  )
  select (select i.id from id i where i.place > max_sessions), (select count(*) from batch), (select count(*) from wrong)
    into next_id, sessions, drifted;
  if drifted > 0 then
    update private.session_rollup_state set version = version + 1;
  end if;
end
$function$;

revoke all on function
  private.count_sessions(uuid[]),
  private.session_figures(uuid[]),
  private.fold_session_changes(integer),
  private.recount_sessions(uuid, integer)
from public, anon, authenticated, service_role;
