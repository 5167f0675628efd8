-- Undoes embedding-reference.sql, where the table is still there.

do $do$
begin
  if to_regclass($identifier${{reference}}$identifier$) is null then
    return;
  end if;
  if exists (select from pg_catalog.pg_proc p where p.oid = to_regprocedure($identifier${{reference}}({{sessions}})$identifier$)
                and p.proretset and p.prorettype = $identifier${{reference}}$identifier$::regtype) then
    drop function {{reference}}({{sessions}});
  end if;
  if exists (select from pg_catalog.pg_proc p where p.oid = to_regprocedure($identifier${{sessions}}({{reference}})$identifier$)
                and p.proretset and p.prorettype = $identifier${{sessions}}$identifier$::regtype) then
    drop function {{sessions}}({{reference}});
  end if;
end
$do$;
