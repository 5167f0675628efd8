-- Who may do what with messages. Foreign keys do not ask row security: that a message goes into a session of the
-- caller's own is for the policy to see to.

drop policy if exists messages_select_own on {{messages_target}};
create policy messages_select_own on {{messages_target}} for select to authenticated
  using ({{messages.user_id}} = (select auth.uid()));

drop policy if exists messages_insert_own on {{messages_target}};
create policy messages_insert_own on {{messages_target}} for insert to authenticated
  with check (
    {{messages.user_id}} = (select auth.uid())
    and exists (
      select from {{sessions_target}} as own_session
       where own_session.{{sessions.id}} = {{messages_target}}.{{messages.session_id}} and own_session.{{sessions.user_id}} = (select auth.uid())
    )
  );

drop policy if exists messages_update_own on {{messages_target}};
create policy messages_update_own on {{messages_target}} for update to authenticated
  using ({{messages.user_id}} = (select auth.uid()))
  with check (
    {{messages.user_id}} = (select auth.uid())
    and exists (
      select from {{sessions_target}} as own_session
       where own_session.{{sessions.id}} = {{messages_target}}.{{messages.session_id}} and own_session.{{sessions.user_id}} = (select auth.uid())
    )
  );

drop policy if exists messages_delete_own on {{messages_target}};
create policy messages_delete_own on {{messages_target}} for delete to authenticated
  using ({{messages.user_id}} = (select auth.uid()));

revoke all on {{messages_target}} from public, anon, authenticated, service_role;
grant select, insert, update, delete on {{messages_target}} to authenticated;
grant all on {{messages_target}} to service_role;
