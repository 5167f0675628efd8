-- Undoes security-feedback.sql when the tables have their old names again: message_feedback is closed, as it was before
-- the cutover.

drop policy if exists message_feedback_select_own on {{schema}}.message_feedback;
drop policy if exists message_feedback_insert_own on {{schema}}.message_feedback;
drop policy if exists message_feedback_update_own on {{schema}}.message_feedback;
drop policy if exists message_feedback_delete_own on {{schema}}.message_feedback;

revoke all on {{schema}}.message_feedback from public, anon, authenticated, service_role;
