-- The partitioned table, its partitions and the registry of session ids, without any key or index: they are built once
-- the rows are in. Constraints on single columns carry the names that they would have in a table called sessions,
-- whatever the table is called while it is being filled.

do $do$
begin
  if to_regnamespace('private') is null then
    create schema private;
    comment on schema private is 'Helpers of the tables. Not exposed by the API, and no API role may use it.';
    revoke all on schema private from public, anon, authenticated, service_role;
  end if;
end
$do$;

create table {{sessions_target}} (
  {{sessions.id}} uuid constraint sessions_id_not_null not null default gen_random_uuid(),
  {{sessions.user_id}} uuid constraint sessions_user_id_not_null not null,
  {{sessions.language}} {{schema}}.session_language constraint sessions_language_not_null not null,
  {{sessions.level}} {{schema}}.session_level constraint sessions_level_not_null not null,
  {{sessions.status}} {{schema}}.session_status constraint sessions_status_not_null not null default 'active',
  {{sessions.title}} text,
  {{sessions.created_at}} timestamptz constraint sessions_created_at_not_null not null default now(),
  {{sessions.updated_at}} timestamptz constraint sessions_updated_at_not_null not null default now(),
  {{sessions.last_accessed}} timestamptz constraint sessions_last_accessed_not_null not null default now()
) partition by list ({{sessions.status}});

create table {{target_schema}}.{{partition.active}} partition of {{sessions_target}} for values in ('active');
create table {{target_schema}}.{{partition.archived}} partition of {{sessions_target}} for values in ('archived');
create table {{target_schema}}.{{partition.deleted}} partition of {{sessions_target}} for values in ('deleted');

comment on table {{sessions_target}} is 'Practice sessions, partitioned by status.';

-- A partition that is queried directly does not ask its parent's policies: each has its own switch, and no policy.
alter table {{sessions_target}} enable row level security;
alter table {{target_schema}}.{{partition.active}} enable row level security;
alter table {{target_schema}}.{{partition.archived}} enable row level security;
alter table {{target_schema}}.{{partition.deleted}} enable row level security;

revoke all on
  {{sessions_target}},
  {{target_schema}}.{{partition.active}},
  {{target_schema}}.{{partition.archived}},
  {{target_schema}}.{{partition.deleted}}
from public, anon, authenticated, service_role;

create table private.session_keys (
  id uuid not null,
  status {{schema}}.session_status not null,
  language {{schema}}.session_language not null
);

comment on table private.session_keys is
  'One row per session, whatever its partition: makes its id unique, is what messages refer to, and tells them their language. Kept by triggers.';

alter table private.session_keys enable row level security;
revoke all on private.session_keys from public, anon, authenticated, service_role;
