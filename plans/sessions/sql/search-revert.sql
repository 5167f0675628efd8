-- Undoes search.sql and the files that it builds on, but for the configurations that messages are indexed with.
-- PostgREST is told by the swap that follows, and not from here: while it reads a schema, the next reading has to wait.

drop function if exists {{schema}}.search_messages;
drop type if exists {{schema}}.message_match;

drop function if exists private.search_snippet;
drop function if exists private.search_unbound;
drop function if exists private.search_all;
drop function if exists private.search_own;
drop function if exists private.search;
drop function if exists private.search_corrected;
drop function if exists private.search_page;
drop function if exists private.search_candidates;
drop function if exists private.search_out_of_time;
drop function if exists private.search_time_limit;
drop type if exists private.search_hit;
drop type if exists private.search_request;

drop function if exists private.search_reading_without;
drop function if exists private.search_reading;
drop function if exists private.search_any_of;
drop function if exists private.search_plain;

drop function if exists private.search_spellings;
drop function if exists private.refresh_search_words;
drop table if exists private.search_words;
drop function if exists private.search_deletions;
