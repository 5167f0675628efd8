-- Generated from plans/sessions/sql by `npm run generate`.
--
-- Phase 5: sessions partitioned by status, messages with enum, language and search, statistics, row security.
--
-- This file holds both tables locked from its beginning to its end: applications wait. `tandem migrate` leads to the
-- same end while they go on writing, maps columns and values of other shapes, and can go back.
--
-- One statement, and so one transaction: it does everything or nothing. Where sessions is partitioned it does nothing.

-- The time limit for a statement would be the limit for the whole move.
set statement_timeout = 0;

do $phase5$
declare
  flat_tables regclass[] := array[to_regclass('public.sessions'), to_regclass('public.messages')];
  -- The constraints that the flat tables have and the new ones get under the same names.
  replaced_constraints constant text[] := array[
    'sessions_pkey', 'sessions_user_id_fkey', 'messages_pkey', 'messages_session_id_fkey', 'messages_user_id_fkey'
  ];
  previous_search_path constant text := current_setting('search_path');
  previous_lock_timeout constant text := current_setting('lock_timeout');
  previous_messages constant text := current_setting('client_min_messages');
  obstacles text[];
  kept_indexes text[];
  kept_comments text[];
  pointing record;
  kept_statement text;
  differing bigint;
begin
  -- Every name below is qualified: nothing may be found by chance in somebody else's schema.
  perform set_config('search_path', '', true);
  -- Whoever holds a table for longer than this ends the attempt; waiting on would queue every client behind it.
  perform set_config('lock_timeout', '30s', true);

  if array_position(flat_tables, null) is not null or to_regclass('public.message_feedback') is null then
    raise exception using
      errcode = 'undefined_table',
      message = 'One of the tables public.sessions, public.messages, public.message_feedback is missing.',
      hint = 'Run 20231231000000_flat_tables.sql and 20240101000000_phase1_improvements.sql first.';
  end if;
  if (select relkind from pg_class where oid = flat_tables[1]) = 'p' then
    if to_regclass('private.session_keys') is null then
      raise exception using
        errcode = 'wrong_object_type',
        message = 'public.sessions is partitioned, but not by this file.',
        hint = 'Make a plain table of it first, or keep what you have.';
    end if;
    raise notice 'public.sessions is partitioned already: there is nothing to do.';
    perform set_config('search_path', previous_search_path, true), set_config('lock_timeout', previous_lock_timeout, true);
    return;
  end if;

  -- The referencing table first: the order in which an application's own statements come by these locks.
  lock table public.messages, public.sessions in access exclusive mode;

  -- What this file does not know, it would lose. All that is in the way is told at once, before anything is changed.
  select array_agg(found.obstacle order by found.obstacle) into obstacles from (
    select format('%s %s', t, case when c.relkind <> 'r' then 'is no plain table'
                                   when c.relforcerowsecurity then 'forces row security on its owner'
                                   else format('belongs to %s, and you are %s', pg_get_userbyid(c.relowner), current_user) end)
      from unnest(flat_tables) t join pg_class c on c.oid = t
     where c.relkind <> 'r' or c.relforcerowsecurity or pg_get_userbyid(c.relowner) <> current_user
    union all
    select case when a.attname is null then format('%s has no column %s', wanted.relation, wanted.name)
                when wanted.name is null then format('%s has a column of its own: %s', a.attrelid::regclass, a.attname)
                else format('%s.%s is %s', wanted.relation, wanted.name, format_type(a.atttypid, a.atttypmod)) end
      from (
        select flat_tables[place] as relation, name, types from (values
          (1, 'id', 'uuid'), (1, 'user_id', 'uuid'), (1, 'language', 'text|enum'), (1, 'level', 'text|enum'),
          (1, 'status', 'text|enum'), (1, 'title', 'text'), (1, 'created_at', 'timestamp with time zone'),
          (1, 'updated_at', 'timestamp with time zone'), (1, 'last_accessed', 'timestamp with time zone'),
          (2, 'id', 'uuid'), (2, 'session_id', 'uuid'), (2, 'user_id', 'uuid'), (2, 'type', 'text|enum'),
          (2, 'sequence_number', 'integer'), (2, 'content', 'text'), (2, 'created_at', 'timestamp with time zone')
        ) as known_columns (place, name, types)
      ) wanted
      full join (
        select a.attrelid, a.attname, a.atttypid, a.atttypmod,
               case when t.typtype = 'e' then 'enum' when t.typname = 'varchar' then 'text' else format_type(t.oid, null) end as kind
          from pg_attribute a join pg_type t on t.oid = a.atttypid
         where a.attrelid = any (flat_tables) and a.attnum > 0
      ) a on a.attrelid = wanted.relation and a.attname = wanted.name
     where a.attname is null or wanted.name is null or a.kind <> all (string_to_array(wanted.types, '|'))
    union all
    select format('%s has the constraint %s', c.conrelid::regclass, c.conname)
      from pg_constraint c
     where c.conrelid = any (flat_tables) and c.contype <> 'n' and c.conname <> all (replaced_constraints)
    union all
    select format('%s has the unique index %s', i.indrelid::regclass, i.indexrelid::regclass)
      from pg_index i
     where i.indrelid = any (flat_tables) and i.indisunique
       and not exists (select from pg_constraint c where c.conindid = i.indexrelid)
    union all
    select format('%s has the trigger %s', t.tgrelid::regclass, t.tgname)
      from pg_trigger t where t.tgrelid = any (flat_tables) and not t.tgisinternal
    union all
    select format('%s has the policy %s', p.polrelid::regclass, p.polname)
      from pg_policy p where p.polrelid = any (flat_tables)
    union all
    select format('%s grants privileges to %s', c.oid::regclass, case when a.grantee = 0 then 'PUBLIC' else pg_get_userbyid(a.grantee) end)
      from pg_class c cross join lateral aclexplode(c.relacl) a
     where c.oid = any (flat_tables) and a.grantee <> c.relowner
       and (a.grantee = 0 or pg_get_userbyid(a.grantee) <> all (array['anon', 'authenticated', 'service_role', 'postgres']))
    union
    select format('%s grants privileges on column %s', a.attrelid::regclass, a.attname)
      from pg_attribute a where a.attrelid = any (flat_tables) and a.attacl is not null
    union
    select format('%s depends on %s',
             case d.classid when 'pg_rewrite'::regclass
               then (select pg_describe_object('pg_class'::regclass, r.ev_class, 0) from pg_rewrite r where r.oid = d.objid)
               else pg_describe_object(d.classid, d.objid, d.objsubid) end,
             c.oid::regclass)
      from pg_class c join pg_type t on t.oid = c.reltype
      join pg_depend d on (d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid)
                       or (d.refclassid = 'pg_type'::regclass and d.refobjid in (t.oid, t.typarray))
     where c.oid = any (flat_tables)
       and (d.refclassid = 'pg_type'::regclass and d.deptype = 'n'
            or d.classid = any (array['pg_rewrite', 'pg_proc', 'pg_policy', 'pg_publication_rel', 'pg_statistic_ext']::regclass[]))
       and not (d.classid = 'pg_policy'::regclass and exists (
         select from pg_policy p where p.oid = d.objid and p.polrelid = any (flat_tables)))
    union all
    select format('%s inherits from %s', i.inhrelid::regclass, i.inhparent::regclass)
      from pg_inherits i where i.inhrelid = any (flat_tables) or i.inhparent = any (flat_tables)
    union all
    select format('%s refers to more than the key of %s', c.conrelid::regclass, c.confrelid::regclass)
      from pg_constraint c
     where c.confrelid = any (flat_tables) and c.conrelid <> all (flat_tables) and not exists (
       select from pg_attribute a where a.attrelid = c.confrelid and c.confkey = array[a.attnum] and a.attname = 'id')
  ) found (obstacle);
  if obstacles is not null then
    raise exception using
      errcode = 'feature_not_supported',
      message = 'The tables hold things that this file does not know and would lose. Nothing was changed.',
      detail = array_to_string(obstacles, E'\n'),
      hint = 'Use `tandem migrate`, which carries most of this over, or remove it before and make it again afterwards.';
  end if;

  select array_agg(format('%s has %s rows whose %s is %s', bad.place, bad.amount, bad.what, coalesce(quote_literal(bad.value), 'null')) order by bad.place, bad.what, bad.value)
    into obstacles from (
      select 'public.sessions' as place, what, value, count(*) as amount
        from public.sessions s cross join lateral (values
          ('language', s.language::text, array['en', 'es', 'fr', 'de']),
          ('level', s.level::text, array['beginner', 'intermediate', 'advanced']),
          ('status', s.status::text, array['active', 'archived', 'deleted'])
        ) v (what, value, labels)
       where (value = any (labels)) is not true group by what, value
      union all
      select 'public.messages', 'type', m.type::text, count(*)
        from public.messages m where (m.type::text = any (array['text', 'audio', 'system'])) is not true group by m.type::text
      union all
      select 'public.sessions', 'id, user_id or a time', null, count(*)
        from public.sessions s
       where num_nulls(s.id, s.user_id, s.created_at, s.updated_at, s.last_accessed) > 0 having count(*) > 0
      union all
      select 'public.messages', 'id, session_id, user_id, sequence_number, content or created_at', null, count(*)
        from public.messages m
       where num_nulls(m.id, m.session_id, m.user_id, m.sequence_number, m.content, m.created_at) > 0 having count(*) > 0
      union all
      select 'public.messages', 'session_id', 'the id of no session', count(*)
        from public.messages m
       where m.session_id is not null and not exists (select from public.sessions s where s.id = m.session_id) having count(*) > 0
    ) bad;
  if obstacles is not null then
    raise exception using
      errcode = 'data_exception',
      message = 'Some rows do not fit the new tables. Nothing was changed.',
      detail = array_to_string(obstacles, E'\n'),
      hint = 'Mend these rows, or use `tandem migrate`, whose plan file can map their values.';
  end if;

  -- What is kept besides the rows: indexes that the new tables do not have anyway, and comments.
  select array_agg(pg_get_indexdef(i.indexrelid) order by c.relname) into kept_indexes
    from pg_index i join pg_class c on c.oid = i.indexrelid
   where i.indrelid = any (flat_tables) and not i.indisunique and c.relname <> all (array[
     'messages_session_id_idx', 'messages_sequence_number_idx', 'messages_user_id_created_at_idx', 'messages_newest_idx', 'messages_content_search_idx']);
  select array_agg(case when a.attname is null then format('comment on table %s is %L', d.objoid::regclass, d.description)
                        else format('comment on column %s.%I is %L', d.objoid::regclass, a.attname, d.description) end)
    into kept_comments
    from pg_description d left join pg_attribute a on a.attrelid = d.objoid and a.attnum = d.objsubid and a.attnum > 0
   where d.classoid = 'pg_class'::regclass and d.objoid = any (flat_tables);

  ------------------------------------------------------------------------------------------------------------------
  -- The flat tables step aside with their indexes and constraints, so that all names are free.

  -- DROP ... IF EXISTS below would remark on everything that a new table does not have yet.
  perform set_config('client_min_messages', 'warning', true);

  create schema tandem_flat;
  alter table public.messages set schema tandem_flat;
  alter table public.sessions set schema tandem_flat;

  ------------------------------------------------------------------------------------------------------------------
  -- The new tables.

-- The partitioned table, its partitions and the registry of session ids, without any key or index: they are built once
-- the rows are in. Constraints on single columns carry the names that they would have in a table called sessions,
-- whatever the table is called while it is being filled.

do $do$
begin
  if to_regnamespace('private') is null then
    create schema private;
    comment on schema private is 'Helpers of the tables. Not exposed by the API, and no API role may use it.';
    revoke all on schema private from public, anon, authenticated, service_role;
  end if;
end
$do$;

create table "public"."sessions" (
  "id" uuid constraint sessions_id_not_null not null default gen_random_uuid(),
  "user_id" uuid constraint sessions_user_id_not_null not null,
  "language" "public".session_language constraint sessions_language_not_null not null,
  "level" "public".session_level constraint sessions_level_not_null not null,
  "status" "public".session_status constraint sessions_status_not_null not null default 'active',
  "title" text,
  "created_at" timestamptz constraint sessions_created_at_not_null not null default now(),
  "updated_at" timestamptz constraint sessions_updated_at_not_null not null default now(),
  "last_accessed" timestamptz constraint sessions_last_accessed_not_null not null default now()
) partition by list ("status");

create table "public"."sessions_active" partition of "public"."sessions" for values in ('active');
create table "public"."sessions_archived" partition of "public"."sessions" for values in ('archived');
create table "public"."sessions_deleted" partition of "public"."sessions" for values in ('deleted');

comment on table "public"."sessions" is 'Practice sessions, partitioned by status.';

-- A partition that is queried directly does not ask its parent's policies: each has its own switch, and no policy.
alter table "public"."sessions" enable row level security;
alter table "public"."sessions_active" enable row level security;
alter table "public"."sessions_archived" enable row level security;
alter table "public"."sessions_deleted" enable row level security;

revoke all on
  "public"."sessions",
  "public"."sessions_active",
  "public"."sessions_archived",
  "public"."sessions_deleted"
from public, anon, authenticated, service_role;

create table private.session_keys (
  id uuid not null,
  status "public".session_status not null,
  language "public".session_language not null
);

comment on table private.session_keys is
  'One row per session, whatever its partition: makes its id unique, is what messages refer to, and tells them their language. Kept by triggers.';

alter table private.session_keys enable row level security;
revoke all on private.session_keys from public, anon, authenticated, service_role;

-- How each language is read by the search: accents off first, then the stemmer of the language. The stemmers alone want
-- every accent typed, and few people who search do.

do $do$
declare
  accents text;
  configuration record;
begin
  if not exists (select from pg_catalog.pg_extension where extname = 'unaccent') then
    begin
      -- Supabase keeps extensions in a schema of their own.
      execute format('create extension unaccent schema %I',
        case when to_regnamespace('extensions') is null then 'private' else 'extensions' end);
    exception
      when insufficient_privilege or feature_not_supported or undefined_file then
        raise warning 'unaccent cannot be installed (%): words are found only with the accents that they are written with', sqlerrm
          using hint = 'Afterwards: CREATE EXTENSION unaccent, and docs/search.md says how messages come by it.';
    end;
  end if;

  -- The dictionary wherever the extension stands; it only filters, and hands its word on to the next one.
  select d.oid::regdictionary || ', ' into accents
    from pg_catalog.pg_extension e
    join pg_catalog.pg_depend part on part.refclassid = 'pg_catalog.pg_extension'::regclass and part.refobjid = e.oid
                                  and part.classid = 'pg_catalog.pg_ts_dict'::regclass and part.deptype = 'e'
    join pg_catalog.pg_ts_dict d on d.oid = part.objid
   where e.extname = 'unaccent';

  for configuration in
    select * from (values ('search_en', 'english'), ('search_es', 'spanish'), ('search_fr', 'french'), ('search_de', 'german'))
      as configurations (name, language)
  loop
    continue when exists (select from pg_catalog.pg_ts_config
                           where cfgname = configuration.name and cfgnamespace = 'private'::regnamespace);
    execute format('create text search configuration private.%I (copy = pg_catalog.%I)', configuration.name, configuration.language);
    execute format('alter text search configuration private.%I alter mapping for hword, hword_part, word with %s pg_catalog.%I',
      configuration.name, coalesce(accents, ''), configuration.language || '_stem');
    execute format('comment on text search configuration private.%I is %L', configuration.name,
      format('Accents off, then the stemmer for %s.', initcap(configuration.language)));
  end loop;

  if not exists (select from pg_catalog.pg_ts_config where cfgname = 'search_words' and cfgnamespace = 'private'::regnamespace) then
    create text search configuration private.search_words (parser = pg_catalog.default);
    execute format('alter text search configuration private.search_words add mapping for asciiword, word, hword_asciipart, hword_part with %s pg_catalog.simple',
      coalesce(accents, ''));
    comment on text search configuration private.search_words is 'Words as they are written, without accents: no numbers, no addresses.';
  end if;
end
$do$;

-- The new messages, without any key or index: they are built once the rows are in.

-- A function and not a CASE in the column's expression: it can be improved in this one place and rows be refreshed bit
-- by bit (UPDATE ... SET content = content), where a changed expression rewrites the whole table under an exclusive lock.
-- IMMUTABLE holds as long as the configurations are not altered. With its owner's rights: whoever writes a message needs none
-- on the schema of the configurations. In plpgsql, since SQL with a search_path of its own takes half as long again.
--
-- Spanish and French have each word twice at its position, stemmed with its accents and without: the stemmers take an
-- ending such as -cion for one only with its accent, and most who search type none.
--
-- A tsvector cannot exceed 1 MB, and a longer message must not be refused because of it: its beginning is indexed.
create or replace function private.to_search(language "public".session_language, content text) returns tsvector
language plpgsql immutable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  return case
    when language = 'en' then to_tsvector('private.search_en'::regconfig, left(content, 60000))
    when language = 'de' then to_tsvector('private.search_de'::regconfig, left(content, 60000))
    -- In ASCII alone there is no accent, and both readings are one.
    when language = 'es' and octet_length(left(content, 60000)) = length(left(content, 60000))
      then to_tsvector('private.search_es'::regconfig, left(content, 60000))
    when language = 'fr' and octet_length(left(content, 60000)) = length(left(content, 60000))
      then to_tsvector('private.search_fr'::regconfig, left(content, 60000))
    -- By way of text, since || would move the second reading behind the first.
    when language = 'es'
      then (to_tsvector('pg_catalog.spanish'::regconfig, left(content, 60000))::text || ' '
            || to_tsvector('private.search_es'::regconfig, left(content, 60000))::text)::tsvector
    when language = 'fr'
      then (to_tsvector('pg_catalog.french'::regconfig, left(content, 60000))::text || ' '
            || to_tsvector('private.search_fr'::regconfig, left(content, 60000))::text)::tsvector
  end;
end
$function$;

revoke all on function private.to_search("public".session_language, text) from anon, authenticated, service_role;

comment on function private.to_search("public".session_language, text) is
  'What messages.content_search holds. Everyone who may write a message executes it, so it stays open to PUBLIC.';

create table "public"."messages" (
  "id" uuid constraint messages_id_not_null not null default gen_random_uuid(),
  "session_id" uuid constraint messages_session_id_not_null not null,
  "user_id" uuid constraint messages_user_id_not_null not null,
  "type" "public".message_type constraint messages_type_not_null not null default 'text',
  "sequence_number" integer constraint messages_sequence_number_not_null not null,
  "content" text constraint messages_content_not_null not null,
  "created_at" timestamptz constraint messages_created_at_not_null not null default now(),
  language "public".session_language constraint messages_language_not_null not null,
  content_search tsvector generated always as (private.to_search(language, "content")) stored
);

comment on table "public"."messages" is 'Messages of the practice sessions.';
comment on column "public"."messages".language is 'The language of the session, kept by triggers: it decides how the content is searched.';

alter table "public"."messages" enable row level security;
revoke all on "public"."messages" from public, anon, authenticated, service_role;

  foreach kept_statement in array coalesce(kept_comments, '{}') loop
    execute kept_statement;
  end loop;

  ------------------------------------------------------------------------------------------------------------------
  -- The rows.

  insert into public.sessions (id, user_id, language, level, status, title, created_at, updated_at, last_accessed)
  select s.id, s.user_id, s.language::text::public.session_language, s.level::text::public.session_level,
         s.status::text::public.session_status, s.title, s.created_at, s.updated_at, s.last_accessed
    from tandem_flat.sessions s;

  insert into public.messages (id, session_id, user_id, type, sequence_number, content, created_at, language)
  select m.id, m.session_id, m.user_id, m.type::text::public.message_type, m.sequence_number, m.content, m.created_at,
         s.language::text::public.session_language
    from tandem_flat.messages m join tandem_flat.sessions s on s.id = m.session_id;

  ------------------------------------------------------------------------------------------------------------------
  -- Keys, indexes, the registry of session ids.

-- Keys, indexes and the registry of the filled sessions. Nobody but the move itself writes to them yet.

insert into private.session_keys (id, status, language)
select "id", "status", "language" from "public"."sessions";

alter table private.session_keys add constraint session_keys_pkey primary key (id);
alter table private.session_keys add constraint session_keys_id_status_key unique (id, status);

alter table "public"."sessions" add constraint sessions_pkey primary key ("id", "status");

-- A key of a partitioned table must contain the partition key, so the primary key alone would let one id stand in two
-- partitions. The registry has each id once, with one status: this reference refuses the second row. Deferred, because
-- a change of status changes both sides.
alter table "public"."sessions" add constraint sessions_id_status_fkey
  foreign key ("id", "status") references private.session_keys (id, status)
  deferrable initially deferred;

create index sessions_active_user_id_idx on "public"."sessions_active" ("user_id");
create index sessions_active_last_accessed_idx on "public"."sessions_active" ("last_accessed");
create index sessions_archived_user_id_idx on "public"."sessions_archived" ("user_id");
create index sessions_archived_last_accessed_idx on "public"."sessions_archived" ("last_accessed");
-- Without it, deleting a user would scan every deleted session.
create index sessions_deleted_user_id_idx on "public"."sessions_deleted" ("user_id");

-- A change of status is a DELETE and an INSERT to a partitioned table, and this runs between the two: before the
-- trigger on DELETE looks, the registry has the new status. It must be a BEFORE trigger for just that reason.
create or replace function private.session_key_put() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  insert into private.session_keys as k (id, status, language)
  values (new."id", new."status", new."language")
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
  delete from private.session_keys k where k.id = old."id" and k.status = old."status";
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
     set id = new."id", status = new."status", language = new."language"
   where k.id = old."id";
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
  perform from private.session_keys k where k.id = new."id" for update;
  update private.session_keys k set language = new."language" where k.id = new."id";
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
create trigger zz_session_key_put before insert on "public"."sessions"
  for each row execute function private.session_key_put();
create trigger session_key_remove after delete on "public"."sessions"
  for each row execute function private.session_key_remove();
create trigger zz_session_key_rename before update on "public"."sessions"
  for each row when (old."id" is distinct from new."id")
  execute function private.session_key_rename();
create trigger session_key_set_language after update on "public"."sessions"
  for each row when (old."language" is distinct from new."language")
  execute function private.session_key_set_language();

-- ALWAYS: a writer with session_replication_role = replica would otherwise leave the registry behind.
alter table "public"."sessions" enable always trigger zz_session_key_put;
alter table "public"."sessions" enable always trigger session_key_remove;
alter table "public"."sessions" enable always trigger zz_session_key_rename;
alter table "public"."sessions" enable always trigger session_key_set_language;

analyze private.session_keys;
analyze "public"."sessions";

-- Keys and indexes of the filled messages.

alter table "public"."messages" add constraint messages_pkey primary key ("id");

create index messages_session_id_idx on "public"."messages" ("session_id");
create index messages_sequence_number_idx on "public"."messages" ("session_id", "sequence_number");
create index messages_user_id_created_at_idx on "public"."messages" ("user_id", "created_at" desc);
-- For the newest messages of all users, which a search by service_role looks through first.
create index messages_newest_idx on "public"."messages" ("created_at" desc);
-- One user's messages with a word, from one index. The user as an array, because GIN has an operator class for arrays
-- without any extension; and because no btree can serve that condition, none is taken for it by mistake.
-- fastupdate off: a pending list makes some searches slow and some inserts very slow.
create index messages_content_search_idx on "public"."messages"
  using gin ((array["user_id"]), content_search) with (fastupdate = off);

analyze "public"."messages";

-- For the plain files. Online the same constraints are added NOT VALID and validated afterwards.

alter table "public"."sessions" add constraint sessions_user_id_fkey
  foreign key ("user_id") references auth.users (id) on delete cascade;
alter table "public"."messages" add constraint messages_session_id_fkey
  foreign key ("session_id") references private.session_keys (id) on delete cascade;
alter table "public"."messages" add constraint messages_user_id_fkey
  foreign key ("user_id") references auth.users (id) on delete cascade;

  foreach kept_statement in array coalesce(kept_indexes, '{}') loop
    execute replace(kept_statement, ' ON tandem_flat.', ' ON public.');
  end loop;

  ------------------------------------------------------------------------------------------------------------------
  -- Other tables that referred to the flat ones refer to the new ones, under the same names and rules: to messages
  -- itself, but to the registry for sessions, whose own key is not the id alone.

  for pointing in
    select c.conname, c.conrelid::regclass as relation, replace(replace(pg_get_constraintdef(c.oid),
             ' REFERENCES tandem_flat.sessions(', ' REFERENCES private.session_keys('),
             ' REFERENCES tandem_flat.messages(', ' REFERENCES public.messages(') as definition
      from pg_constraint c
     where c.contype = 'f' and c.confrelid = any (flat_tables) and c.conrelid <> all (flat_tables) and c.conparentid = 0
  loop
    execute format('alter table %s drop constraint %I', pointing.relation, pointing.conname);
    execute format('alter table %s add constraint %I %s', pointing.relation, pointing.conname, pointing.definition);
  end loop;

  ------------------------------------------------------------------------------------------------------------------
  -- Every column of every row, both ways: EXCEPT ALL finds a missing row, a changed one and one too many.

  select count(*) into differing from (
    (select id, user_id, language::text, level::text, status::text, title::text, created_at, updated_at, last_accessed from tandem_flat.sessions
     except all
     select id, user_id, language::text, level::text, status::text, title, created_at, updated_at, last_accessed from public.sessions)
    union all
    (select id, user_id, language::text, level::text, status::text, title, created_at, updated_at, last_accessed from public.sessions
     except all
     select id, user_id, language::text, level::text, status::text, title::text, created_at, updated_at, last_accessed from tandem_flat.sessions)
  ) difference;
  if differing > 0 then
    raise exception '% rows of sessions differ from the flat table. Nothing was changed.', differing;
  end if;

  select count(*) into differing from (
    (select id, session_id, user_id, type::text, sequence_number, content::text, created_at from tandem_flat.messages
     except all
     select id, session_id, user_id, type::text, sequence_number, content, created_at from public.messages)
    union all
    (select id, session_id, user_id, type::text, sequence_number, content, created_at from public.messages
     except all
     select id, session_id, user_id, type::text, sequence_number, content::text, created_at from tandem_flat.messages)
  ) difference;
  if differing > 0 then
    raise exception '% rows of messages differ from the flat table. Nothing was changed.', differing;
  end if;
  if exists (select from public.messages m join public.sessions s on s.id = m.session_id where m.language <> s.language) then
    raise exception 'Some messages have another language than their session. Nothing was changed.';
  end if;

  drop table tandem_flat.messages;
  drop table tandem_flat.sessions;
  drop schema tandem_flat;

  ------------------------------------------------------------------------------------------------------------------
  -- Triggers, row security, statistics, search.

-- What keeps messages right while applications write to them. Runs in the moment of the cutover, under the final names:
-- everything here only writes to the catalog.

-- An application need not know the column language, nor count its messages.
create or replace function private.message_complete() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $function$
declare
  session_language "public".session_language;
begin
  if tg_op = 'INSERT' and new."sequence_number" is null then
    -- One writer at a time per session, or two would get one number. Does not hold up writers who bring a number.
    select k.language into session_language from private.session_keys k
     where k.id = new."session_id" for no key update;
    new."sequence_number" := (
      select coalesce(max(m."sequence_number"), 0) + 1 from "public"."messages" m
       where m."session_id" = new."session_id"
    );
  else
    -- The lock that the foreign key takes anyway, taken earlier: the language cannot change under our feet.
    select k.language into session_language from private.session_keys k
     where k.id = new."session_id" for key share;
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
  update "public"."messages" m set language = new.language
   where m."session_id" = new.id and m.language is distinct from new.language;
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
  if exists (select from "public"."sessions" s where s."id" = old.id and s."status" = old.status) then
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
    select from private.session_keys k join "public"."messages" m on m."session_id" = k.id
     where not exists (select from "public"."sessions" s where s."id" = k.id and s."status" = k.status)
  ) then
    raise exception using
      errcode = 'feature_not_supported',
      message = format('Cannot truncate %I: there are messages of its sessions.', tg_table_name),
      hint = 'Truncate sessions and messages in one command, or delete the sessions.';
  end if;
  delete from private.session_keys k
   where not exists (select from "public"."sessions" s where s."id" = k.id and s."status" = k.status);
  return null;
end
$function$;

revoke all on function
  private.message_complete(),
  private.messages_follow_language(),
  private.session_key_guard(),
  private.session_keys_truncate()
from public, anon, authenticated, service_role;

create trigger message_complete before insert on "public"."messages"
  for each row execute function private.message_complete();
create trigger message_refresh_language before update on "public"."messages"
  for each row when (
    old."session_id" is distinct from new."session_id"
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
create trigger session_keys_truncate after truncate on "public"."sessions"
  for each statement execute function private.session_keys_truncate();
create trigger session_keys_truncate after truncate on "public"."sessions_active"
  for each statement execute function private.session_keys_truncate();
create trigger session_keys_truncate after truncate on "public"."sessions_archived"
  for each statement execute function private.session_keys_truncate();
create trigger session_keys_truncate after truncate on "public"."sessions_deleted"
  for each statement execute function private.session_keys_truncate();

-- ALWAYS, as the triggers that keep the registry.
alter table private.session_keys enable always trigger messages_follow_language;
alter table private.session_keys enable always trigger session_key_guard;
alter table "public"."sessions" enable always trigger session_keys_truncate;
alter table "public"."sessions_active" enable always trigger session_keys_truncate;
alter table "public"."sessions_archived" enable always trigger session_keys_truncate;
alter table "public"."sessions_deleted" enable always trigger session_keys_truncate;

-- Who may do what with sessions: a signed-in user with their own rows, service_role with all, anon nothing. Policies hang
-- on the table itself and not on its name: they stand before the cutover, and there is no moment without them.
-- (select auth.uid()): evaluated once per statement, not once per row.

drop policy if exists sessions_select_own on "public"."sessions";
create policy sessions_select_own on "public"."sessions" for select to authenticated
  using ("user_id" = (select auth.uid()));

drop policy if exists sessions_insert_own on "public"."sessions";
create policy sessions_insert_own on "public"."sessions" for insert to authenticated
  with check ("user_id" = (select auth.uid()));

-- USING: which rows. WITH CHECK: what becomes of them, or a row could be handed to somebody else. PostgreSQL takes USING for
-- both where there is no WITH CHECK, until somebody widens USING.
drop policy if exists sessions_update_own on "public"."sessions";
create policy sessions_update_own on "public"."sessions" for update to authenticated
  using ("user_id" = (select auth.uid()))
  with check ("user_id" = (select auth.uid()));

drop policy if exists sessions_delete_own on "public"."sessions";
create policy sessions_delete_own on "public"."sessions" for delete to authenticated
  using ("user_id" = (select auth.uid()));

-- From each relation by name, and first of all: default privileges (Supabase's are such) may have opened it to everyone.
revoke all on
  "public"."sessions",
  "public"."sessions_active",
  "public"."sessions_archived",
  "public"."sessions_deleted",
  private.session_keys
from public, anon, authenticated, service_role;

grant select, insert, update, delete on "public"."sessions" to authenticated;
-- The partitions stay closed to the API, service_role as well: whoever goes through their parent needs no privilege on
-- them. So does the registry: only triggers write to it.
grant all on "public"."sessions" to service_role;

-- Who may do what with messages. Foreign keys do not ask row security: that a message goes into a session of the
-- caller's own is for the policy to see to.

drop policy if exists messages_select_own on "public"."messages";
create policy messages_select_own on "public"."messages" for select to authenticated
  using ("user_id" = (select auth.uid()));

drop policy if exists messages_insert_own on "public"."messages";
create policy messages_insert_own on "public"."messages" for insert to authenticated
  with check (
    "user_id" = (select auth.uid())
    and exists (
      select from "public"."sessions" as own_session
       where own_session."id" = "public"."messages"."session_id" and own_session."user_id" = (select auth.uid())
    )
  );

drop policy if exists messages_update_own on "public"."messages";
create policy messages_update_own on "public"."messages" for update to authenticated
  using ("user_id" = (select auth.uid()))
  with check (
    "user_id" = (select auth.uid())
    and exists (
      select from "public"."sessions" as own_session
       where own_session."id" = "public"."messages"."session_id" and own_session."user_id" = (select auth.uid())
    )
  );

drop policy if exists messages_delete_own on "public"."messages";
create policy messages_delete_own on "public"."messages" for delete to authenticated
  using ("user_id" = (select auth.uid()));

revoke all on "public"."messages" from public, anon, authenticated, service_role;
grant select, insert, update, delete on "public"."messages" to authenticated;
grant all on "public"."messages" to service_role;

-- Who may do what with feedback: whoever may see the message. Runs at the cutover under the final names: a policy refers
-- to the table it was created with, and would go on reading the retired messages.

drop policy if exists message_feedback_select_own on "public".message_feedback;
create policy message_feedback_select_own on "public".message_feedback for select to authenticated
  using (exists (
    select from "public"."messages" as own_message
     where own_message."id" = "public".message_feedback.message_id and own_message."user_id" = (select auth.uid())
  ));

drop policy if exists message_feedback_insert_own on "public".message_feedback;
create policy message_feedback_insert_own on "public".message_feedback for insert to authenticated
  with check (exists (
    select from "public"."messages" as own_message
     where own_message."id" = "public".message_feedback.message_id and own_message."user_id" = (select auth.uid())
  ));

drop policy if exists message_feedback_update_own on "public".message_feedback;
create policy message_feedback_update_own on "public".message_feedback for update to authenticated
  using (exists (
    select from "public"."messages" as own_message
     where own_message."id" = "public".message_feedback.message_id and own_message."user_id" = (select auth.uid())
  ))
  with check (exists (
    select from "public"."messages" as own_message
     where own_message."id" = "public".message_feedback.message_id and own_message."user_id" = (select auth.uid())
  ));

drop policy if exists message_feedback_delete_own on "public".message_feedback;
create policy message_feedback_delete_own on "public".message_feedback for delete to authenticated
  using (exists (
    select from "public"."messages" as own_message
     where own_message."id" = "public".message_feedback.message_id and own_message."user_id" = (select auth.uid())
  ));

revoke all on "public".message_feedback from public, anon, authenticated, service_role;
grant select, insert, update, delete on "public".message_feedback to authenticated;
grant all on "public".message_feedback to service_role;

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
  select message."session_id" as session_id, message."type" as type, message."created_at" as created_at,
    null::smallint as overall_score, null::smallint as grammar_score, null::smallint as vocabulary_score,
    null::smallint as fluency_score, null::smallint as pronunciation_score
  from "public"."messages" message
  union all
  -- Apart from the messages: joined to them, a message with two feedbacks would count twice.
  select message."session_id", null, null, feedback.overall_score, feedback.grammar_score, feedback.vocabulary_score,
    feedback.fluency_score, feedback.pronunciation_score
  from "public".message_feedback feedback join "public"."messages" message on message."id" = feedback.message_id
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
    select n."session_id",
      -- Without foreign keys, there may be feedback already that waited for its message.
      pg_catalog.current_setting('session_replication_role') = 'replica',
      count(*),
      count(*) filter (where n."type" = 'text'),
      count(*) filter (where n."type" = 'audio'),
      count(*) filter (where n."type" = 'system'),
      min(n."created_at"),
      max(n."created_at")
    from new_rows n
    group by n."session_id";
  elsif tg_op = 'UPDATE' then
    -- A message without its like in the same session has moved, and its feedback with it. One with another time may have
    -- been the first or the last.
    insert into private.session_changes (session_id, recount, text_messages, audio_messages, system_messages)
    select c.session_id, bool_or(c.recount), sum(c.text_messages), sum(c.audio_messages), sum(c.system_messages)
    from (
      select
        coalesce(n."session_id", o."session_id") as session_id,
        (o."created_at" = n."created_at") is not true as recount,
        coalesce((n."type" = 'text')::integer - (o."type" = 'text')::integer, 0) as text_messages,
        coalesce((n."type" = 'audio')::integer - (o."type" = 'audio')::integer, 0) as audio_messages,
        coalesce((n."type" = 'system')::integer - (o."type" = 'system')::integer, 0) as system_messages
      from old_rows o
        full join new_rows n on n."id" = o."id" and n."session_id" = o."session_id"
      where (o."created_at" = n."created_at" and o."type" = n."type") is not true
    ) c
    group by c.session_id;
  elsif tg_op = 'DELETE' then
    -- Which message is the first or the last now, only the others can tell.
    insert into private.session_changes (session_id, recount)
    select distinct o."session_id", true from old_rows o;
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
    select m."session_id",
      coalesce(sum(n.overall_score), 0), count(n.overall_score),
      coalesce(sum(n.grammar_score), 0), count(n.grammar_score),
      coalesce(sum(n.vocabulary_score), 0), count(n.vocabulary_score),
      coalesce(sum(n.fluency_score), 0), count(n.fluency_score),
      coalesce(sum(n.pronunciation_score), 0), count(n.pronunciation_score)
    from new_rows n join "public"."messages" m on m."id" = n.message_id
    group by m."session_id";
  elsif tg_op = 'DELETE' then
    insert into private.session_changes
      (session_id, overall_sum, overall_count, grammar_sum, grammar_count, vocabulary_sum, vocabulary_count,
       fluency_sum, fluency_count, pronunciation_sum, pronunciation_count)
    select m."session_id",
      - coalesce(sum(o.overall_score), 0), - count(o.overall_score),
      - coalesce(sum(o.grammar_score), 0), - count(o.grammar_score),
      - coalesce(sum(o.vocabulary_score), 0), - count(o.vocabulary_score),
      - coalesce(sum(o.fluency_score), 0), - count(o.fluency_score),
      - coalesce(sum(o.pronunciation_score), 0), - count(o.pronunciation_score)
    from old_rows o join "public"."messages" m on m."id" = o.message_id
    group by m."session_id";
  elsif tg_op = 'UPDATE' then
    insert into private.session_changes
      (session_id, overall_sum, overall_count, grammar_sum, grammar_count, vocabulary_sum, vocabulary_count,
       fluency_sum, fluency_count, pronunciation_sum, pronunciation_count)
    select c.* from (
      select m."session_id",
        coalesce(sum(w.sign * w.overall_score), 0) as overall_sum, coalesce(sum(w.sign) filter (where w.overall_score is not null), 0) as overall_count,
        coalesce(sum(w.sign * w.grammar_score), 0) as grammar_sum, coalesce(sum(w.sign) filter (where w.grammar_score is not null), 0) as grammar_count,
        coalesce(sum(w.sign * w.vocabulary_score), 0) as vocabulary_sum, coalesce(sum(w.sign) filter (where w.vocabulary_score is not null), 0) as vocabulary_count,
        coalesce(sum(w.sign * w.fluency_score), 0) as fluency_sum, coalesce(sum(w.sign) filter (where w.fluency_score is not null), 0) as fluency_count,
        coalesce(sum(w.sign * w.pronunciation_score), 0) as pronunciation_sum, coalesce(sum(w.sign) filter (where w.pronunciation_score is not null), 0) as pronunciation_count
      from (
        select 1 as sign, n.message_id, n.overall_score, n.grammar_score, n.vocabulary_score, n.fluency_score, n.pronunciation_score from new_rows n
        union all
        select -1, o.message_id, o.overall_score, o.grammar_score, o.vocabulary_score, o.fluency_score, o.pronunciation_score from old_rows o
      ) w join "public"."messages" m on m."id" = w.message_id
      group by m."session_id"
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
  perform from "public"."messages" m where m."id" = old."id" for update;
  update "public".message_feedback f set message_id = f.message_id where f.message_id = old."id";
  return new;
end
$function$;

revoke all on function
  private.messages_note_changes(),
  private.feedback_note_changes(),
  private.message_move_feedback()
from public, anon, authenticated, service_role;

-- Feedback before messages: the order in which an application's own statements come by these locks.
create or replace trigger session_changes_insert after insert on "public".message_feedback
  referencing new table as new_rows for each statement execute function private.feedback_note_changes();
create or replace trigger session_changes_update after update on "public".message_feedback
  referencing old table as old_rows new table as new_rows for each statement execute function private.feedback_note_changes();
create or replace trigger session_changes_delete after delete on "public".message_feedback
  referencing old table as old_rows for each statement execute function private.feedback_note_changes();
create or replace trigger session_changes_truncate after truncate on "public".message_feedback
  for each statement execute function private.feedback_note_changes();

create or replace trigger session_changes_insert after insert on "public"."messages"
  referencing new table as new_rows for each statement execute function private.messages_note_changes();
create or replace trigger session_changes_update after update on "public"."messages"
  referencing old table as old_rows new table as new_rows for each statement execute function private.messages_note_changes();
create or replace trigger session_changes_delete after delete on "public"."messages"
  referencing old table as old_rows for each statement execute function private.messages_note_changes();
create or replace trigger session_changes_truncate after truncate on "public"."messages"
  for each statement execute function private.messages_note_changes();
-- The last of the BEFORE triggers, which fire in the order of their names: an application's own may move the message.
create or replace trigger zz_session_changes_move before update on "public"."messages"
  for each row when (old."session_id" is distinct from new."session_id")
  execute function private.message_move_feedback();

-- ALWAYS: what is written with session_replication_role = replica counts as well.
alter table "public".message_feedback enable always trigger session_changes_insert;
alter table "public".message_feedback enable always trigger session_changes_update;
alter table "public".message_feedback enable always trigger session_changes_delete;
alter table "public".message_feedback enable always trigger session_changes_truncate;
alter table "public"."messages" enable always trigger session_changes_insert;
alter table "public"."messages" enable always trigger session_changes_update;
alter table "public"."messages" enable always trigger session_changes_delete;
alter table "public"."messages" enable always trigger session_changes_truncate;
alter table "public"."messages" enable always trigger zz_session_changes_move;

-- What was there before the triggers was noted by nobody. The triggers have waited for whoever was writing: all that a
-- later snapshot cannot see is in the queue.
insert into private.session_changes (session_id, recount)
select null, true from private.session_rollup_state s
 where s.version = 0 and not exists (select from private.session_changes c where c.session_id is null);

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

create materialized view if not exists "public".session_stats as
select
  s."user_id" as user_id,
  s."status" as status,
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
  least(min(s."created_at"), min(r.first_message)) as first_activity,
  greatest(max(s."last_accessed"), max(r.last_message)) as last_activity
from "public"."sessions" s left join private.session_rollup r on r.session_id = s."id"
group by s."user_id", s."status"
with no data;

comment on materialized view "public".session_stats is
  'Sessions, messages and scores per user and status, as of the last refresh. Closed to the API: my_session_stats shows the caller''s own rows.';

-- REFRESH ... CONCURRENTLY needs it, and it finds one user's rows.
create unique index if not exists session_stats_user_status_idx on "public".session_stats (user_id, status);

-- A materialized view cannot have row security.
revoke all on "public".session_stats from public, anon, authenticated, service_role;
grant select on "public".session_stats to service_role;

-- The first refresh cannot be a concurrent one; later ones are (the keeper runs them).
do $do$
begin
  if not (select relispopulated from pg_catalog.pg_class where oid = $identifier$"public".session_stats$identifier$::regclass) then
    refresh materialized view "public".session_stats;
  end if;
end
$do$;

-- The caller's own figures, as of this moment and not of the last refresh: rollup and queue, for the caller's sessions.
create or replace function private.my_session_stats() returns setof "public".session_stats
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $function$
  select
    s."user_id",
    s."status",
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
    least(min(s."created_at"), min(f.first_message)),
    greatest(max(s."last_accessed"), max(f.last_message))
  from "public"."sessions" s
    left join private.session_figures(array(
      select own."id" from "public"."sessions" own where own."user_id" = (select auth.uid())
    )) f on f.session_id = s."id"
  where s."user_id" = (select auth.uid())
  group by s."user_id", s."status"
$function$;

revoke all on function private.my_session_stats() from public, anon, authenticated, service_role;
grant execute on function private.my_session_stats() to authenticated, service_role;

create or replace view "public".my_session_stats with (security_invoker = true) as
select
  status, sessions, messages, text_messages, audio_messages, system_messages,
  average_overall_score, average_grammar_score, average_vocabulary_score, average_fluency_score, average_pronunciation_score,
  first_activity, last_activity
from private.my_session_stats();

comment on view "public".my_session_stats is 'The caller''s own figures per status, as of this moment.';

revoke all on "public".my_session_stats from public, anon, authenticated, service_role;
grant select on "public".my_session_stats to authenticated, service_role;

-- The words that messages hold, so that a misspelt one can be corrected. No trigger keeps them: a message costs an
-- application nothing for it. A scheduler calls private.refresh_search_words.

-- The word, and what is left of it with any one letter taken out. Two words that are one slip apart - a letter missing,
-- added, changed or swapped with its neighbour - have one of these in common, and an index finds them by it.
create or replace function private.search_deletions(word text) returns text[]
language sql immutable strict parallel safe cost 1000
set search_path = pg_catalog, pg_temp
return array(select distinct left(word, place) || substr(word, place + 2) from generate_series(0, length(word) - 1) as places (place)) || word;

create table if not exists private.search_words (
  word text not null,
  messages bigint not null,
  constraint search_words_pkey primary key (word)
);

comment on table private.search_words is 'Words of the messages, and in how many each stands, as of the last private.refresh_search_words.';

create index if not exists search_words_deletions_idx on private.search_words using gin (private.search_deletions(word)) with (fastupdate = off);

alter table private.search_words enable row level security;
revoke all on private.search_words from public, anon, authenticated, service_role;

-- Without an argument it reads every message, and forgets words that none has any more. With one it only adds the words of
-- the messages since then. Writers are not kept waiting, and readers see the old words until it is done.
create or replace function private.refresh_search_words(since timestamptz default null) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $function$
declare
  read_messages constant text := format($query$
    select to_tsvector('private.search_words'::regconfig, left(m.%s, 60000)) from %s m where m.%s >= %L
  $query$, $identifier$"content"$identifier$, $identifier$"public"."messages"$identifier$, $identifier$"created_at"$identifier$, coalesce(since, '-infinity'));
  changed bigint;
begin
  -- One at a time: of two, the slower would put back what the faster has forgotten.
  lock table private.search_words in share row exclusive mode;
  with counted as materialized (
    select s.word, s.ndoc as messages from ts_stat(read_messages) s where length(s.word) between 4 and 30
  ), forgotten as (
    delete from private.search_words w
     where refresh_search_words.since is null and not exists (select from counted c where c.word = w.word)
    returning 1
  ), kept as (
    insert into private.search_words as w (word, messages) select c.word, c.messages from counted c
    on conflict on constraint search_words_pkey
      do update set messages = excluded.messages
      where case when refresh_search_words.since is null then w.messages <> excluded.messages else w.messages < excluded.messages end
    returning 1
  )
  select (select count(*) from forgotten) + (select count(*) from kept) into changed;
  return changed;
end
$function$;

comment on function private.refresh_search_words(timestamptz) is
  'Counts the words of the messages since a time, or of all, for the corrections that search_messages offers. To be called by a scheduler; returns how many words it wrote or forgot.';

-- The most likely spellings of a word: itself, where it is known, then those that stand in most messages.
create or replace function private.search_spellings(typed text) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $function$
begin
  return array(
    select w.word from private.search_words w
     where private.search_deletions(w.word) && private.search_deletions(typed)
     order by w.word = typed desc, abs(length(w.word) - length(typed)) > 1, w.messages desc, w.word limit 8
  );
end
$function$;

revoke all on function private.search_deletions(text), private.refresh_search_words(timestamptz), private.search_spellings(text)
from public, anon, authenticated, service_role;

-- What a typed query means in each language.

-- Lower case and without accents, where unaccent is installed: as private.search_words reads a word.
do $do$
declare
  dictionary record;
begin
  select n.nspname as schema, d.oid::regdictionary::text as name into dictionary
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    join pg_catalog.pg_depend part on part.refclassid = 'pg_catalog.pg_extension'::regclass and part.refobjid = e.oid
                                  and part.classid = 'pg_catalog.pg_ts_dict'::regclass and part.deptype = 'e'
    join pg_catalog.pg_ts_dict d on d.oid = part.objid
   where e.extname = 'unaccent';
  execute 'create or replace function private.search_plain(content text) returns text language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp return '
    || case when dictionary.name is null then 'lower(content)' else format('%I.unaccent(%L::regdictionary, lower(content))', dictionary.schema, dictionary.name) end;
end
$do$;

-- One query for several: repeats are left out, and those that no index can answer. A query of stop words only finds
-- nothing, and one that only excludes would find nearly everything.
create or replace function private.search_any_of(queries tsquery[]) returns tsquery
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $function$
declare
  one tsquery;
  seen text[] := '{}';
  result tsquery;
begin
  foreach one in array queries loop
    continue when one is null or querytree(one) in ('', 'T') or one::text = any (seen);
    seen := seen || one::text;
    result := coalesce(result || one, one);
  end loop;
  return result;
end
$function$;

-- Null where there is nothing to look for. The stemmer alone is asked as well as the one without accents: it knows stop
-- words with accents, and private.to_search has its stems for Spanish and French.
create or replace function private.search_reading(language "public".session_language, query text) returns tsquery
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $function$
begin
  return case language
    when 'en' then private.search_any_of(array[websearch_to_tsquery('private.search_en'::regconfig, query)])
    when 'es' then private.search_any_of(array[
      websearch_to_tsquery('pg_catalog.spanish'::regconfig, query), websearch_to_tsquery('private.search_es'::regconfig, query)])
    when 'fr' then private.search_any_of(array[
      websearch_to_tsquery('pg_catalog.french'::regconfig, query), websearch_to_tsquery('private.search_fr'::regconfig, query)])
    when 'de' then private.search_any_of(array[
      websearch_to_tsquery('pg_catalog.german'::regconfig, query), websearch_to_tsquery('private.search_de'::regconfig, query)])
  end;
end
$function$;

-- A query with what it excludes: a row that either stemmer would exclude is excluded.
create or replace function private.search_reading_without(language "public".session_language, query text, excluded text) returns tsquery
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $function$
declare
  reading constant tsquery := private.search_reading(language, query);
  unwanted constant tsquery := case when excluded is not null then private.search_reading(language, excluded) end;
begin
  return case when unwanted is null then reading else reading && !!unwanted end;
end
$function$;

revoke all on function
  private.search_plain(text),
  private.search_any_of(tsquery[]),
  private.search_reading("public".session_language, text),
  private.search_reading_without("public".session_language, text, text)
from public, anon, authenticated, service_role;

-- The messages that match a query: those among the newest first, by the text index only where these are too few.

do $do$
begin
  if to_regtype('private.search_request') is null then
    create type private.search_request as (
      -- Whose messages; null for everybody's.
      reader uuid,
      session_id uuid,
      language "public".session_language,
      type "public".message_type,
      since timestamptz,
      -- The readings below OR-ed, for the index; a row is then read in its own language.
      in_any_language tsquery,
      en tsquery,
      es tsquery,
      fr tsquery,
      de tsquery,
      -- While the last word is being typed: what surely begins with it, and the pattern that decides about the rest.
      typed_prefix tsquery,
      typed_pattern text,
      -- When it is given up.
      deadline timestamptz
    );
    create type private.search_hit as (id uuid, rank real, reading tsquery, correction text);
  end if;
end
$do$;

comment on type private.search_request is 'What search_messages was asked for, read in every language.';
comment on type private.search_hit is 'A message that was found, before row security is asked again.';

-- PostgreSQL sets no time limit for a statement that runs, so the search looks at the clock itself, at each message that it
-- reads. The work is bounded in messages, but one may be long, and while a word is typed its text is read.
create or replace function private.search_time_limit() returns interval
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
return interval '3 seconds';

-- Costs nothing as the planner sees it, so that the clock is looked at before a text is read.
create or replace function private.search_out_of_time() returns boolean
language plpgsql volatile parallel safe cost 0.0001
set search_path = pg_catalog, pg_temp
as $function$
begin
  raise exception using errcode = 'query_canceled',
    message = format('The search was given up after %s seconds.', trim_scale(extract(epoch from private.search_time_limit()))),
    hint = 'Search for something rarer, in one session, or since a time.';
end
$function$;

-- @@ is not leakproof, so under row security no text index is used. This runs with the rights of the tables' owner, and
-- only functions that say whose messages they want may call it.
--
-- Whether a message is accepted is written out in each place: a function would have to set its search_path, and could then not be
-- put in its place by the planner. A row is read in its own language; and while typing, since truncated stems find too much,
-- the text decides, a very long one only by its beginning.
--
-- With ties: which of several messages of the same time come first is for private.search_page to say, or pages would
-- overlap; and sorting them here would cost more than the search.
--
-- newest: how many messages are looked through before the index; enough: fewer than these, and it is asked; most: how many
-- matches are of interest, the newest ones; counted: as many the index may give, in whatever order. Where there are more,
-- they are so many that the newest ones are found sooner by going back in time; until: no later message.
--
-- Nearly enough, and the rest is likely to be found by going a little further back. The index would give every match there is,
-- and each of them costs as much as four messages that are looked through: with 1,000 messages in 50 thousand, going back by
-- five times as many is the cheaper way. Half of it is on top of what it should take, and then the index has to be asked
-- after all: a word may be that of a week.
--
-- Generic plans, since planning would take longer than the search; enable_sort off, since a generic plan cannot know that
-- somebody has 50,000 messages to sort; without jit, for what that sort would seem to cost on servers before 18.
create or replace function private.search_candidates(
  request private.search_request, newest integer, enough integer, most integer, counted integer default 50000, until timestamptz default 'infinity'
) returns uuid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_sort = off
set jit = off
as $function$
declare
  since constant timestamptz := coalesce(request.since, '-infinity');
  hits uuid[];
  -- The time of the last message that was looked through; null where there were no more.
  back_to timestamptz;
  -- Whether there are messages from before that.
  older boolean := false;
  further integer;
  of_index bigint;
begin
  if request.session_id is not null then
    return array(
      select m.id from (
        select n."id" as id, n."created_at" as created_at from "public"."messages" n
         where n."session_id" = request.session_id and (request.reader is null or n."user_id" = request.reader)
           and n."created_at" >= since
           and (clock_timestamp() < request.deadline or private.search_out_of_time())
           and n.content_search @@ case n.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
           and (request.language is null or n.language = request.language) and (request.type is null or n."type" = request.type)
           and (request.typed_pattern is null or n.content_search @@ request.typed_prefix
                or private.search_plain(left(n."content", 20000)) ~ request.typed_pattern)
        -- Apart from the order, or the planner would walk through the newest messages of all sessions to spare the sort.
        offset 0
      ) m order by m.created_at desc fetch first (most) rows with ties
    );
  end if;

  if request.reader is not null then
    hits := array(
      select m.id from (
        select n."id" as id, n."type" as type, n."content" as content, n."created_at" as created_at, n.language, n.content_search
          from "public"."messages" n
         where n."user_id" = request.reader and n."created_at" between since and until
         order by n."created_at" desc fetch first (newest) rows with ties
      ) m
       where (clock_timestamp() < request.deadline or private.search_out_of_time())
         and m.content_search @@ case m.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
         and (request.language is null or m.language = request.language) and (request.type is null or m.type = request.type)
         and (request.typed_pattern is null or m.content_search @@ request.typed_prefix
              or private.search_plain(left(m.content, 20000)) ~ request.typed_pattern)
       order by m.created_at desc fetch first (most) rows with ties
    );
    if cardinality(hits) < enough then
      back_to := (
        select m."created_at" from "public"."messages" m
         where m."user_id" = request.reader and m."created_at" between since and until
         order by m."created_at" desc offset newest - 1 limit 1
      );
      older := exists (
        select from "public"."messages" m
         where m."user_id" = request.reader and m."created_at" >= since and m."created_at" < back_to
      );
    end if;
  else
    hits := array(
      select m.id from (
        select n."id" as id, n."type" as type, n."content" as content, n."created_at" as created_at, n.language, n.content_search
          from "public"."messages" n
         where n."created_at" between since and until order by n."created_at" desc fetch first (newest) rows with ties
      ) m
       where (clock_timestamp() < request.deadline or private.search_out_of_time())
         and m.content_search @@ case m.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
         and (request.language is null or m.language = request.language) and (request.type is null or m.type = request.type)
         and (request.typed_pattern is null or m.content_search @@ request.typed_prefix
              or private.search_plain(left(m.content, 20000)) ~ request.typed_pattern)
       order by m.created_at desc fetch first (most) rows with ties
    );
    if cardinality(hits) < enough then
      back_to := (
        select m."created_at" from "public"."messages" m where m."created_at" between since and until
         order by m."created_at" desc offset newest - 1 limit 1
      );
      older := exists (
        select from "public"."messages" m where m."created_at" >= since and m."created_at" < back_to
      );
    end if;
  end if;
  if not older then
    return hits;
  end if;

  further := newest * (enough - cardinality(hits)) / nullif(cardinality(hits), 0) * 3 / 2;
  if further <= newest * 5 and isfinite(back_to) then
    hits := hits || private.search_candidates(request, further, 0, most - cardinality(hits), counted, back_to - interval '1 microsecond');
    if cardinality(hits) >= enough then
      return hits;
    end if;
  end if;

  if request.reader is not null then
    select coalesce(array_agg(h.id), '{}'), coalesce(max(h.matches), 0) into hits, of_index from (
      select m.id, count(*) over () as matches from (
        -- As an array: only the text index can serve that. Nor may the time be a condition for an index: the planner cannot know
        -- how far back since is, and would read all of an index to combine it with the other.
        select n."id" as id, n."created_at" as created_at from "public"."messages" n
         where array[n."user_id"] @> array[request.reader] and n.content_search @@ request.in_any_language
           and (request.since is null or n."created_at" >= request.since)
           and (clock_timestamp() < request.deadline or private.search_out_of_time())
           and n.content_search @@ case n.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
           and (request.language is null or n.language = request.language) and (request.type is null or n."type" = request.type)
           and (request.typed_pattern is null or n.content_search @@ request.typed_prefix
                or private.search_plain(left(n."content", 20000)) ~ request.typed_pattern)
         limit counted
      ) m order by m.created_at desc fetch first (most) rows with ties
    ) h;
  else
    select coalesce(array_agg(h.id), '{}'), coalesce(max(h.matches), 0) into hits, of_index from (
      select m.id, count(*) over () as matches from (
        select n."id" as id, n."created_at" as created_at from "public"."messages" n
         where n.content_search @@ request.in_any_language
           and (request.since is null or n."created_at" >= request.since)
           and (clock_timestamp() < request.deadline or private.search_out_of_time())
           and n.content_search @@ case n.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
           and (request.language is null or n.language = request.language) and (request.type is null or n."type" = request.type)
           and (request.typed_pattern is null or n.content_search @@ request.typed_prefix
                or private.search_plain(left(n."content", 20000)) ~ request.typed_pattern)
         limit counted
      ) m order by m.created_at desc fetch first (most) rows with ties
    ) h;
  end if;
  if of_index = counted then
    return private.search_candidates(request, 2147483647, 0, most);
  end if;
  return hits;
end
$function$;

revoke all on function
  private.search_time_limit(),
  private.search_out_of_time(),
  private.search_candidates(private.search_request, integer, integer, integer, integer, timestamptz)
from public, anon, authenticated, service_role;

-- A page of what was found; and where nothing was, of what a likely spelling finds.

-- One page of the candidates, in order.
create or replace function private.search_page(request private.search_request, candidates uuid[], by_time boolean, wanted integer, skipped integer)
returns private.search_hit[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $function$
begin
  return array(
    select row(page.id, page.rank, page.reading, null)::private.search_hit from (
      select m."id" as id, ts_rank_cd(m.content_search, own.reading) as rank, own.reading, m."created_at" as created_at
        from unnest(candidates) as candidate (id)
        join "public"."messages" m on m."id" = candidate.id
       cross join lateral (
         select case m.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
       ) as own (reading)
       order by case when not by_time then ts_rank_cd(m.content_search, own.reading) end desc, m."created_at" desc, m."id"
       limit wanted offset skipped
    ) page
    order by case when not by_time then page.rank end desc, page.created_at desc, page.id
  );
end
$function$;

-- Where nothing was found: the query with each word replaced by its likely spellings. The correction that is offered has
-- only words that the reader's own messages have, so that nobody learns what others write about.
create or replace function private.search_corrected(request private.search_request, phrase text, by_time boolean, wanted integer, skipped integer)
returns private.search_hit[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $function$
declare
  typed text;
  spellings text[];
  best text;
  alternatives text;
  correction text[] := '{}';
  corrected private.search_request := request;
  hits private.search_hit[];
  -- No more words than a person mistypes: each is looked up.
  typed_words constant text[] := array(
    select w from regexp_split_to_table(private.search_plain(phrase), '[^[:alnum:]]+') as words (w) where w <> '' limit 6);
begin
  corrected.en := null;
  corrected.es := null;
  corrected.fr := null;
  corrected.de := null;
  foreach typed in array typed_words loop
    spellings := case when length(typed) between 4 and 30 then private.search_spellings(typed) else '{}' end;
    alternatives := array_to_string(typed || spellings, ' or ');
    corrected.en := coalesce(corrected.en && private.search_reading('en', alternatives), corrected.en, private.search_reading('en', alternatives));
    corrected.es := coalesce(corrected.es && private.search_reading('es', alternatives), corrected.es, private.search_reading('es', alternatives));
    corrected.fr := coalesce(corrected.fr && private.search_reading('fr', alternatives), corrected.fr, private.search_reading('fr', alternatives));
    corrected.de := coalesce(corrected.de && private.search_reading('de', alternatives), corrected.de, private.search_reading('de', alternatives));
  end loop;
  corrected.in_any_language := private.search_any_of(array[corrected.en, corrected.es, corrected.fr, corrected.de]);
  if corrected.in_any_language is null or corrected.in_any_language is not distinct from request.in_any_language then
    return '{}';
  end if;
  hits := private.search_page(corrected, private.search_candidates(corrected, case when request.reader is null then 2500 else 1000 end, wanted, 100), by_time, wanted, skipped);
  if cardinality(hits) = 0 then
    return hits;
  end if;

  foreach typed in array typed_words loop
    spellings := case when length(typed) between 4 and 30 then typed || private.search_spellings(typed) else array[typed] end;
    select spelling into best from unnest(spellings) with ordinality as candidates (spelling, place)
     where exists (
       select from unnest(hits) hit join "public"."messages" m on m."id" = hit.id
        where m.content_search @@ private.search_reading(m.language, spelling))
     order by place limit 1;
    correction := correction || coalesce(best, typed);
  end loop;
  for place in 1 .. cardinality(hits) loop
    hits[place].correction := array_to_string(correction, ' ');
  end loop;
  return hits;
end
$function$;

-- search_messages: what applications call. Every statement can be run again.

do $do$
declare
  taken text;
begin
  select format('%s(%s)', $identifier$"public".search_messages$identifier$, pg_get_function_identity_arguments(p.oid)) into taken
    from pg_catalog.pg_proc p
   where p.proname = 'search_messages' and p.pronamespace = $identifier$"public"$identifier$::regnamespace
     and p.prorettype is distinct from to_regtype($identifier$"public".message_match$identifier$);
  -- Beside it the guide's call would be ambiguous.
  if taken is not null then
    raise exception using errcode = 'duplicate_function', message = format('There is a function %s already.', taken), hint = 'Rename or drop it.';
  end if;

  if to_regtype($identifier$"public".message_match$identifier$) is null then
    -- A type and not RETURNS TABLE, whose columns session_id and user_id would collide with the parameters.
    create type "public".message_match as (
      id uuid,
      session_id uuid,
      session_title text,
      user_id uuid,
      type "public".message_type,
      sequence_number integer,
      language "public".session_language,
      content text,
      created_at timestamptz,
      rank real,
      snippet text,
      correction text
    );
  end if;
end
$do$;

comment on type "public".message_match is 'A message that search_messages found.';

-- The search itself, for one reader, or for everybody where reader is null.
create or replace function private.search(
  query text, reader uuid, session_id uuid, language "public".session_language, type "public".message_type, since timestamptz,
  sort text, typing boolean, correct_spelling boolean, max_results integer, page_offset integer
) returns private.search_hit[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $function$
#variable_conflict use_column
declare
  -- The newest matches from which pages are cut by rank: the same for every page.
  ranked constant integer := 100;
  skipped constant integer := least(greatest(coalesce(page_offset, 0), 0), 10000);
  wanted constant integer := least(greatest(coalesce(max_results, 20), 1), 100);
  by_time constant boolean := sort = 'newest';
  -- Long queries take long, and PostgreSQL's parser gives up on a heap of dashes: a dash excludes only what it stands at. Phones
  -- put typographic quotes around a phrase. Letters beyond ASCII are escaped: not every encoding of a database has them.
  phrase text := regexp_replace(regexp_replace(regexp_replace(left(coalesce(query, ''), 256), '[\u201c-\u201f\u00ab\u00bb]', '"', 'g'), '[[:cntrl:]]', ' ', 'g'),
    '-(?![[:alnum:]"])', ' ', 'g');
  -- What is still being typed: behind an apostrophe or a hyphen a word of its own begins (l'eco, well-kno).
  last_word constant text := $re$[^\s'\u2019"(){}\[\]<>/\\.,;:!?\u00bf\u00a1&@_\u2013\u2014-]*$$re$;
  excluded text;
  prefix text;
  prefix_reading tsquery;
  request private.search_request;
  candidates uuid[];
begin
  if sort is null or sort not in ('rank', 'newest') then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('Messages cannot be sorted by %s.', coalesce(quote_literal(sort), 'null')), hint = 'sort is ''rank'' or ''newest''.';
  end if;
  request.reader := reader;
  request.session_id := session_id;
  request.language := language;
  request.type := type;
  request.since := since;
  request.deadline := clock_timestamp() + private.search_time_limit();

  if typing and phrase !~ '(^|\s)-\S*$' then
    prefix := regexp_replace(private.search_plain(substring(phrase from last_word)), '[^[:alnum:]]', '', 'g');
    if length(prefix) = 1 and phrase ~ '[[:alnum:]].*[^[:alnum:]]' then
      -- One letter says nothing yet, and as a word it would lose what the others find.
      phrase := regexp_replace(phrase, last_word, '');
    elsif length(prefix) >= 2 then
      phrase := regexp_replace(phrase, last_word, '');
      request.typed_prefix := (quote_literal(prefix) || ':*')::tsquery;
      request.typed_pattern := '\m' || prefix;
      -- Stems are shorter than what is being typed, or different: its own stem, and what the stem may have been cut to.
      select string_agg(quote_literal(stem), '|')::tsquery || request.typed_prefix into prefix_reading from (
        select left(prefix, cut) from generate_series(greatest(3, length(prefix) - 6), length(prefix)) as cuts (cut)
        union
        select unnest(tsvector_to_array(to_tsvector('private.search_en'::regconfig, prefix) || to_tsvector('private.search_es'::regconfig, prefix)
                                        || to_tsvector('private.search_fr'::regconfig, prefix) || to_tsvector('private.search_de'::regconfig, prefix)))
      ) stems (stem);
    end if;
  end if;

  select string_agg(found[2], ' or ') into excluded from regexp_matches(phrase, '(^|\s)-("[^"]*"|[^\s"]+)', 'g') found;
  request.en := private.search_reading_without('en', phrase, excluded);
  request.es := private.search_reading_without('es', phrase, excluded);
  request.fr := private.search_reading_without('fr', phrase, excluded);
  request.de := private.search_reading_without('de', phrase, excluded);
  if prefix_reading is not null and phrase ~* '\mor\s+\S*$' then
    -- What the rest of the query finds needs nothing that begins so.
    request.typed_prefix := private.search_any_of(array[request.en, request.es, request.fr, request.de, request.typed_prefix]);
    request.en := coalesce(request.en || prefix_reading, prefix_reading);
    request.es := coalesce(request.es || prefix_reading, prefix_reading);
    request.fr := coalesce(request.fr || prefix_reading, prefix_reading);
    request.de := coalesce(request.de || prefix_reading, prefix_reading);
  elsif prefix_reading is not null then
    request.en := coalesce(request.en && prefix_reading, prefix_reading);
    request.es := coalesce(request.es && prefix_reading, prefix_reading);
    request.fr := coalesce(request.fr && prefix_reading, prefix_reading);
    request.de := coalesce(request.de && prefix_reading, prefix_reading);
  end if;
  request.in_any_language := private.search_any_of(array[request.en, request.es, request.fr, request.de]);
  if request.in_any_language is null then
    return '{}';
  end if;
  candidates := private.search_candidates(
    request,
    case when reader is null then 2500 else 1000 end,
    -- While somebody types, a few of the newest will do; and of everybody's messages a page.
    case when by_time then skipped + wanted when prefix_reading is not null then 5 when reader is null then 20 else ranked end,
    case when by_time then skipped + wanted else ranked end
  );
  if cardinality(candidates) = 0 and correct_spelling and prefix_reading is null and phrase !~ '"|(^|\s)-' then
    return private.search_corrected(request, phrase, by_time, wanted, skipped);
  end if;
  return private.search_page(request, candidates, by_time, wanted, skipped);
end
$function$;

-- For callers under row security: whose messages, the claims of the request say, and nothing else. The one function with
-- its owner's rights that an API role may call, and not directly: the schema is closed to it.
create or replace function private.search_own(
  query text, session_id uuid, language "public".session_language, type "public".message_type, since timestamptz,
  sort text, typing boolean, correct_spelling boolean, max_results integer, page_offset integer
) returns private.search_hit[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $function$
declare
  reader constant uuid := auth.uid();
begin
  -- Without a reader the search below would be for everybody's messages.
  if reader is null then
    return '{}';
  end if;
  return private.search(query, reader, session_id, language, type, since, sort, typing, correct_spelling, max_results, page_offset);
end
$function$;

-- For callers whom row security does not bind.
create or replace function private.search_all(
  query text, session_id uuid, user_id uuid, language "public".session_language, type "public".message_type, since timestamptz,
  sort text, typing boolean, correct_spelling boolean, max_results integer, page_offset integer
) returns private.search_hit[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $function$
begin
  return private.search(query, user_id, session_id, language, type, since, sort, typing, correct_spelling, max_results, page_offset);
end
$function$;

-- Rights on every function of an expression are asked for when it is prepared, of the branch that is not taken, too. This
-- one stands between, with a setting of its own so that the planner does not put its body in its place.
create or replace function private.search_unbound(
  query text, session_id uuid, user_id uuid, language "public".session_language, type "public".message_type, since timestamptz,
  sort text, typing boolean, correct_spelling boolean, max_results integer, page_offset integer
) returns private.search_hit[]
language sql stable
set search_path = pg_catalog, pg_temp
return private.search_all(query, session_id, user_id, language, type, since, sort, typing, correct_spelling, max_results, page_offset);

-- HTML: the message escaped, what matched within <mark>. ts_headline escapes nothing, so that comes first. Of a very long
-- message the beginning.
create or replace function private.search_snippet(language "public".session_language, content text, reading tsquery) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  select case
      when search_snippet.language in ('es', 'fr') and strpos(marked.snippet, '<mark>') = 0
      then ts_headline(case search_snippet.language when 'es' then 'pg_catalog.spanish'::regconfig else 'pg_catalog.french'::regconfig end,
                       marked.escaped, search_snippet.reading, marked.options)
      else marked.snippet
    end
    from (
      select beginning.escaped, beginning.options, ts_headline(
          case search_snippet.language
            when 'en' then 'private.search_en'::regconfig
            when 'es' then 'private.search_es'::regconfig
            when 'fr' then 'private.search_fr'::regconfig
            when 'de' then 'private.search_de'::regconfig
          end,
          beginning.escaped, search_snippet.reading, beginning.options) as snippet
        from (
          select replace(replace(replace(replace(left(search_snippet.content, 20000), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;') as escaped,
                 'StartSel=<mark>, StopSel=</mark>, '
                   || case when length(search_snippet.content) <= 240 then 'HighlightAll=true' else 'MaxFragments=2, MaxWords=20, MinWords=8' end as options
        ) beginning
    ) marked;
end;

-- SECURITY INVOKER: the messages that were found are read again with the caller's rights, so that row security has the
-- last word; user_id only narrows. With BEGIN ATOMIC its names are resolved now: the API roles need no right on private.
-- A generic plan: to estimate how many rows unnest gives, the planner calls stable functions with arguments that it knows,
-- and would search once to plan and once more to answer.
create or replace function "public".search_messages(
  query text,
  session_id uuid default null,
  user_id uuid default null,
  language "public".session_language default null,
  type "public".message_type default null,
  since timestamptz default null,
  sort text default 'rank',
  typing boolean default false,
  correct_spelling boolean default true,
  max_results integer default 20,
  page_offset integer default 0
) returns setof "public".message_match
language sql stable rows 20
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
begin atomic
  select m."id", m."session_id", s."title"::text, m."user_id", m."type", m."sequence_number",
         m.language, m."content", m."created_at", hit.rank,
         private.search_snippet(m.language, m."content", hit.reading), hit.correction
    from unnest(case when row_security_active($identifier$"public"."messages"$identifier$::regclass)
      then private.search_own(search_messages.query, search_messages.session_id, search_messages.language, search_messages.type, search_messages.since,
             search_messages.sort, search_messages.typing, search_messages.correct_spelling, search_messages.max_results, search_messages.page_offset)
      else private.search_unbound(search_messages.query, search_messages.session_id, search_messages.user_id, search_messages.language,
             search_messages.type, search_messages.since, search_messages.sort, search_messages.typing, search_messages.correct_spelling,
             search_messages.max_results, search_messages.page_offset)
    end) with ordinality as hit (id, rank, reading, correction, place)
    join "public"."messages" m on m."id" = hit.id
    left join "public"."sessions" s on s."id" = m."session_id"
   where search_messages.user_id is null or m."user_id" = search_messages.user_id
   order by hit.place;
end;

comment on function "public".search_messages is
  'Messages that match a web-style query ("phrase", or, -word), with accents or without, best first or newest first; of one session, user, language or type where given. A message is read in the language of its session.';

do $do$
declare
  name text;
begin
  for name in
    select p.oid::regprocedure::text from pg_catalog.pg_proc p
     where p.pronamespace = 'private'::regnamespace and starts_with(p.proname, 'search')
        or p.pronamespace = $identifier$"public"$identifier$::regnamespace and p.proname = 'search_messages'
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', name);
  end loop;
end
$do$;

grant execute on function "public".search_messages to authenticated, service_role;
grant execute on function private.search_own, private.search_unbound, private.search_snippet to authenticated, service_role;
grant execute on function private.search_all to service_role;

-- PostgREST offers the function once it has read the schema again; nobody listens where there is none.
notify pgrst, 'reload schema';

-- Relationships for PostgREST: select=*,messages(*) on sessions and select=*,sessions(*) on messages. It finds them by
-- foreign keys, and messages refer to the registry now. With a search_path of their own, as Supabase's linter asks of every
-- function: so each is called once a row, by its index, where the planner could have put them in their place as a join.

create or replace function "public"."messages"("public"."sessions") returns setof "public"."messages"
language sql stable
set search_path = pg_catalog, pg_temp
as $function$
  select m.* from "public"."messages" m where m."session_id" operator(pg_catalog.=) $1."id"
$function$;

create or replace function "public"."sessions"("public"."messages") returns setof "public"."sessions" rows 1
language sql stable
set search_path = pg_catalog, pg_temp
as $function$
  select s.* from "public"."sessions" s where s."id" operator(pg_catalog.=) $1."session_id"
$function$;

revoke all on function "public"."messages"("public"."sessions"), "public"."sessions"("public"."messages") from public, anon, authenticated, service_role;
grant execute on function "public"."messages"("public"."sessions"), "public"."sessions"("public"."messages") to authenticated, service_role;

-- PostgREST reads its schema cache again; nobody listens where there is none.
notify pgrst, 'reload schema';

  perform set_config('search_path', previous_search_path, true), set_config('lock_timeout', previous_lock_timeout, true),
          set_config('client_min_messages', previous_messages, true);
end
$phase5$;

-- Apart, where this file is no single transaction: it reads every message, and needs none of the locks above.
select private.refresh_search_words() where not exists (select from private.search_words);

reset statement_timeout;
