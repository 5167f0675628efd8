-- The schema of the keeper, and what all of its tasks share. Every statement can be run again; the other files named
-- keeper-*.sql add to it.

create schema if not exists keeper;
comment on schema keeper is 'Archiving and statistics of the practice sessions. Not exposed by the API, and no API role may use it.';
revoke all on schema keeper from public, anon, authenticated, service_role;

-- Who runs the tasks. The epoch grows with every new holder: what an old one still wants to write is refused by it.
create table if not exists keeper.leader (
  only_row boolean primary key default true check (only_row),
  holder text,
  epoch bigint not null default 0,
  expires_at timestamptz not null default '-infinity'
);
insert into keeper.leader default values on conflict do nothing;

-- The locked row makes a daemon that would lead wait until the caller's transaction has ended: what a job of the
-- database's own scheduler does, and what a daemon does, never overlap. It does not keep one that leads from renewing.
create or replace function keeper.led_by() returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
declare
  lease record;
begin
  select l.holder, l.expires_at > clock_timestamp() as alive into lease from keeper.leader l for key share;
  return case when lease.alive then coalesce(lease.holder, 'a keeper') end;
end
$function$;

comment on function keeper.led_by() is
  'The `tandem serve` that runs the tasks; null where none does, and then none begins before this transaction has ended.';

-- What the tasks are told while they work, by `tandem pause`, `tandem resume` and `tandem throttle`.
create table if not exists keeper.control (
  only_row boolean primary key default true check (only_row),
  paused boolean not null default false,
  max_lag double precision,
  max_wal_rate double precision,
  max_active integer,
  throttle_sql text,
  waiting_for text
);
insert into keeper.control default values on conflict do nothing;

-- The same measures that hold a migration back. To be called in a transaction that reads only, for throttle_sql is
-- somebody's own. The rate of WAL is handed in: it takes two looks.
create or replace function keeper.held_back(wal_rate double precision) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $function$
declare
  control keeper.control := (select c from keeper.control c);
  measure record;
  answer text;
begin
  if control.paused then
    return 'paused by `tandem pause`';
  end if;
  if control.max_lag is not null then
    select count(*) filter (where r.state is null) as hidden, coalesce(max(extract(epoch from r.replay_lag)), 0) as lag
      into measure from pg_catalog.pg_stat_replication r;
    if measure.hidden > 0 then
      return 'max-lag cannot be read: the role needs pg_monitor';
    elsif measure.lag > control.max_lag then
      return format('max-lag: a standby is %s s behind, more than %s s', round(measure.lag, 1), control.max_lag);
    end if;
  end if;
  if wal_rate > control.max_wal_rate then
    return format('max-wal-rate: %s MB of WAL a second, more than %s MB',
      round(wal_rate / 1048576), round(control.max_wal_rate / 1048576));
  end if;
  if control.max_active is not null then
    -- Of sessions that are another role's, a role without pg_monitor is not even told that they are clients.
    select count(*) filter (where a.backend_type is null and a.usesysid is not null) as hidden,
           count(*) filter (where a.state = 'active' and a.backend_type = 'client backend' and a.application_name <> 'tandem'
                              and a.pid <> pg_backend_pid()) as active
      into measure from pg_catalog.pg_stat_activity a;
    if measure.hidden > 0 then
      return 'max-active cannot be read: the role needs pg_monitor';
    elsif measure.active > control.max_active then
      return format('max-active: %s backends are active, more than %s', measure.active, control.max_active);
    end if;
  end if;
  if control.throttle_sql is not null then
    begin
      execute control.throttle_sql into answer;
    exception when others then
      return format('sql cannot be read: %s', sqlerrm);
    end;
    if answer in ('t', 'true') then
      return 'sql: the throttle query says so';
    elsif answer not in ('', 'f', 'false') then
      return format('sql: %s', answer);
    end if;
  end if;
  return null;
end
$function$;

revoke all on function keeper.led_by(), keeper.held_back(double precision) from public;
