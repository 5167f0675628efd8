import type { Status } from '../engine/status.ts';
import { colors as pc } from './colors.ts';
import { formatCount, formatDuration } from './format.ts';

const MARKS = {
  pending: pc.dim('·'),
  running: pc.cyan('▸'),
  done: pc.green('✔'),
  failed: pc.red('✖'),
  reverted: pc.yellow('↩'),
} as const;

const NEXT: Partial<Record<Status['phase'], string>> = {
  none: 'No run yet: `tandem plan` shows what one would do.',
  ready: '`tandem migrate` swaps the names.',
  baking: '`tandem verify`, then `tandem finish` drops the old tables, or `tandem rollback` returns to them.',
  rolled_back: 'The flat tables are live. `tandem migrate` begins anew.',
  finished: 'The new tables stand alone. `tandem verify` looks at them.',
};

/** The status for people: phase, steps with their notes, a line a table, who holds the run. */
export function renderStatus(status: Status): string {
  return [
    `${pc.bold('plan')} ${status.plan}   ${pc.bold('phase')} ${status.phase}`,
    ...cutoverLines(status),
    ...stepLines(status),
    ...tableLines(status),
    ...status.quarantined.map(
      (row) => `  ${pc.yellow('quarantined')} ${row.table} ${row.key.join(',')}: ${row.reason}`,
    ),
    ...olderBackendLines(status),
    ...(status.way_back ?? []).map((obstacle) => pc.yellow(`a rollback would wait: ${obstacle}`)),
    ...status.warnings.map((warning) => pc.yellow(warning)),
    ...holderLines(status),
    ...(status.holder === null && NEXT[status.phase] ? [`next: ${NEXT[status.phase]}`] : []),
  ].join('\n');
}

function cutoverLines({ cutover_at, cutover_lock_ms, cutover_attempts }: Status): string[] {
  if (cutover_at === null) return [];
  const held =
    cutover_lock_ms === null ? '' : `, locks held ${cutover_lock_ms.toFixed(1)} ms, attempt ${cutover_attempts}`;
  return [`cutover at ${cutover_at}${held}`];
}

function stepLines({ steps }: Status): string[] {
  const width = Math.max(0, ...steps.map(({ guide }) => guide.length));
  return steps.map((step) => {
    const took = step.elapsed_ms === null ? '' : pc.dim(`  ${formatDuration(step.elapsed_ms / 1000)}`);
    const note = step.note ? pc.dim(`  ${step.note}`) : '';
    return `  ${MARKS[step.state]} ${pc.dim(step.guide.padEnd(width))}  ${step.title}${took}${note}`;
  });
}

function tableLines({ tables }: Status): string[] {
  const width = Math.max(0, ...tables.map(({ source }) => source.length));
  return tables.map(({ source, rows, copied, rate, eta_seconds, lag }) => {
    const percent = rows > 0 ? Math.min(100, Math.floor((copied * 100) / rows)) : 100;
    const parts = [`${percent} % of ${formatCount(rows)} rows copied`];
    if (rate !== null) parts.push(`${formatCount(rate)} rows/s`);
    if (eta_seconds !== null) parts.push(`${formatDuration(eta_seconds)} left`);
    return `  ${source.padEnd(width)}  ${[...parts, `${formatCount(lag)} changes waiting`].join(', ')}`;
  });
}

function olderBackendLines({ older_backends }: Status): string[] {
  if (older_backends === null) return [];
  const { idle, active, idle_in_transaction, hidden } = older_backends;
  const known = idle + active + idle_in_transaction;
  const lines = [];
  if (known > 0) {
    const how = [`${idle} idle`, `${active} active`, `${idle_in_transaction} in a transaction`].join(', ');
    lines.push(
      `${known} ${known === 1 ? 'backend is' : 'backends are'} older than the cutover (${how}), and may hold statements cached before it: \`tandem recycle\` ends idle ones`,
    );
  }
  if (hidden > 0) lines.push(`${hidden} backends of other roles are hidden from this one: it needs pg_read_all_stats`);
  return lines;
}

function holderLines({ holder, paused, waiting_for, lock_attempt }: Status): string[] {
  const lines = [];
  if (lock_attempt) {
    const { purpose, attempt, attempts, reason, at } = lock_attempt;
    lines.push(pc.yellow(`${purpose}: attempt ${attempt} of ${attempts} gave its locks back at ${at}: ${reason}`));
  }
  if (holder) {
    lines.push(
      `held by \`tandem ${holder.command}\` on ${holder.host}, pid ${holder.pid}, since ${holder.since}` +
        (waiting_for === null ? '' : `; ${pc.yellow(`waiting: ${waiting_for}`)}`),
    );
  }
  if (paused) lines.push(pc.yellow('paused: `tandem resume` lets it go on'));
  return lines;
}
