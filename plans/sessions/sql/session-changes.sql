-- Has every statement that writes messages or feedback append to private.session_changes what it adds to each session.
-- Every statement can be run again; in one transaction, so that no write falls between.

create or replace function private.messages_note_changes() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  if tg_op = 'INSERT' then
    insert into private.session_changes
      (session_id, recount, messages, text_messages, audio_messages, system_messages, first_message, last_message)
    select n.{{messages.session_id}},
      -- Without foreign keys, there may be feedback already that waited for its message.
      pg_catalog.current_setting('session_replication_role') = 'replica',
      count(*),
      count(*) filter (where n.{{messages.type}} = 'text'),
      count(*) filter (where n.{{messages.type}} = 'audio'),
      count(*) filter (where n.{{messages.type}} = 'system'),
      min(n.{{messages.created_at}}),
      max(n.{{messages.created_at}})
    from new_rows n
    group by n.{{messages.session_id}};
  elsif tg_op = 'UPDATE' then
    -- A message without its like in the same session has moved, and its feedback with it. One with another time may have
    -- been the first or the last.
    insert into private.session_changes (session_id, recount, text_messages, audio_messages, system_messages)
    select c.session_id, bool_or(c.recount), sum(c.text_messages), sum(c.audio_messages), sum(c.system_messages)
    from (
      select
        coalesce(n.{{messages.session_id}}, o.{{messages.session_id}}) as session_id,
        (o.{{messages.created_at}} = n.{{messages.created_at}}) is not true as recount,
        coalesce((n.{{messages.type}} = 'text')::integer - (o.{{messages.type}} = 'text')::integer, 0) as text_messages,
        coalesce((n.{{messages.type}} = 'audio')::integer - (o.{{messages.type}} = 'audio')::integer, 0) as audio_messages,
        coalesce((n.{{messages.type}} = 'system')::integer - (o.{{messages.type}} = 'system')::integer, 0) as system_messages
      from old_rows o
        full join new_rows n on n.{{messages.id}} = o.{{messages.id}} and n.{{messages.session_id}} = o.{{messages.session_id}}
      where (o.{{messages.created_at}} = n.{{messages.created_at}} and o.{{messages.type}} = n.{{messages.type}}) is not true
    ) c
    group by c.session_id;
  elsif tg_op = 'DELETE' then
    -- Which message is the first or the last now, only the others can tell.
    insert into private.session_changes (session_id, recount)
    select distinct o.{{messages.session_id}}, true from old_rows o;
  else
    insert into private.session_changes (session_id, recount) values (null, true);
  end if;
  return null;
end
$function$;

-- Feedback does not say which session it belongs to: its message does. Where that is gone in the same transaction, its
-- session is counted anew because of it. By index alone: a plan is kept as long as the connection, and one that was made
-- for a large import would read all messages for the next single row.
create or replace function private.feedback_note_changes() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $function$
begin
  if tg_op = 'INSERT' then
    insert into private.session_changes
      (session_id, overall_sum, overall_count, grammar_sum, grammar_count, vocabulary_sum, vocabulary_count,
       fluency_sum, fluency_count, pronunciation_sum, pronunciation_count)
    select m.{{messages.session_id}},
      coalesce(sum(n.overall_score), 0), count(n.overall_score),
      coalesce(sum(n.grammar_score), 0), count(n.grammar_score),
      coalesce(sum(n.vocabulary_score), 0), count(n.vocabulary_score),
      coalesce(sum(n.fluency_score), 0), count(n.fluency_score),
      coalesce(sum(n.pronunciation_score), 0), count(n.pronunciation_score)
    from new_rows n join {{messages}} m on m.{{messages.id}} = n.message_id
    group by m.{{messages.session_id}};
  elsif tg_op = 'DELETE' then
    insert into private.session_changes
      (session_id, overall_sum, overall_count, grammar_sum, grammar_count, vocabulary_sum, vocabulary_count,
       fluency_sum, fluency_count, pronunciation_sum, pronunciation_count)
    select m.{{messages.session_id}},
      - coalesce(sum(o.overall_score), 0), - count(o.overall_score),
      - coalesce(sum(o.grammar_score), 0), - count(o.grammar_score),
      - coalesce(sum(o.vocabulary_score), 0), - count(o.vocabulary_score),
      - coalesce(sum(o.fluency_score), 0), - count(o.fluency_score),
      - coalesce(sum(o.pronunciation_score), 0), - count(o.pronunciation_score)
    from old_rows o join {{messages}} m on m.{{messages.id}} = o.message_id
    group by m.{{messages.session_id}};
  elsif tg_op = 'UPDATE' then
    insert into private.session_changes
      (session_id, overall_sum, overall_count, grammar_sum, grammar_count, vocabulary_sum, vocabulary_count,
       fluency_sum, fluency_count, pronunciation_sum, pronunciation_count)
    select c.* from (
      select m.{{messages.session_id}},
        coalesce(sum(w.sign * w.overall_score), 0) as overall_sum, coalesce(sum(w.sign) filter (where w.overall_score is not null), 0) as overall_count,
        coalesce(sum(w.sign * w.grammar_score), 0) as grammar_sum, coalesce(sum(w.sign) filter (where w.grammar_score is not null), 0) as grammar_count,
        coalesce(sum(w.sign * w.vocabulary_score), 0) as vocabulary_sum, coalesce(sum(w.sign) filter (where w.vocabulary_score is not null), 0) as vocabulary_count,
        coalesce(sum(w.sign * w.fluency_score), 0) as fluency_sum, coalesce(sum(w.sign) filter (where w.fluency_score is not null), 0) as fluency_count,
        coalesce(sum(w.sign * w.pronunciation_score), 0) as pronunciation_sum, coalesce(sum(w.sign) filter (where w.pronunciation_score is not null), 0) as pronunciation_count
      from (
        select 1 as sign, n.message_id, n.overall_score, n.grammar_score, n.vocabulary_score, n.fluency_score, n.pronunciation_score from new_rows n
        union all
        select -1, o.message_id, o.overall_score, o.grammar_score, o.vocabulary_score, o.fluency_score, o.pronunciation_score from old_rows o
      ) w join {{messages}} m on m.{{messages.id}} = w.message_id
      group by m.{{messages.session_id}}
    ) c
    where (c.overall_sum, c.overall_count, c.grammar_sum, c.grammar_count, c.vocabulary_sum, c.vocabulary_count,
           c.fluency_sum, c.fluency_count, c.pronunciation_sum, c.pronunciation_count) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  else
    insert into private.session_changes (session_id, recount) values (null, true);
  end if;
  return null;
end
$function$;

-- A message that moves to another session takes its feedback along. Whoever writes feedback on it at this moment notes it
-- for the session that the message is in for them: so the one that moves waits for them, and lets none come in between.
-- The lock on the message stops new feedback (its foreign key), writing its feedback anew stops what changes it, and has a
-- transaction with an older snapshot fail (40001) instead of noting the wrong session. Messages hardly ever move; so the
-- price is here, and not on whoever writes feedback.
create or replace function private.message_move_feedback() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  perform from {{messages}} m where m.{{messages.id}} = old.{{messages.id}} for update;
  update {{schema}}.message_feedback f set message_id = f.message_id where f.message_id = old.{{messages.id}};
  return new;
end
$function$;

revoke all on function
  private.messages_note_changes(),
  private.feedback_note_changes(),
  private.message_move_feedback()
from public, anon, authenticated, service_role;

-- Feedback before messages: the order in which an application's own statements come by these locks.
create or replace trigger session_changes_insert after insert on {{schema}}.message_feedback
  referencing new table as new_rows for each statement execute function private.feedback_note_changes();
create or replace trigger session_changes_update after update on {{schema}}.message_feedback
  referencing old table as old_rows new table as new_rows for each statement execute function private.feedback_note_changes();
create or replace trigger session_changes_delete after delete on {{schema}}.message_feedback
  referencing old table as old_rows for each statement execute function private.feedback_note_changes();
create or replace trigger session_changes_truncate after truncate on {{schema}}.message_feedback
  for each statement execute function private.feedback_note_changes();

create or replace trigger session_changes_insert after insert on {{messages}}
  referencing new table as new_rows for each statement execute function private.messages_note_changes();
create or replace trigger session_changes_update after update on {{messages}}
  referencing old table as old_rows new table as new_rows for each statement execute function private.messages_note_changes();
create or replace trigger session_changes_delete after delete on {{messages}}
  referencing old table as old_rows for each statement execute function private.messages_note_changes();
create or replace trigger session_changes_truncate after truncate on {{messages}}
  for each statement execute function private.messages_note_changes();
-- The last of the BEFORE triggers, which fire in the order of their names: an application's own may move the message.
create or replace trigger zz_session_changes_move before update on {{messages}}
  for each row when (old.{{messages.session_id}} is distinct from new.{{messages.session_id}})
  execute function private.message_move_feedback();

-- ALWAYS: what is written with session_replication_role = replica counts as well.
alter table {{schema}}.message_feedback enable always trigger session_changes_insert;
alter table {{schema}}.message_feedback enable always trigger session_changes_update;
alter table {{schema}}.message_feedback enable always trigger session_changes_delete;
alter table {{schema}}.message_feedback enable always trigger session_changes_truncate;
alter table {{messages}} enable always trigger session_changes_insert;
alter table {{messages}} enable always trigger session_changes_update;
alter table {{messages}} enable always trigger session_changes_delete;
alter table {{messages}} enable always trigger session_changes_truncate;
alter table {{messages}} enable always trigger zz_session_changes_move;

-- What was there before the triggers was noted by nobody. The triggers have waited for whoever was writing: all that a
-- later snapshot cannot see is in the queue.
insert into private.session_changes (session_id, recount)
select null, true from private.session_rollup_state s
 where s.version = 0 and not exists (select from private.session_changes c where c.session_id is null);
