-- Full-text search over messages in four languages. Every statement can be run again.

do $do$
begin
  if to_regtype($identifier${{schema}}.message_match$identifier$) is null then
    -- A type and not RETURNS TABLE, whose columns session_id and user_id would collide with the parameters.
    create type {{schema}}.message_match as (
      id uuid,
      session_id uuid,
      session_title text,
      user_id uuid,
      type {{schema}}.message_type,
      sequence_number integer,
      language {{schema}}.session_language,
      content text,
      created_at timestamptz,
      rank real
    );
  end if;
end
$do$;

comment on type {{schema}}.message_match is 'A message that search_messages found.';

-- SECURITY INVOKER: row security decides what the caller finds; user_id only narrows it.
-- A custom plan for each call: with the arguments known, those that are null fall away and the right index is chosen.
create or replace function {{schema}}.search_messages(query text, session_id uuid default null, user_id uuid default null)
returns setof {{schema}}.message_match
language plpgsql stable
set search_path = ''
set plan_cache_mode = force_custom_plan
set client_min_messages = warning
as $function$
#variable_conflict use_column
declare
  -- The same configurations as in private.to_search.
  en tsquery := websearch_to_tsquery('pg_catalog.english'::regconfig, search_messages.query);
  es tsquery := websearch_to_tsquery('pg_catalog.spanish'::regconfig, search_messages.query);
  fr tsquery := websearch_to_tsquery('pg_catalog.french'::regconfig, search_messages.query);
  de tsquery := websearch_to_tsquery('pg_catalog.german'::regconfig, search_messages.query);
  reading tsquery;
  in_any_language tsquery;
begin
  -- A reading of stop words only finds nothing, and one that only excludes would find nearly everything.
  if querytree(en) in ('', 'T') then en := null; end if;
  if querytree(es) in ('', 'T') then es := null; end if;
  if querytree(fr) in ('', 'T') then fr := null; end if;
  if querytree(de) in ('', 'T') then de := null; end if;
  foreach reading in array array[en, es, fr, de] loop
    in_any_language := coalesce(in_any_language || reading, in_any_language, reading);
  end loop;
  if in_any_language is null then
    return;
  end if;

  return query
  select best.id, best.session_id, s.{{sessions.title}}::text, best.user_id, best.type, best.sequence_number, best.language,
         best.content, best.created_at, best.rank
    from (
      select m.{{messages.id}} as id, m.{{messages.session_id}} as session_id, m.{{messages.user_id}} as user_id,
             m.{{messages.type}} as type, m.{{messages.sequence_number}} as sequence_number, m.language,
             m.{{messages.content}} as content, m.{{messages.created_at}} as created_at,
             ts_rank_cd(m.content_search, spoken.query) as rank
        from {{messages}} m
       cross join lateral (select case m.language when 'en' then en when 'es' then es when 'fr' then fr when 'de' then de end) as spoken (query)
       -- The first condition is for the index, the second decides: a row is read in its own language only.
       where m.content_search @@ in_any_language
         and m.content_search @@ spoken.query
         and (search_messages.session_id is null or m.{{messages.session_id}} = search_messages.session_id)
         and (search_messages.user_id is null or m.{{messages.user_id}} = search_messages.user_id)
       order by rank desc, created_at desc, id
       limit 1000
    ) best
    left join {{sessions}} s on s.{{sessions.id}} = best.session_id
   order by best.rank desc, best.created_at desc, best.id;
end
$function$;

comment on function {{schema}}.search_messages(text, uuid, uuid) is
  'Messages that match a web-style query ("phrase", or, -word), best first, at most 1000; of one session or user where given. A message is read in the language of its session.';

revoke all on function {{schema}}.search_messages(text, uuid, uuid) from public, anon, authenticated, service_role;
grant execute on function {{schema}}.search_messages(text, uuid, uuid) to authenticated, service_role;
