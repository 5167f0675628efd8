import type { MigrationView } from '../../../src/server/migration-view.ts';
import { answered, api } from '../api.ts';
import { count, moment, plural } from '../format.ts';
import { useLive } from '../live.ts';
import { MigrationActions } from '../parts/migration-actions.tsx';
import { ProblemNote } from '../parts/problem.tsx';
import { RunLog } from '../parts/run-log.tsx';
import { Stepper } from '../parts/stepper.tsx';
import { TableProgress } from '../parts/table-progress.tsx';
import { WaitStrip } from '../parts/wait-strip.tsx';
import { useData } from '../use-data.ts';

const PHASES: Readonly<Record<string, string>> = {
  none: 'Nothing has been migrated yet.',
  preparing: 'The run prepares the new tables.',
  copying: 'Rows are copied while the application writes.',
  draining: 'The new tables are built, and catch up with what was written meanwhile.',
  ready: 'Everything stands ready for the cutover.',
  baking: 'The new tables serve. The old ones follow every write, so that you can still go back.',
  rolled_back: 'The migration was rolled back. The flat tables serve, with every write.',
  finished: 'The migration is finished.',
};

export function MigrationPage() {
  const { migration: pushed } = useLive();
  const { value, problem, reload } = useData(() => answered(api.migration.$get()), ['migration']);
  const view = pushed ?? value;
  if (!view) {
    return (
      <>
        <h1>Migration</h1>
        <ProblemNote problem={problem} />
      </>
    );
  }
  const { status, guide, run, throttles, lag_seconds, clients } = view;
  const older = olderBackends(status.older_backends);
  const open = !['none', 'rolled_back', 'finished'].includes(status.phase);
  return (
    <>
      <h1>Migration</h1>
      <p class="lead" aria-live="polite">
        {PHASES[status.phase] ?? status.phase}
      </p>
      {status.waiting_for && (
        <p class="notice">
          {status.paused ? 'Paused' : 'Held back'}: {status.waiting_for}
        </p>
      )}
      {status.cutover_at && (
        <p class="quiet">
          Cut over on {moment(status.cutover_at)}
          {status.cutover_lock_ms !== null && `, locks held ${status.cutover_lock_ms.toFixed(1)} ms`}
          {status.cutover_attempts > 1 && ` at attempt ${status.cutover_attempts}`}.
        </p>
      )}
      {status.lock_attempt && (
        <p class="notice">
          {status.lock_attempt.purpose}: attempt {status.lock_attempt.attempt} of {status.lock_attempt.attempts} gave
          its locks back on {moment(status.lock_attempt.at)}: {status.lock_attempt.reason}
        </p>
      )}
      {status.way_back !== null && status.way_back.length > 0 && (
        <div class="notice">
          <p>A rollback would wait:</p>
          <ul>
            {status.way_back.map((obstacle) => (
              <li key={obstacle}>{obstacle}</li>
            ))}
          </ul>
        </div>
      )}
      <MigrationActions view={view} onDone={reload} />
      {run && <RunLog run={run} />}
      {status.holder && run?.ended_at !== null && (
        <p class="quiet">
          <code>tandem {status.holder.command}</code> is at work on {status.holder.host}, process {status.holder.pid},
          since {moment(status.holder.since)}.
        </p>
      )}
      {open && status.tables.length > 0 && (
        <section aria-labelledby="tables">
          <h2 id="tables">Tables</h2>
          <TableProgress tables={status.tables} lag={lag_seconds} waiting={status.waiting_for} />
        </section>
      )}
      {clients && <WaitStrip clients={clients} />}
      {throttles && open && <Throttles throttles={throttles} />}
      {status.quarantined.length > 0 && (
        <section aria-labelledby="quarantine">
          <h2 id="quarantine">Rows that do not fit</h2>
          <ul>
            {status.quarantined.map(({ table, key, reason }) => (
              <li key={`${table} ${JSON.stringify(key)}`}>
                {table} <code>{JSON.stringify(key)}</code>: {reason}
              </li>
            ))}
          </ul>
        </section>
      )}
      {older > 0 && (
        <p class="quiet">
          {plural(older, 'connection')} are older than the cutover, and may hold statements that were prepared for the
          old tables; <code>tandem recycle</code> ends them.
        </p>
      )}
      <section aria-labelledby="guide">
        <h2 id="guide">The guide’s ten steps</h2>
        <Stepper steps={guide} />
      </section>
    </>
  );
}

function olderBackends(found: MigrationView['status']['older_backends']): number {
  return found === null ? 0 : found.idle + found.active + found.idle_in_transaction;
}

function Throttles({
  throttles,
}: {
  throttles: {
    max_lag: number | null;
    max_wal_rate: number | null;
    max_active: number | null;
    throttle_sql: string | null;
  };
}) {
  const limits = [
    throttles.max_lag !== null && `a standby is more than ${throttles.max_lag} s behind`,
    throttles.max_wal_rate !== null &&
      `more than ${count(throttles.max_wal_rate / 1024 ** 2)} MB of WAL is written a second`,
    throttles.max_active !== null && `more than ${throttles.max_active} other sessions are active`,
    throttles.throttle_sql !== null && `this query says so: ${throttles.throttle_sql}`,
  ].filter((limit) => limit !== false);
  if (limits.length === 0) return null;
  return <p class="quiet">The run is held back while {limits.join(', or while ')}.</p>;
}
