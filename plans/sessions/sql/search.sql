-- search_messages: what applications call. Every statement can be run again.

do $do$
declare
  taken text;
begin
  select format('%s(%s)', $identifier${{schema}}.search_messages$identifier$, pg_get_function_identity_arguments(p.oid)) into taken
    from pg_catalog.pg_proc p
   where p.proname = 'search_messages' and p.pronamespace = $identifier${{schema}}$identifier$::regnamespace
     and p.prorettype is distinct from to_regtype($identifier${{schema}}.message_match$identifier$);
  -- Beside it the guide's call would be ambiguous.
  if taken is not null then
    raise exception using errcode = 'duplicate_function', message = format('There is a function %s already.', taken), hint = 'Rename or drop it.';
  end if;

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
      rank real,
      snippet text,
      correction text
    );
  end if;
end
$do$;

comment on type {{schema}}.message_match is 'A message that search_messages found.';

-- The search itself, for one reader, or for everybody where reader is null.
create or replace function private.search(
  query text, reader uuid, session_id uuid, language {{schema}}.session_language, type {{schema}}.message_type, since timestamptz,
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
  query text, session_id uuid, language {{schema}}.session_language, type {{schema}}.message_type, since timestamptz,
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
  query text, session_id uuid, user_id uuid, language {{schema}}.session_language, type {{schema}}.message_type, since timestamptz,
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
  query text, session_id uuid, user_id uuid, language {{schema}}.session_language, type {{schema}}.message_type, since timestamptz,
  sort text, typing boolean, correct_spelling boolean, max_results integer, page_offset integer
) returns private.search_hit[]
language sql stable
set search_path = pg_catalog, pg_temp
return private.search_all(query, session_id, user_id, language, type, since, sort, typing, correct_spelling, max_results, page_offset);

-- HTML: the message escaped, what matched within <mark>. ts_headline escapes nothing, so that comes first. Of a very long
-- message the beginning.
create or replace function private.search_snippet(language {{schema}}.session_language, content text, reading tsquery) returns text
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
create or replace function {{schema}}.search_messages(
  query text,
  session_id uuid default null,
  user_id uuid default null,
  language {{schema}}.session_language default null,
  type {{schema}}.message_type default null,
  since timestamptz default null,
  sort text default 'rank',
  typing boolean default false,
  correct_spelling boolean default true,
  max_results integer default 20,
  page_offset integer default 0
) returns setof {{schema}}.message_match
language sql stable rows 20
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
begin atomic
  select m.{{messages.id}}, m.{{messages.session_id}}, s.{{sessions.title}}::text, m.{{messages.user_id}}, m.{{messages.type}}, m.{{messages.sequence_number}},
         m.language, m.{{messages.content}}, m.{{messages.created_at}}, hit.rank,
         private.search_snippet(m.language, m.{{messages.content}}, hit.reading), hit.correction
    from unnest(case when row_security_active($identifier${{messages}}$identifier$::regclass)
      then private.search_own(search_messages.query, search_messages.session_id, search_messages.language, search_messages.type, search_messages.since,
             search_messages.sort, search_messages.typing, search_messages.correct_spelling, search_messages.max_results, search_messages.page_offset)
      else private.search_unbound(search_messages.query, search_messages.session_id, search_messages.user_id, search_messages.language,
             search_messages.type, search_messages.since, search_messages.sort, search_messages.typing, search_messages.correct_spelling,
             search_messages.max_results, search_messages.page_offset)
    end) with ordinality as hit (id, rank, reading, correction, place)
    join {{messages}} m on m.{{messages.id}} = hit.id
    left join {{sessions}} s on s.{{sessions.id}} = m.{{messages.session_id}}
   where search_messages.user_id is null or m.{{messages.user_id}} = search_messages.user_id
   order by hit.place;
end;

comment on function {{schema}}.search_messages is
  'Messages that match a web-style query ("phrase", or, -word), with accents or without, best first or newest first; of one session, user, language or type where given. A message is read in the language of its session.';

do $do$
declare
  name text;
begin
  for name in
    select p.oid::regprocedure::text from pg_catalog.pg_proc p
     where p.pronamespace = 'private'::regnamespace and starts_with(p.proname, 'search')
        or p.pronamespace = $identifier${{schema}}$identifier$::regnamespace and p.proname = 'search_messages'
  loop
    execute format('revoke all on function %s from public, anon, authenticated, service_role', name);
  end loop;
end
$do$;

grant execute on function {{schema}}.search_messages to authenticated, service_role;
grant execute on function private.search_own, private.search_unbound, private.search_snippet to authenticated, service_role;
grant execute on function private.search_all to service_role;

-- PostgREST offers the function once it has read the schema again; nobody listens where there is none.
notify pgrst, 'reload schema';
