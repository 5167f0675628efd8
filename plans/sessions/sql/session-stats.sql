-- Figures per user and status, counted ahead from session_rollup: a refresh reads sessions, and no message. Every
-- statement can be run again.

do $do$
begin
  -- For the first time, from all messages; what is written meanwhile waits in the queue.
  if (select version from private.session_rollup_state) = 0 then
    perform private.fold_session_changes();
    analyze private.session_rollup;
  end if;
end
$do$;

create materialized view if not exists {{schema}}.session_stats as
select
  s.{{sessions.user_id}} as user_id,
  s.{{sessions.status}} as status,
  count(*) as sessions,
  coalesce(sum(r.messages), 0) as messages,
  coalesce(sum(r.text_messages), 0) as text_messages,
  coalesce(sum(r.audio_messages), 0) as audio_messages,
  coalesce(sum(r.system_messages), 0) as system_messages,
  round(sum(r.overall_sum) / nullif(sum(r.overall_count), 0), 2) as average_overall_score,
  round(sum(r.grammar_sum) / nullif(sum(r.grammar_count), 0), 2) as average_grammar_score,
  round(sum(r.vocabulary_sum) / nullif(sum(r.vocabulary_count), 0), 2) as average_vocabulary_score,
  round(sum(r.fluency_sum) / nullif(sum(r.fluency_count), 0), 2) as average_fluency_score,
  round(sum(r.pronunciation_sum) / nullif(sum(r.pronunciation_count), 0), 2) as average_pronunciation_score,
  least(min(s.{{sessions.created_at}}), min(r.first_message)) as first_activity,
  greatest(max(s.{{sessions.last_accessed}}), max(r.last_message)) as last_activity
from {{sessions}} s left join private.session_rollup r on r.session_id = s.{{sessions.id}}
group by s.{{sessions.user_id}}, s.{{sessions.status}}
with no data;

comment on materialized view {{schema}}.session_stats is
  'Sessions, messages and scores per user and status, as of the last refresh. Closed to the API: my_session_stats shows the caller''s own rows.';

-- REFRESH ... CONCURRENTLY needs it, and it finds one user's rows.
create unique index if not exists session_stats_user_status_idx on {{schema}}.session_stats (user_id, status);

-- A materialized view cannot have row security.
revoke all on {{schema}}.session_stats from public, anon, authenticated, service_role;
grant select on {{schema}}.session_stats to service_role;

-- The first refresh cannot be a concurrent one; later ones are (the keeper runs them).
do $do$
begin
  if not (select relispopulated from pg_catalog.pg_class where oid = $identifier${{schema}}.session_stats$identifier$::regclass) then
    refresh materialized view {{schema}}.session_stats;
  end if;
end
$do$;

-- The caller's own figures, as of this moment and not of the last refresh: rollup and queue, for the caller's sessions.
create or replace function private.my_session_stats() returns setof {{schema}}.session_stats
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $function$
  select
    s.{{sessions.user_id}},
    s.{{sessions.status}},
    count(*),
    coalesce(sum(f.messages), 0),
    coalesce(sum(f.text_messages), 0),
    coalesce(sum(f.audio_messages), 0),
    coalesce(sum(f.system_messages), 0),
    round(sum(f.overall_sum) / nullif(sum(f.overall_count), 0), 2),
    round(sum(f.grammar_sum) / nullif(sum(f.grammar_count), 0), 2),
    round(sum(f.vocabulary_sum) / nullif(sum(f.vocabulary_count), 0), 2),
    round(sum(f.fluency_sum) / nullif(sum(f.fluency_count), 0), 2),
    round(sum(f.pronunciation_sum) / nullif(sum(f.pronunciation_count), 0), 2),
    least(min(s.{{sessions.created_at}}), min(f.first_message)),
    greatest(max(s.{{sessions.last_accessed}}), max(f.last_message))
  from {{sessions}} s
    left join private.session_figures(array(
      select own.{{sessions.id}} from {{sessions}} own where own.{{sessions.user_id}} = (select auth.uid())
    )) f on f.session_id = s.{{sessions.id}}
  where s.{{sessions.user_id}} = (select auth.uid())
  group by s.{{sessions.user_id}}, s.{{sessions.status}}
$function$;

revoke all on function private.my_session_stats() from public, anon, authenticated, service_role;
grant execute on function private.my_session_stats() to authenticated, service_role;

create or replace view {{schema}}.my_session_stats with (security_invoker = true) as
select
  status, sessions, messages, text_messages, audio_messages, system_messages,
  average_overall_score, average_grammar_score, average_vocabulary_score, average_fluency_score, average_pronunciation_score,
  first_activity, last_activity
from private.my_session_stats();

comment on view {{schema}}.my_session_stats is 'The caller''s own figures per status, as of this moment.';

revoke all on {{schema}}.my_session_stats from public, anon, authenticated, service_role;
grant select on {{schema}}.my_session_stats to authenticated, service_role;
