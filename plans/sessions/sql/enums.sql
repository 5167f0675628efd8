-- The four enums, and for each an assignment cast from text: a statement that an application prepared while the column
-- was text, or one that says $1::text, keeps working for writes. Never an implicit cast, and none back to text: it makes
-- the foreign-key check itself ambiguous (42725).

do $do$
declare
  enum record;
  existing oid;
  labels text[];
begin
  for enum in
    select name, wanted from (values
      ('session_language', array['en', 'es', 'fr', 'de']),
      ('session_level', array['beginner', 'intermediate', 'advanced']),
      ('session_status', array['active', 'archived', 'deleted']),
      ('message_type', array['text', 'audio', 'system'])
    ) as enums (name, wanted)
  loop
    select t.oid into existing from pg_catalog.pg_type t
     where t.typname = enum.name and t.typnamespace = $identifier${{schema}}$identifier$::regnamespace;

    if existing is null then
      execute format('create type {{schema}}.%I as enum (%s)', enum.name,
        (select string_agg(quote_literal(label), ', ' order by place) from unnest(enum.wanted) with ordinality as l (label, place)));
      existing := format('{{schema}}.%I', enum.name)::regtype;
    else
      -- Order counts: it decides how values sort and compare.
      select coalesce(array_agg(e.enumlabel::text order by e.enumsortorder), '{}') into labels
        from pg_catalog.pg_enum e where e.enumtypid = existing;
      if labels <> enum.wanted then
        raise exception using
          errcode = 'duplicate_object',
          message = format('The type %s exists, but not as the enum (%s).', existing::regtype, array_to_string(enum.wanted, ', ')),
          detail = case when labels = '{}' then 'It is no enum.' else format('It has (%s).', array_to_string(labels, ', ')) end,
          hint = format('Rename it, or bring its labels into this order: ALTER TYPE %s RENAME TO %I;', existing::regtype, enum.name || '_old');
      end if;
    end if;

    if not exists (select from pg_catalog.pg_cast c where c.castsource = 'text'::regtype and c.casttarget = existing) then
      execute format('create cast (text as %s) with inout as assignment', existing::regtype);
    end if;
  end loop;
end
$do$;
