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
  $query$, $identifier${{messages.content}}$identifier$, $identifier${{messages}}$identifier$, $identifier${{messages.created_at}}$identifier$, coalesce(since, '-infinity'));
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
