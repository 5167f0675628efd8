-- Undoes session-stats.sql, session-changes.sql and session-rollup.sql.

drop view if exists {{schema}}.my_session_stats;
drop function if exists private.my_session_stats();
drop materialized view if exists {{schema}}.session_stats;

-- Feedback before messages, as they came.
drop trigger if exists session_changes_insert on {{schema}}.message_feedback;
drop trigger if exists session_changes_update on {{schema}}.message_feedback;
drop trigger if exists session_changes_delete on {{schema}}.message_feedback;
drop trigger if exists session_changes_truncate on {{schema}}.message_feedback;
drop trigger if exists session_changes_insert on {{messages}};
drop trigger if exists session_changes_update on {{messages}};
drop trigger if exists session_changes_delete on {{messages}};
drop trigger if exists session_changes_truncate on {{messages}};
drop trigger if exists zz_session_changes_move on {{messages}};

drop function if exists private.messages_note_changes();
drop function if exists private.feedback_note_changes();
drop function if exists private.message_move_feedback();
drop function if exists private.fold_session_changes(integer);
drop function if exists private.recount_sessions(uuid, integer);
drop function if exists private.session_figures(uuid[]);
drop function if exists private.count_sessions(uuid[]);
drop view if exists private.session_counts;
drop table if exists private.session_changes, private.session_rollup, private.session_rollup_state;
