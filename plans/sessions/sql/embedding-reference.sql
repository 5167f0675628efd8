-- The same two relationships for a table of the application's that refers to sessions, and so to the registry now. Made where
-- nobody has such a function already.

do $do$
begin
  if to_regprocedure($identifier${{reference}}({{sessions}})$identifier$) is null then
    create function {{reference}}({{sessions}}) returns setof {{reference}}
    language sql stable
    set search_path = pg_catalog, pg_temp
    as $function$
      select r.* from {{reference}} r where r.{{reference.column}} operator(pg_catalog.=) $1.{{sessions.id}}
    $function$;
    revoke all on function {{reference}}({{sessions}}) from public, anon, authenticated, service_role;
    grant execute on function {{reference}}({{sessions}}) to authenticated, service_role;
    -- One row at most: to PostgREST a relationship to one.
    if exists (
      select from pg_catalog.pg_index i join pg_catalog.pg_attribute a on a.attrelid = i.indrelid
       where i.indrelid = $identifier${{reference}}$identifier$::regclass and i.indisunique and i.indpred is null
         and i.indnatts = 1 and i.indkey[0] = a.attnum
         and '"' || replace(a.attname::text, '"', '""') || '"' = $identifier${{reference.column}}$identifier$
    ) then
      alter function {{reference}}({{sessions}}) rows 1;
    end if;
  end if;

  if to_regprocedure($identifier${{sessions}}({{reference}})$identifier$) is null then
    create function {{sessions}}({{reference}}) returns setof {{sessions}} rows 1
    language sql stable
    set search_path = pg_catalog, pg_temp
    as $function$
      select s.* from {{sessions}} s where s.{{sessions.id}} operator(pg_catalog.=) $1.{{reference.column}}
    $function$;
    revoke all on function {{sessions}}({{reference}}) from public, anon, authenticated, service_role;
    grant execute on function {{sessions}}({{reference}}) to authenticated, service_role;
  end if;
end
$do$;
