-- The messages that match a query: those among the newest first, by the text index only where these are too few.

do $do$
begin
  if to_regtype('private.search_request') is null then
    create type private.search_request as (
      -- Whose messages; null for everybody's.
      reader uuid,
      session_id uuid,
      language {{schema}}.session_language,
      type {{schema}}.message_type,
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
        select n.{{messages.id}} as id, n.{{messages.created_at}} as created_at from {{messages}} n
         where n.{{messages.session_id}} = request.session_id and (request.reader is null or n.{{messages.user_id}} = request.reader)
           and n.{{messages.created_at}} >= since
           and (clock_timestamp() < request.deadline or private.search_out_of_time())
           and n.content_search @@ case n.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
           and (request.language is null or n.language = request.language) and (request.type is null or n.{{messages.type}} = request.type)
           and (request.typed_pattern is null or n.content_search @@ request.typed_prefix
                or private.search_plain(left(n.{{messages.content}}, 20000)) ~ request.typed_pattern)
        -- Apart from the order, or the planner would walk through the newest messages of all sessions to spare the sort.
        offset 0
      ) m order by m.created_at desc fetch first (most) rows with ties
    );
  end if;

  if request.reader is not null then
    hits := array(
      select m.id from (
        select n.{{messages.id}} as id, n.{{messages.type}} as type, n.{{messages.content}} as content, n.{{messages.created_at}} as created_at, n.language, n.content_search
          from {{messages}} n
         where n.{{messages.user_id}} = request.reader and n.{{messages.created_at}} between since and until
         order by n.{{messages.created_at}} desc fetch first (newest) rows with ties
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
        select m.{{messages.created_at}} from {{messages}} m
         where m.{{messages.user_id}} = request.reader and m.{{messages.created_at}} between since and until
         order by m.{{messages.created_at}} desc offset newest - 1 limit 1
      );
      older := exists (
        select from {{messages}} m
         where m.{{messages.user_id}} = request.reader and m.{{messages.created_at}} >= since and m.{{messages.created_at}} < back_to
      );
    end if;
  else
    hits := array(
      select m.id from (
        select n.{{messages.id}} as id, n.{{messages.type}} as type, n.{{messages.content}} as content, n.{{messages.created_at}} as created_at, n.language, n.content_search
          from {{messages}} n
         where n.{{messages.created_at}} between since and until order by n.{{messages.created_at}} desc fetch first (newest) rows with ties
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
        select m.{{messages.created_at}} from {{messages}} m where m.{{messages.created_at}} between since and until
         order by m.{{messages.created_at}} desc offset newest - 1 limit 1
      );
      older := exists (
        select from {{messages}} m where m.{{messages.created_at}} >= since and m.{{messages.created_at}} < back_to
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
        select n.{{messages.id}} as id, n.{{messages.created_at}} as created_at from {{messages}} n
         where array[n.{{messages.user_id}}] @> array[request.reader] and n.content_search @@ request.in_any_language
           and (request.since is null or n.{{messages.created_at}} >= request.since)
           and (clock_timestamp() < request.deadline or private.search_out_of_time())
           and n.content_search @@ case n.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
           and (request.language is null or n.language = request.language) and (request.type is null or n.{{messages.type}} = request.type)
           and (request.typed_pattern is null or n.content_search @@ request.typed_prefix
                or private.search_plain(left(n.{{messages.content}}, 20000)) ~ request.typed_pattern)
         limit counted
      ) m order by m.created_at desc fetch first (most) rows with ties
    ) h;
  else
    select coalesce(array_agg(h.id), '{}'), coalesce(max(h.matches), 0) into hits, of_index from (
      select m.id, count(*) over () as matches from (
        select n.{{messages.id}} as id, n.{{messages.created_at}} as created_at from {{messages}} n
         where n.content_search @@ request.in_any_language
           and (request.since is null or n.{{messages.created_at}} >= request.since)
           and (clock_timestamp() < request.deadline or private.search_out_of_time())
           and n.content_search @@ case n.language when 'en' then request.en when 'es' then request.es when 'fr' then request.fr when 'de' then request.de end
           and (request.language is null or n.language = request.language) and (request.type is null or n.{{messages.type}} = request.type)
           and (request.typed_pattern is null or n.content_search @@ request.typed_prefix
                or private.search_plain(left(n.{{messages.content}}, 20000)) ~ request.typed_pattern)
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
