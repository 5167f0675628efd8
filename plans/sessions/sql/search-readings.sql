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
create or replace function private.search_reading(language {{schema}}.session_language, query text) returns tsquery
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
create or replace function private.search_reading_without(language {{schema}}.session_language, query text, excluded text) returns tsquery
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
  private.search_reading({{schema}}.session_language, text),
  private.search_reading_without({{schema}}.session_language, text, text)
from public, anon, authenticated, service_role;
