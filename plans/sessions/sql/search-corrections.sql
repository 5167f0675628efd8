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
      select m.{{messages.id}} as id, ts_rank_cd(m.content_search, own.reading) as rank, own.reading, m.{{messages.created_at}} as created_at
        from unnest(candidates) as candidate (id)
        join {{messages}} m on m.{{messages.id}} = candidate.id
       cross join lateral (
         select case m.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
       ) as own (reading)
       order by case when not by_time then ts_rank_cd(m.content_search, own.reading) end desc, m.{{messages.created_at}} desc, m.{{messages.id}}
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
       select from unnest(hits) hit join {{messages}} m on m.{{messages.id}} = hit.id
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
