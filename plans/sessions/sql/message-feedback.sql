-- The scores of a message. Closed from its first moment: row security is on and no API role has a privilege until the
-- policies stand (security-feedback.sql). One guarded statement, so that running it again takes no privilege away.

do $do$
begin
  if to_regclass($identifier${{schema}}.message_feedback$identifier$) is null then
    create table {{schema}}.message_feedback (
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
        references {{messages}} ({{messages.id}}) on delete cascade,
      constraint message_feedback_overall_score_check check (overall_score between 0 and 100),
      constraint message_feedback_grammar_score_check check (grammar_score between 0 and 100),
      constraint message_feedback_vocabulary_score_check check (vocabulary_score between 0 and 100),
      constraint message_feedback_fluency_score_check check (fluency_score between 0 and 100),
      constraint message_feedback_pronunciation_score_check check (pronunciation_score between 0 and 100)
    );
    comment on table {{schema}}.message_feedback is 'Scores from 0 to 100, comments and corrections for a message.';
    alter table {{schema}}.message_feedback enable row level security;
    revoke all on {{schema}}.message_feedback from public, anon, authenticated, service_role;
    create index message_feedback_message_id_idx on {{schema}}.message_feedback (message_id);
    create index message_feedback_created_at_idx on {{schema}}.message_feedback (created_at);
  end if;
end
$do$;
