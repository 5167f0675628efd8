-- Held sessions. A hold is for what was said in a session, too: neither the session nor a message nor a score of it is
-- deleted or rewritten while it is held, whoever asks for it. What comes is welcome: new messages, a new status, a title.

create table if not exists keeper.session_holds (
  session_id uuid primary key,
  reason text not null check (btrim(reason) <> ''),
  placed_by text not null default session_user,
  placed_at timestamptz not null default now()
);
comment on table keeper.session_holds is 'Sessions that must not be moved on or deleted, whoever asks for it.';

-- Waits for whoever is deleting the session or its messages, and makes those wait who are about to: one of the two sees
-- the other. The row is also written, without a change, so that a transaction that cannot see this hold, because its
-- snapshot is older, fails to delete the key with 40001.
create or replace function keeper.session_hold_place() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  perform from private.session_keys k where k.id = new.session_id for update;
  if not found then
    raise exception using
      errcode = 'foreign_key_violation',
      message = format('There is no session %s.', new.session_id),
      hint = 'Hold a session that exists.';
  end if;
  update private.session_keys k set status = k.status where k.id = new.session_id;
  return new;
end
$function$;

-- A migration that went back may keep the new tables beside the flat ones, and brings them up to date: what was deleted
-- there, where nothing knows of holds, has to be deleted here as well.
create or replace function keeper.holds_count() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $function$
  select exists (
    select from pg_catalog.pg_class c where c.oid = to_regclass($identifier${{sessions}}$identifier$) and c.relkind = 'p')
$function$;

create or replace function keeper.refuse_for_hold(session_id uuid, reason text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
begin
  if not keeper.holds_count() then
    return;
  end if;
  -- Why is for those who may read the holds, and not for the user whose session it is. As whom the caller acts, one cannot
  -- see from here but by the setting: this runs as the owner.
  if not has_table_privilege(
    case current_setting('role') when 'none' then session_user::text else current_setting('role') end, 'keeper.session_holds', 'select'
  ) then
    raise exception using errcode = 'restrict_violation', message = format('Session %s is held.', session_id);
  end if;
  raise exception using
    errcode = 'restrict_violation',
    message = format('Session %s is held: %s', session_id, reason),
    hint = format('`tandem release %s` ends the hold.', session_id);
end
$function$;

-- The registry has one row for each session, whatever its partition, and loses it only when the session is deleted: a
-- hold there stops a DELETE of the session, of its user, of a partition's row, and TRUNCATE.
create or replace function keeper.session_hold_keep() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
declare
  held text := (select h.reason from keeper.session_holds h where h.session_id = old.id);
begin
  if held is not null then
    perform keeper.refuse_for_hold(old.id, held);
  end if;
  return case tg_op when 'DELETE' then old else new end;
end
$function$;

-- Once for a statement, however many messages it deletes. The lock is the one that a new message takes, and waits for
-- nothing but a hold that is being placed, or the end of the session. By index alone: a plan is kept as long as the
-- connection, and one that was made for a large DELETE would read every key, or every message, for the next single row.
create or replace function keeper.message_hold_keep() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $function$
declare
  held record;
begin
  perform from private.session_keys k
    where k.id in (select o.{{messages.session_id}} from old_rows o) for key share;
  select h.session_id, h.reason into held from keeper.session_holds h
   where h.session_id in (select o.{{messages.session_id}} from old_rows o) limit 1;
  if found then
    perform keeper.refuse_for_hold(held.session_id, held.reason);
  end if;
  return null;
end
$function$;

-- After the row was written: whatever other triggers made of it is in it by then.
create or replace function keeper.message_hold_keep_content() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
declare
  held record;
begin
  perform from private.session_keys k where k.id = old.{{messages.session_id}} for key share;
  select h.session_id, h.reason into held from keeper.session_holds h where h.session_id = old.{{messages.session_id}};
  if found then
    perform keeper.refuse_for_hold(held.session_id, held.reason);
  end if;
  return null;
end
$function$;

create or replace function keeper.feedback_hold_keep() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $function$
declare
  held record;
begin
  perform from private.session_keys k
    where k.id in (select m.{{messages.session_id}} from old_rows o join {{messages}} m on m.{{messages.id}} = o.message_id)
    for key share;
  select h.session_id, h.reason into held
    from old_rows o
    join {{messages}} m on m.{{messages.id}} = o.message_id
    join keeper.session_holds h on h.session_id = m.{{messages.session_id}}
   limit 1;
  if found then
    perform keeper.refuse_for_hold(held.session_id, held.reason);
  end if;
  return null;
end
$function$;

-- Its rows would be gone before anybody could look at them; the holds are few.
create or replace function keeper.truncate_hold_keep() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
declare
  held record;
begin
  lock table keeper.session_holds in share mode;
  select h.session_id, h.reason into held from keeper.session_holds h limit 1;
  if found and keeper.holds_count() then
    raise exception using
      errcode = 'restrict_violation',
      message = format('%I cannot be truncated: session %s is held: %s', tg_table_name, held.session_id, held.reason),
      hint = '`tandem hold` lists the sessions that are held. DELETE leaves them alone.';
  end if;
  return null;
end
$function$;

revoke all on function
  keeper.session_hold_place(),
  keeper.session_hold_keep(),
  keeper.holds_count(),
  keeper.refuse_for_hold(uuid, text),
  keeper.message_hold_keep(),
  keeper.message_hold_keep_content(),
  keeper.feedback_hold_keep(),
  keeper.truncate_hold_keep()
from public;

do $do$
begin
  if not exists (select from pg_catalog.pg_trigger where tgrelid = 'keeper.session_holds'::regclass and tgname = 'session_hold_place') then
    create trigger session_hold_place before insert or update of session_id on keeper.session_holds
      for each row execute function keeper.session_hold_place();
  end if;
end
$do$;
