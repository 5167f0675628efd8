-- Who may do what with feedback: whoever may see the message. Runs at the cutover under the final names: a policy refers
-- to the table it was created with, and would go on reading the retired messages.

drop policy if exists message_feedback_select_own on {{schema}}.message_feedback;
create policy message_feedback_select_own on {{schema}}.message_feedback for select to authenticated
  using (exists (
    select from {{messages}} as own_message
     where own_message.{{messages.id}} = {{schema}}.message_feedback.message_id and own_message.{{messages.user_id}} = (select auth.uid())
  ));

drop policy if exists message_feedback_insert_own on {{schema}}.message_feedback;
create policy message_feedback_insert_own on {{schema}}.message_feedback for insert to authenticated
  with check (exists (
    select from {{messages}} as own_message
     where own_message.{{messages.id}} = {{schema}}.message_feedback.message_id and own_message.{{messages.user_id}} = (select auth.uid())
  ));

drop policy if exists message_feedback_update_own on {{schema}}.message_feedback;
create policy message_feedback_update_own on {{schema}}.message_feedback for update to authenticated
  using (exists (
    select from {{messages}} as own_message
     where own_message.{{messages.id}} = {{schema}}.message_feedback.message_id and own_message.{{messages.user_id}} = (select auth.uid())
  ))
  with check (exists (
    select from {{messages}} as own_message
     where own_message.{{messages.id}} = {{schema}}.message_feedback.message_id and own_message.{{messages.user_id}} = (select auth.uid())
  ));

drop policy if exists message_feedback_delete_own on {{schema}}.message_feedback;
create policy message_feedback_delete_own on {{schema}}.message_feedback for delete to authenticated
  using (exists (
    select from {{messages}} as own_message
     where own_message.{{messages.id}} = {{schema}}.message_feedback.message_id and own_message.{{messages.user_id}} = (select auth.uid())
  ));

revoke all on {{schema}}.message_feedback from public, anon, authenticated, service_role;
grant select, insert, update, delete on {{schema}}.message_feedback to authenticated;
grant all on {{schema}}.message_feedback to service_role;
