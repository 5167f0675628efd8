import type { PlanDescription } from '../engine/describe-plan.ts';
import type { PlannedStatement } from '../engine/step.ts';
import { colors as pc } from './colors.ts';
import { describeFinding } from './describe-event.ts';
import { formatBytes, formatCount, formatDuration } from './format.ts';

/** The plan as a person reads it: tables, what it takes, steps with their locks, what was found, and the verdict. */
export function renderPlan(plan: PlanDescription): string {
  return [
    pc.bold(plan.title),
    ...section('Tables', tableLines(plan)),
    ...section('Takes', needLines(plan)),
    ...section('Steps', stepLines(plan)),
    ...section('Findings', plan.findings.flatMap(describeFinding)),
    '',
    verdict(plan),
  ].join('\n');
}

export function verdict({ ok, findings, run }: PlanDescription): string {
  const blocking = findings.filter(({ severity }) => severity === 'blocks').length;
  if (!ok) return pc.red(`${blocking} ${blocking === 1 ? 'finding blocks' : 'findings block'} the migration.`);
  if (run) return pc.green(`A run is open, and is ${run.phase}: \`tandem migrate\` goes on with it.`);
  return pc.green('Nothing blocks the migration: `tandem migrate` begins it.');
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', pc.bold(title), ...lines.map((line) => `  ${line}`)];
}

function tableLines({ tables }: PlanDescription): string[] {
  const names = tables.map(({ source, target }) => `${source} → ${target}`);
  const width = Math.max(0, ...names.map((name) => name.length));
  return tables.map(
    ({ rows, bytes }, i) => `${names[i]?.padEnd(width)}  about ${formatCount(rows)} rows, ${formatBytes(bytes)}`,
  );
}

function needLines({ tables, disk_bytes, estimated_seconds }: PlanDescription): string[] {
  if (tables.length === 0) return [];
  return [
    `disk  about ${formatBytes(disk_bytes)} beside the tables, until \`tandem finish\` drops the old ones`,
    `time  about ${formatDuration(estimated_seconds)} on an idle server`,
  ];
}

function stepLines({ steps }: PlanDescription): string[] {
  const width = Math.max(0, ...steps.map(({ guide }) => guide.length));
  const indent = ' '.repeat(width + 2);
  return steps.flatMap(({ guide, title, state, statements }) => [
    `${pc.cyan(guide.padEnd(width))}  ${title}${state === null || state === 'pending' ? '' : pc.dim(`  ${state}`)}`,
    ...(statements.length === 0 ? [pc.dim(`${indent}nothing to do`)] : []),
    ...groups(statements).map(
      ({ count, lock, cost }) =>
        `${indent}${pc.dim(`${count} ${count === 1 ? 'statement' : 'statements'}, ${cost}; `)}${lock === null ? pc.dim('no lock on a live table') : lock}`,
    ),
  ]);
}

/** Statements that take the same lock at the same cost are one line. */
function groups(statements: readonly PlannedStatement[]): { count: number; lock: string | null; cost: string }[] {
  const found = new Map<string, { count: number; lock: string | null; cost: string }>();
  for (const { lock, cost } of statements) {
    const key = JSON.stringify([lock, cost]);
    const group = found.get(key);
    if (group) group.count += 1;
    else found.set(key, { count: 1, lock, cost });
  }
  return [...found.values()];
}
