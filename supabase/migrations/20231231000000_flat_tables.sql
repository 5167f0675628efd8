-- Generated from plans/sessions/sql by `npm run generate`.
--
-- Baseline: the two flat tables that the next files start from. Makes only what is missing, and so changes nothing in a
-- database that has the tables, flat or migrated.

-- What Supabase brings along and a plain PostgreSQL does not have: the API roles, auth.users and auth.uid().
-- Each part is made only where it is absent, so that a real Supabase is left as it is.

do $do$
declare
  wanted text;
begin
  foreach wanted in array array['anon', 'authenticated', 'service_role'] loop
    continue when to_regrole(wanted) is not null;
    begin
      if wanted = 'service_role' then
        create role service_role nologin bypassrls;
      else
        execute format('create role %I nologin', wanted);
      end if;
    exception
      when insufficient_privilege then
        if wanted <> 'service_role' then
          raise;
        end if;
        create role service_role nologin;
        raise warning 'service_role was made without BYPASSRLS, which % may not grant: row security will hide every row from it', current_user
          using hint = 'As a superuser: ALTER ROLE service_role BYPASSRLS;';
      -- Roles belong to the whole server: somebody made it in another database just now.
      when duplicate_object or unique_violation then
        null;
    end;
    -- Otherwise a role that is no superuser could not try the policies in their name.
    if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
      execute format('grant %I to %I', wanted, current_user);
    end if;
  end loop;
end
$do$;

do $do$
declare
  place text;
begin
  if to_regnamespace('auth') is null then
    create schema auth;
    comment on schema auth is 'Stand-in for the auth schema of Supabase.';
  end if;
  foreach place in array array['auth', $identifier$"public"$identifier$] loop
    -- Only the owner can grant, and only where something is missing is there anything to grant.
    continue when not exists (
      select from pg_catalog.pg_namespace n
       where n.oid = to_regnamespace(place) and pg_has_role(n.nspowner, 'usage')
         and not (has_schema_privilege('anon', n.oid, 'usage')
                  and has_schema_privilege('authenticated', n.oid, 'usage')
                  and has_schema_privilege('service_role', n.oid, 'usage'))
    );
    execute format('grant usage on schema %s to anon, authenticated, service_role', place);
  end loop;
end
$do$;

do $do$
begin
  if to_regclass('auth.users') is null then
    create table auth.users (
      id uuid constraint users_pkey primary key,
      email text,
      created_at timestamptz default now()
    );
    comment on table auth.users is 'Stand-in for the users of Supabase: only what the tables of this database refer to.';
  end if;
end
$do$;

do $do$
begin
  if to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid
    language sql stable parallel safe
    set search_path = pg_catalog, pg_temp
    as $function$
      -- Both of PostgREST's settings: all claims as JSON (current), and one setting per claim (before version 9).
      select nullif(coalesce(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub',
        current_setting('request.jwt.claim.sub', true)
      ), '')::uuid
    $function$;
    comment on function auth.uid() is 'The id of the user who calls, or null: stand-in for the function of Supabase.';
    grant execute on function auth.uid() to anon, authenticated, service_role;
  end if;
end
$do$;

-- Where the move begins: two plain tables with text where the end state has enums.

create table if not exists "public"."sessions" (
  "id" uuid primary key default gen_random_uuid(),
  "user_id" uuid not null references auth.users (id) on delete cascade,
  "language" text not null,
  "level" text not null,
  "status" text not null default 'active',
  "title" text,
  "created_at" timestamptz not null default now(),
  "updated_at" timestamptz not null default now(),
  "last_accessed" timestamptz not null default now()
);

create table if not exists "public"."messages" (
  "id" uuid primary key default gen_random_uuid(),
  "session_id" uuid not null references "public"."sessions" ("id") on delete cascade,
  "user_id" uuid not null references auth.users (id) on delete cascade,
  "type" text not null default 'text',
  "sequence_number" integer not null,
  "content" text not null,
  "created_at" timestamptz not null default now()
);
