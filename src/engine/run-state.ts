import { isDeepStrictEqual } from 'node:util';
import type { Pool } from 'pg';
import { z } from 'zod';
import type { Queryable } from '../db/connect.ts';
import { displayName } from '../db/identifier.ts';
import { readSqlFile } from '../db/sql-file.ts';
import { type RecordedAttachments, recordedAttachmentsSchema } from '../move/compare-attachments.ts';
import { type TableMove, tableMoveSchema } from '../move/table-move.ts';
import { TandemError } from './errors.ts';
import { type Phase, phases, type StepState } from './events.ts';
import { recordSourceShapes } from './source-shape.ts';
import type { Plan, Step } from './step.ts';

const settingsSchema = z.object({
  moves: z.array(tableMoveSchema),
  options: z.record(z.string(), z.unknown()),
  /** Of a run that stands on a backup: whose tables, and whether they have what the live ones have. */
  restored: z.object({ directory: z.string(), complete: z.boolean() }).nullable().default(null),
});
export type RunSettings = z.infer<typeof settingsSchema>;

const runRow = z.object({
  id: z.number(),
  plan: z.string(),
  phase: z.enum(phases),
  settings: settingsSchema,
  started_at: z.date(),
  cutover_at: z.date().nullable(),
  cutover_lock_ms: z.number().nullable(),
  cutover_attempts: z.number(),
  rolling_back: z.boolean(),
  // Who only reads may find tables of an earlier version.
  attachments: recordedAttachmentsSchema.nullable().default(null),
});
export type Run = z.infer<typeof runRow>;

const stepRow = z.object({
  name: z.string(),
  guide: z.string(),
  title: z.string(),
  state: z.enum(['pending', 'running', 'done', 'failed', 'reverted']),
  started_at: z.date().nullable(),
  finished_at: z.date().nullable(),
  detail: z.record(z.string(), z.unknown()),
});
export type StepRecord = z.infer<typeof stepRow>;

/** Creates schema `tandem` and its tables where they are missing. */
export async function createState(pool: Pool): Promise<void> {
  await pool.query(readSqlFile('src/engine/sql/state.sql'));
}

/** Gives tables that an earlier version made what has come to them since. For whoever holds the run. */
export async function upgradeState(client: Queryable): Promise<void> {
  await client.query(readSqlFile('src/engine/sql/state-upgrade.sql'));
}

export async function hasState(client: Queryable): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    "SELECT pg_catalog.to_regclass('tandem.run') IS NOT NULL AS there",
  );
  return rows[0]?.there === true;
}

/** The newest run, whatever its phase; null where there was none (or its state is gone with `finish`). */
export async function maybeLatestRun(client: Queryable): Promise<Run | null> {
  if (!(await hasState(client))) return null;
  const { rows } = await client.query('SELECT * FROM tandem.run ORDER BY id DESC LIMIT 1');
  return rows[0] === undefined ? null : runRow.parse(rows[0]);
}

/** True while a run is neither finished nor rolled back. */
export function isOpen(run: Run | null): run is Run {
  return run !== null && run.phase !== 'finished' && run.phase !== 'rolled_back';
}

/** @throws TD012 where a rollback was interrupted: some of the run's steps are taken back, others stand */
export function assertNotRollingBack(run: Run): void {
  if (!run.rolling_back) return;
  throw new TandemError('TD012', 'A rollback of this run has begun, and is not complete.', {
    hint:
      run.phase === 'baking'
        ? 'The same `tandem rollback` completes it. The names are not swapped yet: `tandem migrate` gives it up, and stays with the new tables.'
        : 'The same `tandem rollback` completes it; after that, `tandem migrate` can go on or begin anew.',
  });
}

/** @throws TD016 where the plan file is not the one that the run was started with, as far as names go */
export function assertSamePlan(run: Run, plan: Plan): void {
  if (run.plan === plan.name && isDeepStrictEqual(run.settings.options, asStored(plan.identity))) return;
  throw new TandemError('TD016', 'This run was started with another plan, or with other names in the plan file.', {
    hint: `It moves ${run.settings.moves.map((move) => displayName(move.source)).join(' and ')}: give the same plan file with --plan.`,
  });
}

/** Names as they come back from jsonb. */
function asStored(identity: Plan['identity']): unknown {
  return JSON.parse(JSON.stringify(identity));
}

/** @throws TD012 where tables of a backup do not have yet what was written since */
export function assertNotRestoring(run: Run): void {
  const { restored } = run.settings;
  if (restored === null || restored.complete) return;
  throw new TandemError('TD012', `The tables of the backup in ${restored.directory} are not complete yet.`, {
    hint: `\`tandem rollback --from ${restored.directory}\` completes them.`,
  });
}

export async function setRestored(client: Queryable, run: Run, restored: RunSettings['restored']): Promise<void> {
  await client.query('UPDATE tandem.run SET settings = settings || $2::jsonb WHERE id = $1', [
    run.id,
    JSON.stringify({ restored }),
  ]);
}

export async function insertRun(
  client: Queryable,
  plan: string,
  settings: Omit<RunSettings, 'restored'> & Partial<RunSettings>,
  steps: readonly Step[],
): Promise<Run> {
  const { rows } = await client.query(
    `INSERT INTO tandem.run (plan, phase, settings) VALUES ($1, 'preparing', $2) RETURNING *`,
    [plan, JSON.stringify(settings)],
  );
  const run = runRow.parse(rows[0]);
  await client.query(
    'DELETE FROM tandem.moved_table; DELETE FROM tandem.copied_range; DELETE FROM tandem.quarantine; DELETE FROM tandem.created_object',
  );
  for (const move of settings.moves)
    await client.query('INSERT INTO tandem.moved_table (name) VALUES ($1)', [move.name]);
  await recordSourceShapes(client, settings.moves);
  for (const [position, step] of steps.entries()) {
    await client.query('INSERT INTO tandem.step (run_id, position, name, guide, title) VALUES ($1, $2, $3, $4, $5)', [
      run.id,
      position,
      step.name,
      step.guide,
      step.title,
    ]);
  }
  return run;
}

export async function setMoves(client: Queryable, run: Run, moves: readonly TableMove[]): Promise<void> {
  await client.query('UPDATE tandem.run SET settings = $2 WHERE id = $1', [
    run.id,
    JSON.stringify({ ...run.settings, moves }),
  ]);
}

export async function setAttachments(client: Queryable, run: Run, attachments: RecordedAttachments): Promise<void> {
  await client.query('UPDATE tandem.run SET attachments = $2 WHERE id = $1', [run.id, JSON.stringify(attachments)]);
}

export async function setPhase(client: Queryable, run: Run, phase: Phase): Promise<void> {
  await client.query(
    `UPDATE tandem.run SET phase = $2, cutover_at = CASE $2 WHEN 'baking' THEN now() ELSE cutover_at END WHERE id = $1`,
    [run.id, phase],
  );
}

export async function setRollingBack(client: Queryable, run: Run, rollingBack: boolean): Promise<void> {
  await client.query('UPDATE tandem.run SET rolling_back = $2 WHERE id = $1', [run.id, rollingBack]);
}

/** A run that was rolled back and kept: as it was before its cutover, with everything copied, and nothing proved. */
export async function setReopened(client: Queryable, run: Run): Promise<void> {
  await client.query(
    `UPDATE tandem.run SET rolling_back = false, phase = 'draining', cutover_at = NULL, cutover_lock_ms = NULL,
            cutover_attempts = 0, attachments = NULL WHERE id = $1`,
    [run.id],
  );
}

export async function setStepState(
  client: Queryable,
  run: Run,
  step: string,
  state: StepState,
  detail: string | null = null,
): Promise<void> {
  await client.query(
    `UPDATE tandem.step SET state = $3,
            started_at = CASE WHEN $3 = 'running' THEN clock_timestamp() ELSE started_at END,
            finished_at = CASE WHEN $3 = 'running' THEN NULL ELSE clock_timestamp() END,
            -- The note of an earlier try is none of this one.
            detail = CASE WHEN $3 = 'running' THEN '{}' WHEN $4::text IS NULL THEN detail ELSE pg_catalog.jsonb_build_object('note', $4::text) END
      WHERE run_id = $1 AND name = $2`,
    [run.id, step, state, detail],
  );
}

export async function listSteps(client: Queryable, run: Run): Promise<StepRecord[]> {
  const { rows } = await client.query(
    'SELECT name, guide, title, state, started_at, finished_at, detail FROM tandem.step WHERE run_id = $1 ORDER BY position',
    [run.id],
  );
  return z.array(stepRow).parse(rows);
}
