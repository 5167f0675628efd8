-- How many sessions have other figures than their rows give, in one snapshot. Reads only.

select count(*)::integer as drifted
from private.session_counts c
  full join private.session_figures(array(
    select k.id from private.session_keys k union select r.session_id from private.session_rollup r
  )) f on f.session_id = c.session_id
where row (c.*) is distinct from row (f.*);
