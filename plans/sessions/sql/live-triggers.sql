-- What keeps messages right while applications write to them. Runs in the moment of the cutover, under the final names:
-- everything here only writes to the catalog.

-- An application need not know the column language, nor count its messages.
create or replace function private.message_complete() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
declare
  session_language {{schema}}.session_language;
begin
  if tg_op = 'INSERT' and new.{{messages.sequence_number}} is null then
    -- One writer at a time per session, or two would get one number. Does not hold up writers who bring a number.
    select k.language into session_language from private.session_keys k
     where k.id = new.{{messages.session_id}} for no key update;
    new.{{messages.sequence_number}} := (
      select coalesce(max(m.{{messages.sequence_number}}), 0) + 1 from {{messages}} m
       where m.{{messages.session_id}} = new.{{messages.session_id}}
    );
  else
    -- The lock that the foreign key takes anyway, taken earlier: the language cannot change under our feet.
    select k.language into session_language from private.session_keys k
     where k.id = new.{{messages.session_id}} for key share;
  end if;
  -- No such session: the foreign key refuses the row with 23503, which 23502 from here would hide.
  new.language := coalesce(session_language, new.language, 'en');
  return new;
end
$function$;

-- Hangs on the registry and not on sessions: a partitioned table fires no AFTER UPDATE trigger for a row that moves to
-- another partition, and in AFTER INSERT the old language is gone. The registry is a plain table and sees old and new.
create or replace function private.messages_follow_language() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  update {{messages}} m set language = new.language
   where m.{{messages.session_id}} = new.id and m.language is distinct from new.language;
  return null;
end
$function$;

-- The foreign key from sessions to the registry is checked at commit. Until then a second session under an id that stands
-- in another partition would be there to be seen by policies and triggers: enough for a user to write into a session of
-- somebody else, or to delete its messages, and be gone again at commit. So the registry itself refuses at once to follow
-- the second one: where a session really moves, the row in its old partition is deleted by now.
create or replace function private.session_key_guard() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  if exists (select from {{sessions}} s where s.{{sessions.id}} = old.id and s.{{sessions.status}} = old.status) then
    raise exception using
      errcode = 'foreign_key_violation',
      schema = 'private',
      table = 'session_keys',
      constraint = 'sessions_id_status_fkey',
      message = 'There is a session with this id in another partition.',
      detail = format('Key (id)=(%s) already exists.', old.id),
      hint = 'To move a session, update its status.';
  end if;
  return new;
end
$function$;

-- TRUNCATE of the flat sessions was refused while messages referred to them; nothing refers to the partitioned ones,
-- so without this their keys and messages would stay behind. It runs after the truncation, so that
-- TRUNCATE sessions, messages passes.
create or replace function private.session_keys_truncate() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  if exists (
    select from private.session_keys k join {{messages}} m on m.{{messages.session_id}} = k.id
     where not exists (select from {{sessions}} s where s.{{sessions.id}} = k.id and s.{{sessions.status}} = k.status)
  ) then
    raise exception using
      errcode = 'feature_not_supported',
      message = format('Cannot truncate %I: there are messages of its sessions.', tg_table_name),
      hint = 'Truncate sessions and messages in one command, or delete the sessions.';
  end if;
  delete from private.session_keys k
   where not exists (select from {{sessions}} s where s.{{sessions.id}} = k.id and s.{{sessions.status}} = k.status);
  return null;
end
$function$;

revoke all on function
  private.message_complete(),
  private.messages_follow_language(),
  private.session_key_guard(),
  private.session_keys_truncate()
from public, anon, authenticated, service_role;

create trigger message_complete before insert on {{messages}}
  for each row execute function private.message_complete();
create trigger message_refresh_language before update on {{messages}}
  for each row when (
    old.{{messages.session_id}} is distinct from new.{{messages.session_id}}
    or old.language is distinct from new.language
  )
  execute function private.message_complete();
create trigger messages_follow_language after update on private.session_keys
  for each row when (old.language is distinct from new.language)
  execute function private.messages_follow_language();
create trigger session_key_guard before update on private.session_keys
  for each row when (old.id = new.id and old.status is distinct from new.status)
  execute function private.session_key_guard();

-- A statement trigger is not handed down to partitions, and TRUNCATE may name one.
create trigger session_keys_truncate after truncate on {{sessions}}
  for each statement execute function private.session_keys_truncate();
create trigger session_keys_truncate after truncate on {{schema}}.{{partition.active}}
  for each statement execute function private.session_keys_truncate();
create trigger session_keys_truncate after truncate on {{schema}}.{{partition.archived}}
  for each statement execute function private.session_keys_truncate();
create trigger session_keys_truncate after truncate on {{schema}}.{{partition.deleted}}
  for each statement execute function private.session_keys_truncate();

-- ALWAYS, as the triggers that keep the registry.
alter table private.session_keys enable always trigger messages_follow_language;
alter table private.session_keys enable always trigger session_key_guard;
alter table {{sessions}} enable always trigger session_keys_truncate;
alter table {{schema}}.{{partition.active}} enable always trigger session_keys_truncate;
alter table {{schema}}.{{partition.archived}} enable always trigger session_keys_truncate;
alter table {{schema}}.{{partition.deleted}} enable always trigger session_keys_truncate;
