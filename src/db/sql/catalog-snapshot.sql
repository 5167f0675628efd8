-- One line of text per object in the schemas of $1. What differs between two databases without meaning anything is left
-- out: oids, owners and what they grant themselves, positions of dropped columns, sizes. Needs an empty search_path.
with
spaces as (
  select n.oid, n.nspname as name, n.nspowner, n.nspacl from pg_namespace n where n.nspname = any ($1::text[])
),
-- What an extension brings along comes and goes with it.
members as (select classid, objid from pg_depend where deptype = 'e'),
relations as (
  select c.*, format('%I.%I', s.name, c.relname) as name
    from pg_class c join spaces s on s.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') and not exists (select from members m where m.classid = 'pg_class'::regclass and m.objid = c.oid)
),
privileges as (
  select oid, kind, sub, string_agg(format('%s=%s', grantee, rights), ' ' order by grantee) as text from (
    select x.oid, x.kind, x.sub, case when a.grantee = 0 then 'PUBLIC' else pg_get_userbyid(a.grantee)::text end as grantee,
           string_agg(a.privilege_type || case when a.is_grantable then '*' else '' end, ',' order by a.privilege_type) as rights
      from (
        select oid, 'schema' as kind, 0 as sub, nspowner as owner, coalesce(nspacl, acldefault('n', nspowner)) as acl from spaces
        union all
        select oid, 'relation', 0, relowner, coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)) from relations
        union all
        select r.oid, 'relation', a.attnum, r.relowner, a.attacl from relations r join pg_attribute a on a.attrelid = r.oid where a.attacl is not null
        union all
        select p.oid, 'function', 0, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)) from pg_proc p join spaces s on s.oid = p.pronamespace
        union all
        select t.oid, 'type', 0, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner)) from pg_type t join spaces s on s.oid = t.typnamespace
      ) x cross join lateral aclexplode(x.acl) a
     where a.grantee <> x.owner
     group by x.oid, x.kind, x.sub, a.grantee
  ) granted group by oid, kind, sub
)
select format('schema %I | privileges %s', s.name, coalesce(p.text, 'none')) as line
  from spaces s left join privileges p on p.oid = s.oid and p.kind = 'schema'

union all
select concat_ws(' | ',
    format('%s %s', case r.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view' when 'm' then 'materialized view'
                                   when 'f' then 'foreign table' when 'S' then 'sequence' else 'composite type' end, r.name),
    case r.relpersistence when 'u' then 'unlogged' end,
    pg_get_partkeydef(r.oid),
    (select format('partition of %s %s', i.inhparent::regclass, pg_get_expr(r.relpartbound, r.oid)) from pg_inherits i where i.inhrelid = r.oid and r.relispartition),
    case when r.relkind in ('r', 'p') then format('row security %s%s', case when r.relrowsecurity then 'on' else 'off' end, case when r.relforcerowsecurity then ', forced' else '' end) end,
    case when r.relkind in ('r', 'p') and r.relreplident <> 'd' then 'replica identity ' || r.relreplident::text end,
    'options ' || array_to_string(r.reloptions, ', '),
    case when r.relkind = 'm' then case when r.relispopulated then 'populated' else 'not populated' end end,
    case when r.relkind in ('v', 'm') then btrim(regexp_replace(pg_get_viewdef(r.oid), '\s+', ' ', 'g')) end,
    (select format('%s from %s by %s, %s to %s%s', format_type(q.seqtypid, null), q.seqstart, q.seqincrement, q.seqmin, q.seqmax, case when q.seqcycle then ', cycle' else '' end)
       from pg_sequence q where q.seqrelid = r.oid),
    case when r.relkind <> 'c' then 'privileges ' || coalesce(p.text, 'none') end)
  from relations r left join privileges p on p.oid = r.oid and p.kind = 'relation' and p.sub = 0

union all
select concat_ws(' | ',
    format('column %s %s %I', r.name, lpad(row_number() over (partition by r.oid order by a.attnum)::text, 2, '0'), a.attname),
    format_type(a.atttypid, a.atttypmod),
    case when a.attcollation <> 0 and a.attcollation <> t.typcollation then (select format('collate %I', collname) from pg_collation where oid = a.attcollation) end,
    case when a.attnotnull then 'not null' end,
    case a.attgenerated when '' then 'default ' else 'generated ' || a.attgenerated::text || ' ' end || pg_get_expr(d.adbin, d.adrelid),
    case when a.attidentity <> '' then 'identity ' || a.attidentity::text end,
    'storage ' || a.attstorage::text,
    case when a.attcompression <> '' then 'compression ' || a.attcompression::text end,
    'options ' || array_to_string(a.attoptions, ', '),
    'privileges ' || p.text)
  from relations r
  join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  left join privileges p on p.oid = r.oid and p.kind = 'relation' and p.sub = a.attnum
 where r.relkind <> 'S'

union all
select concat_ws(' | ', format('constraint %s %I', r.name, c.conname), pg_get_constraintdef(c.oid),
    case when not c.convalidated then 'not validated' end,
    case when c.conparentid <> 0 then 'of the parent' end)
  from relations r join pg_constraint c on c.conrelid = r.oid and c.contype <> 't'

union all
select concat_ws(' | ', format('index %s %s', r.name, c.relname), pg_get_indexdef(i.indexrelid),
    case when not i.indisvalid then 'invalid' end,
    case when not i.indisready then 'not ready' end,
    case when i.indisreplident then 'replica identity' end,
    (select format('part of %s', h.inhparent::regclass) from pg_inherits h where h.inhrelid = i.indexrelid))
  from relations r join pg_index i on i.indrelid = r.oid join pg_class c on c.oid = i.indexrelid

union all
select concat_ws(' | ', format('trigger %s %I', r.name, t.tgname), pg_get_triggerdef(t.oid),
    case t.tgenabled when 'O' then 'enabled' when 'A' then 'enabled always' when 'R' then 'enabled on replica' else 'disabled' end,
    case when t.tgparentid <> 0 then 'of the parent' end)
  from relations r join pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal

union all
select concat_ws(' | ', format('policy %s %I', r.name, p.polname),
    case when p.polpermissive then 'permissive' else 'restrictive' end,
    case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
    'to ' || (select string_agg(case when o = 0 then 'PUBLIC' else pg_get_userbyid(o)::text end, ', ' order by 1) from unnest(p.polroles) o),
    'using ' || regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s+', ' ', 'g'),
    'with check ' || regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\s+', ' ', 'g'))
  from relations r join pg_policy p on p.polrelid = r.oid

union all
select concat_ws(' | ', format('rule %s %I', r.name, w.rulename), regexp_replace(pg_get_ruledef(w.oid), '\s+', ' ', 'g'))
  from relations r join pg_rewrite w on w.ev_class = r.oid and w.rulename <> '_RETURN'

union all
select concat_ws(' | ', format('statistics %I.%I', s.name, x.stxname), pg_get_statisticsobjdef(x.oid))
  from spaces s join pg_statistic_ext x on x.stxnamespace = s.oid

union all
select format('publication %I | %s', b.pubname, r.name)
  from relations r join pg_publication_rel l on l.prrelid = r.oid join pg_publication b on b.oid = l.prpubid

union all
select concat_ws(' | ', format('function %I.%I(%s)', s.name, f.proname, pg_get_function_identity_arguments(f.oid)),
    'returns ' || pg_get_function_result(f.oid),
    'language ' || l.lanname,
    case f.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
    case when f.prosecdef then 'security definer' else 'security invoker' end,
    array_to_string(f.proconfig, ', '),
    'privileges ' || coalesce(p.text, 'none'),
    'definition ' || md5(case when f.prokind in ('f', 'p') then pg_get_functiondef(f.oid) else f.prosrc end))
  from spaces s join pg_proc f on f.pronamespace = s.oid join pg_language l on l.oid = f.prolang
  left join privileges p on p.oid = f.oid and p.kind = 'function'
 where not exists (select from members m where m.classid = 'pg_proc'::regclass and m.objid = f.oid)

union all
select concat_ws(' | ', format('type %I.%I', s.name, t.typname),
    case t.typtype when 'e' then 'enum ' || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)
                   when 'd' then format('domain over %s', format_type(t.typbasetype, t.typtypmod))
                   when 'r' then 'range' when 'm' then 'multirange' else 'base' end,
    (select string_agg(pg_get_constraintdef(c.oid), ', ' order by c.conname) from pg_constraint c where c.contypid = t.oid),
    'privileges ' || coalesce(p.text, 'none'))
  from spaces s join pg_type t on t.typnamespace = s.oid
  left join privileges p on p.oid = t.oid and p.kind = 'type'
 where t.typtype <> 'c' and t.typcategory <> 'A'
   and not exists (select from members m where m.classid = 'pg_type'::regclass and m.objid = t.oid)

union all
select concat_ws(' | ', format('text search configuration %I.%I', s.name, c.cfgname), format('parser %s', p.prsname),
    (select string_agg(format('%s: %s', mapped.alias, mapped.dictionaries), ', ' order by mapped.alias) from (
       select t.alias, string_agg(m.mapdict::regdictionary::text, ' ' order by m.mapseqno) as dictionaries
         from pg_ts_config_map m join ts_token_type(c.cfgparser) t on t.tokid = m.maptokentype
        where m.mapcfg = c.oid group by t.alias) mapped))
  from spaces s join pg_ts_config c on c.cfgnamespace = s.oid join pg_ts_parser p on p.oid = c.cfgparser

union all
select format('extension %I in %I', e.extname, s.name) from spaces s join pg_extension e on e.extnamespace = s.oid

union all
select format('cast %s to %s | %s%s', c.castsource::regtype, c.casttarget::regtype,
    case c.castcontext when 'i' then 'implicit' when 'a' then 'assignment' else 'explicit' end,
    case c.castmethod when 'i' then ', by input and output' when 'b' then ', binary' else format(', by %s', c.castfunc::regprocedure) end)
  from pg_cast c
 where exists (select from pg_type t join spaces s on s.oid = t.typnamespace where t.oid in (c.castsource, c.casttarget))
   and not exists (select from members m where m.classid = 'pg_cast'::regclass and m.objid = c.oid)

union all
select format('comment %s %s | %s', o.type, o.identity, d.description)
  from pg_description d cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) o
 where d.classoid in ('pg_namespace'::regclass, 'pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_constraint'::regclass,
                      'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_ts_config'::regclass)
   and (o.schema = any ($1::text[])
        or o.type = 'schema' and o.name = any ($1::text[])
        or o.schema is null and exists (select from spaces s where position(format(' on %I.', s.name) in o.identity) > 0))
   and not exists (select from members m where m.classid = d.classoid and m.objid = d.objoid)
