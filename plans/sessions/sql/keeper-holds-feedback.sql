-- Puts the scores of held sessions under guard. Made only where it is missing, and ALWAYS, as the others are.

do $do$
begin
  if not exists (select from pg_catalog.pg_trigger where tgrelid = $identifier${{schema}}.message_feedback$identifier$::regclass and tgname = 'feedback_hold_keep') then
    create trigger feedback_hold_keep after delete on {{schema}}.message_feedback referencing old table as old_rows
      for each statement execute function keeper.feedback_hold_keep();
    create trigger feedback_hold_keep_content after update on {{schema}}.message_feedback referencing old table as old_rows
      for each statement execute function keeper.feedback_hold_keep();
    create trigger truncate_hold_keep before truncate on {{schema}}.message_feedback
      for each statement execute function keeper.truncate_hold_keep();
    alter table {{schema}}.message_feedback enable always trigger feedback_hold_keep;
    alter table {{schema}}.message_feedback enable always trigger feedback_hold_keep_content;
    alter table {{schema}}.message_feedback enable always trigger truncate_hold_keep;
  end if;
end
$do$;
