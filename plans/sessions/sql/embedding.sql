-- Relationships for PostgREST: select=*,messages(*) on sessions and select=*,sessions(*) on messages. It finds them by
-- foreign keys, and messages refer to the registry now. With a search_path of their own, as Supabase's linter asks of every
-- function: so each is called once a row, by its index, where the planner could have put them in their place as a join.

create or replace function {{messages}}({{sessions}}) returns setof {{messages}}
language sql stable
set search_path = pg_catalog, pg_temp
as $function$
  select m.* from {{messages}} m where m.{{messages.session_id}} operator(pg_catalog.=) $1.{{sessions.id}}
$function$;

create or replace function {{sessions}}({{messages}}) returns setof {{sessions}} rows 1
language sql stable
set search_path = pg_catalog, pg_temp
as $function$
  select s.* from {{sessions}} s where s.{{sessions.id}} operator(pg_catalog.=) $1.{{messages.session_id}}
$function$;

revoke all on function {{messages}}({{sessions}}), {{sessions}}({{messages}}) from public, anon, authenticated, service_role;
grant execute on function {{messages}}({{sessions}}), {{sessions}}({{messages}}) to authenticated, service_role;

-- PostgREST reads its schema cache again; nobody listens where there is none.
notify pgrst, 'reload schema';
