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
create or replace function private.to_search(language {{schema}}.session_language, content text) returns tsvector
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

revoke all on function private.to_search({{schema}}.session_language, text) from anon, authenticated, service_role;

comment on function private.to_search({{schema}}.session_language, text) is
  'What messages.content_search holds. Everyone who may write a message executes it, so it stays open to PUBLIC.';

create table {{messages_target}} (
  {{messages.id}} uuid constraint messages_id_not_null not null default gen_random_uuid(),
  {{messages.session_id}} uuid constraint messages_session_id_not_null not null,
  {{messages.user_id}} uuid constraint messages_user_id_not_null not null,
  {{messages.type}} {{schema}}.message_type constraint messages_type_not_null not null default 'text',
  {{messages.sequence_number}} integer constraint messages_sequence_number_not_null not null,
  {{messages.content}} text constraint messages_content_not_null not null,
  {{messages.created_at}} timestamptz constraint messages_created_at_not_null not null default now(),
  language {{schema}}.session_language constraint messages_language_not_null not null,
  content_search tsvector generated always as (private.to_search(language, {{messages.content}})) stored
);

comment on table {{messages_target}} is 'Messages of the practice sessions.';
comment on column {{messages_target}}.language is 'The language of the session, kept by triggers: it decides how the content is searched.';

alter table {{messages_target}} enable row level security;
revoke all on {{messages_target}} from public, anon, authenticated, service_role;
