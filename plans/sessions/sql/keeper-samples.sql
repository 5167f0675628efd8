-- The figures over time. `tandem serve` and a job of pg_cron note the same ones.

-- Sizes and rows of the partitions, what waits, and how long the last refresh took. The same figure a second time in one
-- transaction is the first one.
create or replace function keeper.sample_figures() returns void
language sql
set search_path = ''
as $function$
  with partitions (status, oid) as (
    values ('active', to_regclass($identifier${{schema}}.{{partition.active}}$identifier$)),
           ('archived', to_regclass($identifier${{schema}}.{{partition.archived}}$identifier$)),
           ('deleted', to_regclass($identifier${{schema}}.{{partition.deleted}}$identifier$))
  )
  insert into keeper.samples (series, label, value)
  select 'partition_bytes', p.status, pg_total_relation_size(p.oid) from partitions p where p.oid is not null
  union all
  -- As of the last ANALYZE; before the first, nobody knows.
  select 'partition_rows', p.status, c.reltuples from partitions p join pg_catalog.pg_class c on c.oid = p.oid where c.reltuples >= 0
  union all
  (select 'stats_refresh_seconds', '', extract(epoch from r.ended_at - r.started_at) from keeper.stats_refreshes r
    where r.mode <> 'skipped' and r.error is null and r.ended_at is not null order by r.id desc limit 1)
  union all
  select 'dirty_sessions', '', count(distinct q.session_id) from private.session_changes q
  on conflict do nothing
$function$;

-- One sample an hour of what is older than a day, and nothing of what is older than 30 days.
create or replace function keeper.thin_samples() returns void
language sql
set search_path = ''
as $function$
  delete from keeper.samples s
   where s.taken_at < now() - interval '30 days'
      or s.taken_at < now() - interval '1 day' and exists (
           select from keeper.samples earlier
            where earlier.series = s.series and earlier.label = s.label
              and earlier.taken_at >= date_trunc('hour', s.taken_at) and earlier.taken_at < s.taken_at)
$function$;

-- All of it, for a scheduler in the database: with the question to the search in each language that `tandem serve` asks.
create or replace function keeper.take_samples() returns void
language plpgsql
set search_path = ''
as $function$
declare
  probe record;
  began timestamptz;
begin
  perform keeper.sample_figures();
  for probe in values ('en', 'lessons'), ('es', 'lecciones'), ('fr', 'exercices'), ('de', 'Lektionen') loop
    began := clock_timestamp();
    begin
      perform from {{schema}}.search_messages(
        probe.column2, language => probe.column1::{{schema}}.session_language, correct_spelling => false);
      insert into keeper.samples (series, label, value)
      values ('search_seconds', probe.column1, extract(epoch from clock_timestamp() - began)), ('search_failed', probe.column1, 0)
      on conflict do nothing;
    exception when others then
      insert into keeper.samples (series, label, value) values ('search_failed', probe.column1, 1) on conflict do nothing;
      raise warning 'The probe of the search in % failed: %', probe.column1, sqlerrm;
    end;
  end loop;
  if extract(minute from now()) = 0 then
    perform keeper.thin_samples();
  end if;
end
$function$;

revoke all on function keeper.sample_figures(), keeper.thin_samples(), keeper.take_samples() from public;
