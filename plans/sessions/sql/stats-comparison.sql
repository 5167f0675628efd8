-- Every session's figures beside what its rows give, in one snapshot: how many were compared, how many differ, and of the
-- first of those each figure that does. Reads only.

with compared as materialized (
  select coalesce(c.session_id, f.session_id) as session_id, f as noted, c as counted, row (c.*) is distinct from row (f.*) as differs
  from private.session_counts c
    full join private.session_figures(array(
      select k.id from private.session_keys k union select r.session_id from private.session_rollup r
    )) f on f.session_id = c.session_id
), first as (
  select d.* from compared d where d.differs order by d.session_id limit $1
)
select
  (select count(*) from private.session_keys)::float8 as sessions,
  (select count(*) from compared d where d.differs)::float8 as drifted,
  coalesce((
    select jsonb_agg(jsonb_build_object('session', first.session_id, 'figure', figure.key,
                                        'noted', to_jsonb(first.noted) ->> figure.key, 'counted', to_jsonb(first.counted) ->> figure.key)
                     order by first.session_id, figure.key)
    from first, jsonb_object_keys(coalesce(to_jsonb(first.noted), to_jsonb(first.counted))) as figure (key)
    where figure.key <> 'session_id'
      and to_jsonb(first.noted) ->> figure.key is distinct from to_jsonb(first.counted) ->> figure.key
  ), '[]') as differences;
