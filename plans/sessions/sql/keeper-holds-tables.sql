-- Puts held sessions and their messages under guard: on the live tables, or beside them before a cutover, for its very moment.

-- Each is made only where it is missing: to make a trigger waits for whoever writes to the table, and holds up others.
-- ALWAYS, since a writer with session_replication_role = replica fires no ordinary ones.
do $do$
begin
  if not exists (select from pg_catalog.pg_trigger where tgrelid = 'private.session_keys'::regclass and tgname = 'session_hold_keep') then
    create trigger session_hold_keep before delete or update of id on private.session_keys
      for each row execute function keeper.session_hold_keep();
    create trigger truncate_hold_keep before truncate on private.session_keys
      for each statement execute function keeper.truncate_hold_keep();
    alter table private.session_keys enable always trigger session_hold_keep;
    alter table private.session_keys enable always trigger truncate_hold_keep;
  end if;
  if not exists (select from pg_catalog.pg_trigger where tgrelid = $identifier${{messages_target}}$identifier$::regclass and tgname = 'message_hold_keep') then
    create trigger message_hold_keep after delete on {{messages_target}} referencing old table as old_rows
      for each statement execute function keeper.message_hold_keep();
    create trigger message_hold_keep_content after update on {{messages_target}}
      for each row when (
        old.{{messages.id}} is distinct from new.{{messages.id}}
        or old.{{messages.session_id}} is distinct from new.{{messages.session_id}}
        or old.{{messages.user_id}} is distinct from new.{{messages.user_id}}
        or old.{{messages.type}} is distinct from new.{{messages.type}}
        or old.{{messages.sequence_number}} is distinct from new.{{messages.sequence_number}}
        or old.{{messages.content}} is distinct from new.{{messages.content}}
        or old.{{messages.created_at}} is distinct from new.{{messages.created_at}}
      )
      execute function keeper.message_hold_keep_content();
    create trigger truncate_hold_keep before truncate on {{messages_target}}
      for each statement execute function keeper.truncate_hold_keep();
    alter table {{messages_target}} enable always trigger message_hold_keep;
    alter table {{messages_target}} enable always trigger message_hold_keep_content;
    alter table {{messages_target}} enable always trigger truncate_hold_keep;
  end if;
end
$do$;
