-- `CALL keeper.archive()`: one whole run of the archiving without `tandem`, for pg_cron. Each batch is a transaction of
-- its own, so it cannot be called within one. It does nothing while a `tandem serve` leads, and ends where one begins to;
-- it ends, too, where a throttle holds it back: the next call goes on.
--
-- A procedure that commits cannot pin its search_path: every name here is qualified, and every operator is one that
-- pg_catalog has for just these types: it comes before whatever a schema of the search_path has.
create or replace procedure keeper.archive()
language plpgsql
as $procedure$
declare
  target constant double precision := 200;
  run bigint;
  remark text := keeper.led_by() || ' leads';
  failure text;
  failed text;
  attempts integer := 0;
  refused text;
  cancelled boolean := false;
  left_out integer;
  transition text;
  since timestamptz;
  since_id uuid;
  size bigint;
  batch record;
  started_at timestamptz;
  elapsed double precision;
  wal_seen pg_lsn;
  wal_seen_at timestamptz;
  wal_rate double precision;
begin
  if remark is null then
    run := keeper.begin_run();
    commit;
  else
    insert into keeper.archive_runs (ended_at, note) values (pg_catalog.clock_timestamp(), remark);
    commit;
    raise notice 'Nothing was done: %', remark;
    return;
  end if;

  if (select p.purge_after is not null and p.archive_directory is not null from keeper.archive_policy p) then
    remark := 'nothing is purged: the policy wants files of it, which only `tandem` writes';
  end if;

  <<transitions>>
  foreach transition in array array['purged', 'deleted', 'archived'] loop
    continue when transition = 'purged' and remark is not null;
    since := null;
    since_id := null;
    size := 100;
    left_out := 0;
    loop
      -- Its own transaction, since somebody's own throttle_sql may not write.
      wal_seen := pg_catalog.pg_current_wal_lsn();
      wal_seen_at := pg_catalog.clock_timestamp();
      if (select c.max_wal_rate is not null from keeper.control c) then
        perform pg_catalog.pg_sleep(0.25);
        wal_rate := (pg_catalog.pg_current_wal_lsn() - wal_seen)
          / extract(epoch from pg_catalog.clock_timestamp() - wal_seen_at);
      end if;
      commit;
      set local transaction_read_only = on;
      failure := keeper.held_back(wal_rate);
      commit;
      if failure is not null then
        remark := pg_catalog.concat_ws('; ', remark, failure);
        failure := null;
        exit transitions;
      end if;

      started_at := pg_catalog.clock_timestamp();
      begin
        if keeper.led_by() is not null then
          remark := pg_catalog.concat_ws('; ', remark, keeper.led_by() || ' leads now');
          exit transitions;
        end if;
        if transition = 'purged' then
          select * into batch from keeper.purge_batch(run, since, since_id, size);
        else
          select * into batch from keeper.move_batch(run, transition, since, since_id, size);
        end if;
        attempts := 0;
      exception
        -- Somebody else was at the same rows at that moment.
        when serialization_failure or deadlock_detected or lock_not_available then
          attempts := attempts + 1;
          failure := case when attempts > 10 then sqlerrm end;
          batch := null;
        -- A trigger or a foreign key of the application's refuses a session.
        when data_exception or integrity_constraint_violation or triggered_data_change_violation
          or with_check_option_violation or program_limit_exceeded or raise_exception then
          refused := sqlerrm;
        when query_canceled then
          failure := sqlerrm;
          cancelled := true;
        when others then
          failure := sqlerrm;
      end;
      commit;
      if cancelled then
        failed := failure;
        exit transitions;
      end if;
      if refused is not null then
        -- Fewer and fewer, until it is that one: it is left out, and does not keep those behind it.
        if size = 1 then
          failed := coalesce(failed, refused);
          left_out := left_out + 1;
          exit when left_out > 100;
          select d.reached, d.reached_id into since, since_id from keeper.next_due(transition, since, since_id) d;
          commit;
          exit when since_id is null;
          remark := case when left_out = 1 then pg_catalog.concat_ws('; ', remark, pg_catalog.concat('left out: ', since_id))
                         else pg_catalog.concat_ws(', ', remark, since_id) end;
        end if;
        size := greatest(1, size / 2);
        refused := null;
        continue;
      end if;
      if failure is not null then
        -- What goes wrong with purging does not keep others from being archived.
        failed := coalesce(failed, failure);
        failure := null;
        attempts := 0;
        exit;
      end if;
      if attempts > 0 then
        size := greatest(1, size / 2);
        continue;
      end if;
      exit when batch.taken = 0;
      elapsed := 1000.0 * extract(epoch from pg_catalog.clock_timestamp() - started_at);
      size := least(5000, size * 2, greatest(1, size / 2, pg_catalog.round(batch.taken::double precision * target / elapsed)::bigint));
      since := batch.reached;
      since_id := batch.reached_id;
    end loop;
  end loop;

  if not cancelled then
    perform keeper.forget_moves(100000);
  end if;
  update keeper.archive_runs r
     set ended_at = pg_catalog.clock_timestamp(), error = failed, note = remark where r.id = run;
  commit;
  perform keeper.end_run(run);
  if cancelled then
    raise query_canceled using message = failed;
  end if;
  if failed is not null then
    raise exception 'Run % of the archiving failed: %', run, failed using hint = 'Another one goes on.';
  end if;
end
$procedure$;

comment on procedure keeper.archive() is
  'One run of the archiving, in batches that are committed one by one; what it did is a row of keeper.archive_runs.';

revoke all on procedure keeper.archive() from public;
