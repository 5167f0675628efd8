-- Figures per user and status, counted ahead. Every statement can be run again.

create materialized view if not exists {{schema}}.session_stats as
select
  s.user_id,
  s.status,
  s.sessions,
  coalesce(m.messages, 0) as messages,
  coalesce(m.text_messages, 0) as text_messages,
  coalesce(m.audio_messages, 0) as audio_messages,
  coalesce(m.system_messages, 0) as system_messages,
  f.average_overall_score,
  f.average_grammar_score,
  f.average_vocabulary_score,
  f.average_fluency_score,
  f.average_pronunciation_score,
  least(s.first_activity, m.first_activity) as first_activity,
  greatest(s.last_activity, m.last_activity) as last_activity
from (
  select {{sessions.user_id}} as user_id, {{sessions.status}} as status, count(*) as sessions,
    min({{sessions.created_at}}) as first_activity, max({{sessions.last_accessed}}) as last_activity
  from {{sessions}}
  group by 1, 2
) s
left join (
  select owner.{{sessions.user_id}} as user_id, owner.{{sessions.status}} as status,
    count(*) as messages,
    count(*) filter (where message.{{messages.type}} = 'text') as text_messages,
    count(*) filter (where message.{{messages.type}} = 'audio') as audio_messages,
    count(*) filter (where message.{{messages.type}} = 'system') as system_messages,
    min(message.{{messages.created_at}}) as first_activity, max(message.{{messages.created_at}}) as last_activity
  from {{messages}} message join {{sessions}} owner on owner.{{sessions.id}} = message.{{messages.session_id}}
  group by 1, 2
) m on m.user_id = s.user_id and m.status = s.status
-- Apart from the messages, and over feedback rows: joined to them, a message with two feedbacks would count twice.
left join (
  select owner.{{sessions.user_id}} as user_id, owner.{{sessions.status}} as status,
    round(avg(feedback.overall_score), 2) as average_overall_score,
    round(avg(feedback.grammar_score), 2) as average_grammar_score,
    round(avg(feedback.vocabulary_score), 2) as average_vocabulary_score,
    round(avg(feedback.fluency_score), 2) as average_fluency_score,
    round(avg(feedback.pronunciation_score), 2) as average_pronunciation_score
  from {{schema}}.message_feedback feedback
    join {{messages}} message on message.{{messages.id}} = feedback.message_id
    join {{sessions}} owner on owner.{{sessions.id}} = message.{{messages.session_id}}
  group by 1, 2
) f on f.user_id = s.user_id and f.status = s.status
with no data;

comment on materialized view {{schema}}.session_stats is
  'Sessions, messages and scores per user and status, as of the last refresh. Closed to the API: my_session_stats shows the caller''s own rows.';

-- REFRESH … CONCURRENTLY needs it, and it finds one user's rows.
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

create or replace function private.my_session_stats() returns setof {{schema}}.session_stats
language sql stable security definer
set search_path = ''
as $function$
  select s.* from {{schema}}.session_stats s where s.user_id = (select auth.uid())
$function$;

revoke all on function private.my_session_stats() from public, anon, authenticated, service_role;
grant execute on function private.my_session_stats() to authenticated, service_role;

create or replace view {{schema}}.my_session_stats with (security_invoker = true) as
select
  status, sessions, messages, text_messages, audio_messages, system_messages,
  average_overall_score, average_grammar_score, average_vocabulary_score, average_fluency_score, average_pronunciation_score,
  first_activity, last_activity
from private.my_session_stats();

comment on view {{schema}}.my_session_stats is 'The caller''s own rows of session_stats.';

revoke all on {{schema}}.my_session_stats from public, anon, authenticated, service_role;
grant select on {{schema}}.my_session_stats to authenticated, service_role;
