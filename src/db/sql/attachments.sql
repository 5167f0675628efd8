-- One row for everything that hangs on the relations of $1: on themselves, and on the views, materialized views, functions
-- with a parsed body and policies of other tables that read them, at any depth. Foreign keys are not among them.
-- `definition` is what is compared. Needs an empty search_path.
with recursive
reader (class, oid) as (
  select 'pg_class'::regclass::oid, t::regclass::oid from unnest($1::text[]) as t
  union
  select x.class, x.oid
    from reader r
    join pg_depend d on d.refclassid = r.class and d.refobjid = r.oid
   cross join lateral (
     select 'pg_class'::regclass::oid as class, w.ev_class as oid
       from pg_rewrite w where d.classid = 'pg_rewrite'::regclass and w.oid = d.objid and w.rulename = '_RETURN'
     union all
     select d.classid, p.oid from pg_proc p where d.classid = 'pg_proc'::regclass and p.oid = d.objid and p.prosqlbody is not null
     union all
     select d.classid, p.oid from pg_policy p where d.classid = 'pg_policy'::regclass and p.oid = d.objid
   ) x
),
relations as (
  select c.*, c.oid::regclass::text as name from pg_class c join reader r on r.class = 'pg_class'::regclass and r.oid = c.oid
),
functions as (
  select p.*, p.oid::regprocedure::text as name from pg_proc p join reader r on r.class = 'pg_proc'::regclass and r.oid = p.oid
),
policies as (
  select p.*, p.polrelid::regclass::text as table_name from pg_policy p
   where p.polrelid in (select oid from relations) or p.oid in (select oid from reader where class = 'pg_policy'::regclass)
),
-- Identity columns have theirs, and serial columns own one.
sequences as (
  select q.*, s.oid::regclass::text as name, s.relowner, s.relacl, d.deptype, a.attname, a.attidentity, r.name as table_name,
         format('%s from %s by %s, %s to %s, cache %s%s', format_type(q.seqtypid, null), q.seqstart, q.seqincrement, q.seqmin, q.seqmax,
                q.seqcache, case when q.seqcycle then ', cycle' end) as counts
    from relations r
    join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = r.oid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i')
    join pg_class s on s.oid = d.objid and s.relkind = 'S'
    join pg_sequence q on q.seqrelid = s.oid
    join pg_attribute a on a.attrelid = r.oid and a.attnum = d.refobjsubid
),
-- Where the rows are: storage is a matter of each partition.
leaves as (
  select r.oid as root, r.name, r.oid from relations r where r.relkind <> 'p'
  union all
  select r.oid, r.name, t.relid from relations r cross join lateral pg_partition_tree(r.oid) t where r.relkind = 'p' and t.isleaf
),
storage as (
  select l.root, l.name, l.oid, 'storage option ' || o.option_name as what, o.option_value as value, null::name as attname
    from leaves l
    join pg_class c on c.oid = l.oid
    left join pg_class t on t.oid = c.reltoastrelid
   cross join lateral (
     select option_name, option_value from pg_options_to_table(c.reloptions)
     union all
     select 'toast.' || option_name, option_value from pg_options_to_table(t.reloptions)) o
  union all
  select l.root, l.name, l.oid, v.what || quote_ident(a.attname), v.value, a.attname
    from leaves l
    join pg_attribute a on a.attrelid = l.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
   cross join lateral (values
     ('storage of column ', case when a.attstorage <> t.typstorage then a.attstorage::text end),
     ('compression of column ', nullif(a.attcompression::text, '')),
     ('statistics target of column ', nullif(a.attstattarget, -1)::text),
     ('options of column ', array_to_string(a.attoptions, ', '))) v (what, value)
   where v.value is not null
  union all
  select l.root, l.name, l.oid, 'replica identity', i.value, null
    from leaves l
    join pg_class c on c.oid = l.oid and c.relkind = 'r'
   cross join lateral (
     select case c.relreplident when 'f' then 'full' when 'n' then 'nothing' end
      where c.relreplident in ('f', 'n')
     union all
     -- By the primary key, it is what it is by default.
     select format('index %I', coalesce(p.relname, x.relname))
       from pg_index i join pg_class x on x.oid = i.indexrelid
       left join pg_inherits h on h.inhrelid = x.oid left join pg_class p on p.oid = h.inhparent
      where i.indrelid = c.oid and i.indisreplident and not i.indisprimary) i (value)
),
granted as (
  select on_name, what, bool_or(grantable) as grantable, grantee, attname from (
    select x.on_name, x.attname, a.is_grantable as grantable,
           case when a.grantee = 0 then 'PUBLIC' else pg_get_userbyid(a.grantee)::text end as grantee,
           format('grant %s%s to %s', a.privilege_type, ' (' || quote_ident(x.attname) || ')',
                  case when a.grantee = 0 then 'PUBLIC' else quote_ident(pg_get_userbyid(a.grantee)) end) as what
      from (
        select name as on_name, relowner as owner, relacl as acl, null::name as attname from relations
        union all
        select r.name, r.relowner, a.attacl, a.attname from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
        union all
        select name, relowner, relacl, null from sequences
        union all
        select name, proowner, coalesce(proacl, acldefault('f', proowner)), null from functions
      ) x cross join lateral aclexplode(x.acl) a
     where a.grantee <> x.owner
  ) g group by on_name, what, grantee, attname
),
found (kind, what, on_name, definition, columns, grantee, position, counts_up) as (
  select 'owner', 'owner', name, pg_get_userbyid(relowner)::text, null::text[], null::text, null::text, null::boolean from relations
  union all
  select 'owner', 'owner', name, pg_get_userbyid(proowner), null, null, null, null from functions
  union all
  select 'grant', what, on_name, case when grantable then 'with grant option' else '' end,
         case when attname is not null then array[attname::text] end, grantee, null, null
    from granted
  union all
  select 'row security', v.what, r.name, '', null, null, null, null
    from relations r cross join lateral (values ('row security', r.relrowsecurity), ('forced row security', r.relforcerowsecurity)) v (what, is_on)
   where v.is_on
  union all
  select 'policy', format('policy %I', polname), table_name,
         concat_ws(' ', case when polpermissive then 'permissive' else 'restrictive' end,
           case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
           'to ' || (select string_agg(case when o = 0 then 'PUBLIC' else pg_get_userbyid(o)::text end, ', ' order by 1) from unnest(polroles) o),
           'using ' || pg_get_expr(polqual, polrelid), 'with check ' || pg_get_expr(polwithcheck, polrelid)),
         null, null, null, null
    from policies
  union all
  select 'trigger', format('trigger %I', t.tgname), r.name,
         pg_get_triggerdef(t.oid) || case t.tgenabled when 'O' then '' when 'A' then ' enabled always' when 'R' then ' enabled on replicas' else ' disabled' end,
         null, null, null, null
    from relations r join pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal and t.tgname not like 'tandem\_%'
  union all
  select 'comment', 'comment of ' || o.what, o.on_name, d.description, o.columns, null, null, null
    from (
      select 'pg_class'::regclass::oid as class, oid, 0 as sub, case relkind when 'v' then 'the view' when 'm' then 'the materialized view' else 'the table' end as what, name as on_name, null::text[] as columns
        from relations
      union all
      select 'pg_class'::regclass, r.oid, a.attnum, format('column %I', a.attname), r.name, null from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0
      union all
      select 'pg_policy'::regclass, oid, 0, format('policy %I', polname), table_name, null from policies
      union all
      select 'pg_trigger'::regclass, t.oid, 0, format('trigger %I', t.tgname), r.name, null from relations r join pg_trigger t on t.tgrelid = r.oid and not t.tgisinternal
      union all
      select 'pg_constraint'::regclass, c.oid, 0, format('constraint %I', c.conname), r.name,
             (select array_agg(a.attname::text order by a.attname) from pg_attribute a where a.attrelid = r.oid and a.attnum = any (c.conkey))
        from relations r join pg_constraint c on c.conrelid = r.oid and c.contype in ('c', 'u', 'x')
      union all
      select 'pg_class'::regclass, x.oid, 0, format('index %I', x.relname), r.name, null from relations r join pg_index i on i.indrelid = r.oid and not i.indisprimary join pg_class x on x.oid = i.indexrelid
      union all
      select 'pg_statistic_ext'::regclass, e.oid, 0, format('statistics %I', e.stxname), r.name, null from relations r join pg_statistic_ext e on e.stxrelid = r.oid
      union all
      select 'pg_class'::regclass, seqrelid, 0, 'sequence ' || name, table_name, null from sequences
      union all
      select 'pg_proc'::regclass, oid, 0, 'the function', name, null from functions
    ) o join pg_description d on d.classoid = o.class and d.objoid = o.oid and d.objsubid = o.sub
  union all
  select case when a.attgenerated = '' then 'default' else 'generated column' end,
         case when a.attgenerated = '' then 'default of column ' else 'generated column ' end || quote_ident(a.attname), r.name,
         pg_get_expr(d.adbin, d.adrelid) || case a.attgenerated when 's' then ' stored' when 'v' then ' virtual' else '' end,
         array[a.attname::text], null, null, null
    from relations r join pg_attrdef d on d.adrelid = r.oid join pg_attribute a on a.attrelid = r.oid and a.attnum = d.adnum
  union all
  select 'not null', format('NOT NULL of column %I', a.attname), r.name, '', array[a.attname::text], null, null, null
    from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and a.attnotnull and not a.attisdropped
  union all
  select 'sequence', case deptype when 'i' then 'identity of column ' || quote_ident(attname) else 'sequence ' || name end, table_name,
         case deptype when 'i' then case attidentity when 'a' then 'always, ' else 'by default, ' end || name else format('owned by column %I', attname) end
           || ', ' || counts,
         array[attname::text], null,
         -- Without a privilege on it, version 15 raises an error.
         case when has_sequence_privilege(seqrelid, 'USAGE, SELECT') then pg_sequence_last_value(seqrelid)::text end, seqincrement > 0
    from sequences
  union all
  select case c.contype when 'c' then 'check' when 'p' then 'primary key' when 'u' then 'unique' else 'exclusion' end,
         case c.contype when 'c' then 'check' when 'p' then 'primary key' when 'u' then 'unique' else 'exclusion' end || format(' constraint %I', c.conname),
         r.name, pg_get_constraintdef(c.oid),
         (select array_agg(a.attname::text order by a.attname) from pg_attribute a where a.attrelid = r.oid and a.attnum = any (c.conkey)), null, null, null
    from relations r join pg_constraint c on c.conrelid = r.oid and c.contype in ('c', 'p', 'u', 'x')
  union all
  select 'index', format('index %I', x.relname), r.name,
         replace(pg_get_indexdef(x.oid), ' ON ONLY ', ' ON ') || case when i.indisvalid then '' else ' (not valid)' end, null, null, null, null
    from relations r join pg_index i on i.indrelid = r.oid join pg_class x on x.oid = i.indexrelid
   where not exists (select from pg_constraint c where c.conindid = x.oid and c.contype in ('p', 'u', 'x'))
  union all
  select 'statistics', format('statistics %I.%I', n.nspname, e.stxname), r.name,
         pg_get_statisticsobjdef(e.oid) || coalesce(' with target ' || nullif(e.stxstattarget, -1), ''), null, null, null, null
    from relations r join pg_statistic_ext e on e.stxrelid = r.oid join pg_namespace n on n.oid = e.stxnamespace
  union all
  select case when s.what ~ '^(storage|compression) of ' then 'column storage' else 'storage' end, s.what, s.name,
         string_agg(distinct s.value, ' and ') || case when count(*) < (select count(*) from leaves l where l.root = s.root) then ', not on every partition' else '' end,
         case when s.attname is not null then array[s.attname::text] end, null, null, null
    from storage s group by s.root, s.name, s.what, s.attname
  union all
  select 'publication', format('publication %I', p.pubname), r.name,
         concat_ws(', ', l.what, case when r.relkind = 'p' and not p.pubviaroot then 'under the names of its partitions' end), null, null, null, null
    from relations r
   cross join pg_publication p
   cross join lateral (
     select concat_ws(' ', '(' || (select string_agg(a.attname, ', ' order by a.attname) from pg_attribute a where a.attrelid = r.oid and a.attnum = any (l.prattrs::int2[])) || ')',
                      'where ' || pg_get_expr(l.prqual, l.prrelid)) as what
       from pg_publication_rel l where l.prpubid = p.oid and l.prrelid = r.oid
     union all
     select 'its schema' from pg_publication_namespace n where n.pnpubid = p.oid and n.pnnspid = r.relnamespace
     union all
     select 'all tables' where p.puballtables) l
   where r.relkind in ('r', 'p')
  union all
  select case relkind when 'v' then 'view' else 'materialized view' end, case relkind when 'v' then 'view ' else 'materialized view ' end || name, null,
         pg_get_viewdef(oid) || case when relispopulated then '' else ' (not populated)' end, null, null, null, null
    from relations where relkind in ('v', 'm')
  union all
  select 'function', 'function ' || name, null, pg_get_functiondef(oid), null, null, null, null from functions
)
select kind, what, on_name as "on", (select t from unnest($1::text[]) as t where t::regclass::text = on_name) as "table", definition, columns, grantee, position, counts_up as "countsUp" from found
order by on_name nulls last, kind, what
