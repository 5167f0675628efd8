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

{{> sessions-target}}

{{> search-configurations}}

{{> messages-target}}

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

{{> sessions-build}}

{{> messages-build}}

{{> foreign-keys}}

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

{{> live-triggers}}

{{> security-sessions}}

{{> security-messages}}

{{> security-feedback}}

{{> session-rollup}}

{{> session-changes}}

{{> session-stats}}

{{> search-words}}

{{> search-readings}}

{{> search-candidates}}

{{> search-corrections}}

{{> search}}

{{> embedding}}

  perform set_config('search_path', previous_search_path, true), set_config('lock_timeout', previous_lock_timeout, true),
          set_config('client_min_messages', previous_messages, true);
end
$phase5$;

-- Apart, where this file is no single transaction: it reads every message, and needs none of the locks above.
select private.refresh_search_words() where not exists (select from private.search_words);

reset statement_timeout;
