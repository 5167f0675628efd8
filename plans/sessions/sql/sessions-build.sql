-- Keys, indexes and the registry of the filled sessions. Nobody but the move itself writes to them yet.

insert into private.session_keys (id, status, language)
select {{sessions.id}}, {{sessions.status}}, {{sessions.language}} from {{sessions_target}};

alter table private.session_keys add constraint session_keys_pkey primary key (id);
alter table private.session_keys add constraint session_keys_id_status_key unique (id, status);

alter table {{sessions_target}} add constraint sessions_pkey primary key ({{sessions.id}}, {{sessions.status}});

-- A key of a partitioned table must contain the partition key, so the primary key alone would let one id stand in two
-- partitions. The registry has each id once, with one status: this reference refuses the second row. Deferred, because
-- a change of status changes both sides.
alter table {{sessions_target}} add constraint sessions_id_status_fkey
  foreign key ({{sessions.id}}, {{sessions.status}}) references private.session_keys (id, status)
  deferrable initially deferred;

create index sessions_active_user_id_idx on {{target_schema}}.{{partition.active}} ({{sessions.user_id}});
create index sessions_active_last_accessed_idx on {{target_schema}}.{{partition.active}} ({{sessions.last_accessed}});
create index sessions_archived_user_id_idx on {{target_schema}}.{{partition.archived}} ({{sessions.user_id}});
create index sessions_archived_last_accessed_idx on {{target_schema}}.{{partition.archived}} ({{sessions.last_accessed}});
-- Without it, deleting a user would scan every deleted session.
create index sessions_deleted_user_id_idx on {{target_schema}}.{{partition.deleted}} ({{sessions.user_id}});

-- A change of status is a DELETE and an INSERT to a partitioned table, and this runs between the two: before the
-- trigger on DELETE looks, the registry has the new status. It must be a BEFORE trigger for just that reason.
create or replace function private.session_key_put() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  insert into private.session_keys as k (id, status, language)
  values (new.{{sessions.id}}, new.{{sessions.status}}, new.{{sessions.language}})
  on conflict (id) do update set status = excluded.status, language = excluded.language
    -- With the same status there is such a session, and ON CONFLICT may leave it as it is: so must we.
    where k.status <> excluded.status;
  return new;
end
$function$;

-- Only where the old status still stands in the registry: otherwise the session has merely moved to another partition,
-- and deleting its key would delete its messages.
create or replace function private.session_key_remove() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  delete from private.session_keys k where k.id = old.{{sessions.id}} and k.status = old.{{sessions.status}};
  return null;
end
$function$;

-- Renames the key instead of making a second one: what refers to it refuses (messages), as it did with the flat table.
create or replace function private.session_key_rename() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  update private.session_keys k
     set id = new.{{sessions.id}}, status = new.{{sessions.status}}, language = new.{{sessions.language}}
   where k.id = old.{{sessions.id}};
  return new;
end
$function$;

-- The language of a session that stays in its partition; one that moves at the same time goes through session_key_put.
create or replace function private.session_key_set_language() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  -- The strong lock waits for messages that are just being written with the old language (they hold KEY SHARE), so that
  -- whoever passes the change on to the messages of the session sees all of them.
  perform from private.session_keys k where k.id = new.{{sessions.id}} for update;
  update private.session_keys k set language = new.{{sessions.language}} where k.id = new.{{sessions.id}};
  return null;
end
$function$;

revoke all on function
  private.session_key_put(),
  private.session_key_remove(),
  private.session_key_rename(),
  private.session_key_set_language()
from public, anon, authenticated, service_role;

-- BEFORE triggers fire in the order of their names. These two must be the last: they write down what an application's own
-- triggers made of the row, and nothing for a row that one of them suppressed.
create trigger zz_session_key_put before insert on {{sessions_target}}
  for each row execute function private.session_key_put();
create trigger session_key_remove after delete on {{sessions_target}}
  for each row execute function private.session_key_remove();
create trigger zz_session_key_rename before update on {{sessions_target}}
  for each row when (old.{{sessions.id}} is distinct from new.{{sessions.id}})
  execute function private.session_key_rename();
create trigger session_key_set_language after update on {{sessions_target}}
  for each row when (old.{{sessions.language}} is distinct from new.{{sessions.language}})
  execute function private.session_key_set_language();

-- ALWAYS: a writer with session_replication_role = replica would otherwise leave the registry behind.
alter table {{sessions_target}} enable always trigger zz_session_key_put;
alter table {{sessions_target}} enable always trigger session_key_remove;
alter table {{sessions_target}} enable always trigger zz_session_key_rename;
alter table {{sessions_target}} enable always trigger session_key_set_language;

analyze private.session_keys;
analyze {{sessions_target}};
