-- Written by `tandem export --supabase` from the tables of one database, as they were then.
--
-- Phase 5: sessions partitioned by status, messages with enum, language and search, statistics, row security; and whatever
-- else the two tables had: columns of their own, keys, checks, indexes, triggers, policies, views, privileges.
--
-- This file holds both tables locked from its beginning to its end: applications wait. `tandem migrate` leads to the
-- same end while they go on writing, and can go back.
--
-- One statement, and so one transaction: it does everything or nothing. Where sessions is partitioned it does nothing.

-- The time limit for a statement would be the limit for the whole move.
set statement_timeout = 0;

do $tandem_export$
#variable_conflict use_column
declare
  tandem_tables constant regclass[] := array[to_regclass($identifier${{sessions}}$identifier$), to_regclass($identifier${{messages}}$identifier$)];
  tandem_search_path constant text := current_setting('search_path');
  tandem_lock_timeout constant text := current_setting('lock_timeout');
  tandem_messages constant text := current_setting('client_min_messages');
  tandem_unknown text[];
begin
  -- Every name below is qualified: nothing may be found by chance in somebody else's schema.
  perform set_config('search_path', '', true);
  -- Whoever holds a table for longer than this ends the attempt; waiting on would queue every client behind it.
  perform set_config('lock_timeout', '30s', true);

  if array_position(tandem_tables, null) is not null then
    raise exception using
      errcode = 'undefined_table',
      message = 'One of the tables that this file moves is missing.',
      hint = 'Run the files before it first.';
  end if;
  if (select relkind from pg_class where oid = tandem_tables[1]) = 'p' then
    if to_regclass('private.session_keys') is null then
      raise exception using
        errcode = 'wrong_object_type',
        message = format('%s is partitioned, but not by this file.', tandem_tables[1]),
        hint = 'Make a plain table of it first, or keep what you have.';
    end if;
    raise notice '% is partitioned already: there is nothing to do.', tandem_tables[1];
    perform set_config('search_path', tandem_search_path, true), set_config('lock_timeout', tandem_lock_timeout, true);
    return;
  end if;

  -- The referencing table first: the order in which an application's own statements come by these locks.
  lock table {{messages}}, {{sessions}} in access exclusive mode;

  -- What came since the export would be lost, and what went would be missed.
  select array_agg(what order by what) into tandem_unknown from (
{{> shape}}
  ) found where what <> all (
{{> known-shape}}
  );
  if tandem_unknown is not null then
    raise exception using
      errcode = 'feature_not_supported',
      message = 'The tables have something that they had not when this file was written. Nothing was changed.',
      detail = array_to_string(tandem_unknown, E'\n'),
      hint = 'Write the file anew with `tandem export --supabase`.';
  end if;

  -- DROP … IF EXISTS below would remark on everything that a new table does not have yet.
  perform set_config('client_min_messages', 'warning', true);

{{> move}}

  perform set_config('search_path', tandem_search_path, true), set_config('lock_timeout', tandem_lock_timeout, true),
          set_config('client_min_messages', tandem_messages, true);
end
$tandem_export$;

-- Apart, where this file is no single transaction: it reads every message, and needs none of the locks above.
select private.refresh_search_words() where not exists (select from private.search_words);

reset statement_timeout;
