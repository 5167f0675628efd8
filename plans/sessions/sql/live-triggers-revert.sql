-- Undoes live-triggers.sql, under the final names too: at a rollback these functions would find the flat tables behind
-- the names that they use.

drop trigger if exists message_complete on {{messages}};
drop trigger if exists message_refresh_language on {{messages}};
drop trigger if exists messages_follow_language on private.session_keys;
drop trigger if exists session_key_guard on private.session_keys;
drop trigger if exists session_keys_truncate on {{sessions}};
drop trigger if exists session_keys_truncate on {{schema}}.{{partition.active}};
drop trigger if exists session_keys_truncate on {{schema}}.{{partition.archived}};
drop trigger if exists session_keys_truncate on {{schema}}.{{partition.deleted}};

drop function if exists private.message_complete();
drop function if exists private.messages_follow_language();
drop function if exists private.session_key_guard();
-- A partition may have another name by now, and its trigger with it.
drop function if exists private.session_keys_truncate() cascade;
