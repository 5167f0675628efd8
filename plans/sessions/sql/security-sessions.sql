-- Who may do what with sessions: a signed-in user with their own rows, service_role with all, anon nothing. Policies hang
-- on the table itself and not on its name: they stand before the cutover, and there is no moment without them.
-- (select auth.uid()): evaluated once per statement, not once per row.

drop policy if exists sessions_select_own on {{sessions_target}};
create policy sessions_select_own on {{sessions_target}} for select to authenticated
  using ({{sessions.user_id}} = (select auth.uid()));

drop policy if exists sessions_insert_own on {{sessions_target}};
create policy sessions_insert_own on {{sessions_target}} for insert to authenticated
  with check ({{sessions.user_id}} = (select auth.uid()));

-- USING: which rows. WITH CHECK: what becomes of them, or a row could be handed to somebody else. PostgreSQL takes USING for
-- both where there is no WITH CHECK, until somebody widens USING.
drop policy if exists sessions_update_own on {{sessions_target}};
create policy sessions_update_own on {{sessions_target}} for update to authenticated
  using ({{sessions.user_id}} = (select auth.uid()))
  with check ({{sessions.user_id}} = (select auth.uid()));

drop policy if exists sessions_delete_own on {{sessions_target}};
create policy sessions_delete_own on {{sessions_target}} for delete to authenticated
  using ({{sessions.user_id}} = (select auth.uid()));

-- From each relation by name, and first of all: default privileges (Supabase's are such) may have opened it to everyone.
revoke all on
  {{sessions_target}},
  {{target_schema}}.{{partition.active}},
  {{target_schema}}.{{partition.archived}},
  {{target_schema}}.{{partition.deleted}},
  private.session_keys
from public, anon, authenticated, service_role;

grant select, insert, update, delete on {{sessions_target}} to authenticated;
-- The partitions stay closed to the API, service_role as well: whoever goes through their parent needs no privilege on
-- them. So does the registry: only triggers write to it.
grant all on {{sessions_target}} to service_role;
