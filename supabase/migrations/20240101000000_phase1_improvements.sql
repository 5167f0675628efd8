-- Generated from plans/sessions/sql by `npm run generate`.
--
-- Phase 1: the enums and message_feedback. Nothing that exists is changed; running the file again does nothing.

-- The four enums, and for each an assignment cast from text: a statement that an application prepared while the column
-- was text, or one that says $1::text, keeps working for writes. Never an implicit cast, and none back to text: it makes
-- the foreign-key check itself ambiguous (42725).

do $do$
declare
  enum record;
  existing oid;
  labels text[];
begin
  for enum in
    select name, wanted from (values
      ('session_language', array['en', 'es', 'fr', 'de']),
      ('session_level', array['beginner', 'intermediate', 'advanced']),
      ('session_status', array['active', 'archived', 'deleted']),
      ('message_type', array['text', 'audio', 'system'])
    ) as enums (name, wanted)
  loop
    select t.oid into existing from pg_catalog.pg_type t
     where t.typname = enum.name and t.typnamespace = $identifier$"public"$identifier$::regnamespace;

    if existing is null then
      execute format('create type "public".%I as enum (%s)', enum.name,
        (select string_agg(quote_literal(label), ', ' order by place) from unnest(enum.wanted) with ordinality as l (label, place)));
      existing := format('"public".%I', enum.name)::regtype;
    else
      -- Order counts: it decides how values sort and compare.
      select coalesce(array_agg(e.enumlabel::text order by e.enumsortorder), '{}') into labels
        from pg_catalog.pg_enum e where e.enumtypid = existing;
      if labels <> enum.wanted then
        raise exception using
          errcode = 'duplicate_object',
          message = format('The type %s exists, but not as the enum (%s).', existing::regtype, array_to_string(enum.wanted, ', ')),
          detail = case when labels = '{}' then 'It is no enum.' else format('It has (%s).', array_to_string(labels, ', ')) end,
          hint = format('Rename it, or bring its labels into this order: ALTER TYPE %s RENAME TO %I;', existing::regtype, enum.name || '_old');
      end if;
    end if;

    if not exists (select from pg_catalog.pg_cast c where c.castsource = 'text'::regtype and c.casttarget = existing) then
      execute format('create cast (text as %s) with inout as assignment', existing::regtype);
    end if;
  end loop;
end
$do$;

-- The scores of a message. Closed from its first moment: row security is on and no API role has a privilege until the
-- policies stand (security-feedback.sql). One guarded statement, so that running it again takes no privilege away.

do $do$
begin
  if to_regclass($identifier$"public".message_feedback$identifier$) is null then
    create table "public".message_feedback (
      id uuid not null default gen_random_uuid(),
      message_id uuid not null,
      overall_score smallint,
      grammar_score smallint,
      vocabulary_score smallint,
      fluency_score smallint,
      pronunciation_score smallint,
      comment text,
      corrections jsonb,
      created_at timestamptz not null default now(),
      constraint message_feedback_pkey primary key (id),
      constraint message_feedback_message_id_fkey foreign key (message_id)
        references "public"."messages" ("id") on delete cascade,
      constraint message_feedback_overall_score_check check (overall_score between 0 and 100),
      constraint message_feedback_grammar_score_check check (grammar_score between 0 and 100),
      constraint message_feedback_vocabulary_score_check check (vocabulary_score between 0 and 100),
      constraint message_feedback_fluency_score_check check (fluency_score between 0 and 100),
      constraint message_feedback_pronunciation_score_check check (pronunciation_score between 0 and 100)
    );
    comment on table "public".message_feedback is 'Scores from 0 to 100, comments and corrections for a message.';
    alter table "public".message_feedback enable row level security;
    revoke all on "public".message_feedback from public, anon, authenticated, service_role;
    create index message_feedback_message_id_idx on "public".message_feedback (message_id);
    create index message_feedback_created_at_idx on "public".message_feedback (created_at);
  end if;
end
$do$;
