import type { Pool } from 'pg';
import { sessionsConfigSchema } from '../plans/sessions/config.ts';
import { sessionsNames } from '../plans/sessions/names.ts';
import { planStatements } from '../plans/sessions/templates.ts';
import { createPool } from '../src/db/connect.ts';
import type { StepContext } from '../src/engine/step.ts';
import { copyTable } from '../src/move/copy.ts';
import { forward } from '../src/move/direction.ts';
import type { Databases } from './databases.ts';
import { median, medianRatio, milliseconds } from './measure.ts';
import { runBeforeCopy, stepNamed } from './open-run.ts';
import type { Section } from './report.ts';

/** What somebody would type into psql: the cast says everything that the mapping says where all values fit. */
const COPY_BY_HAND = `
INSERT INTO tandem.sessions_partitioned
  (id, user_id, language, level, status, title, created_at, updated_at, last_accessed)
SELECT id, user_id, language::public.session_language, level::public.session_level, status::public.session_status,
       title, created_at, updated_at, last_accessed
  FROM public.sessions`;

const BUILD_BY_HAND = planStatements('sessions-build', sessionsNames(sessionsConfigSchema.parse({})), 'beside');

interface Times {
  copy: number;
  build: number;
}

/** Sessions into the partitioned table and its indexes: by hand, by one worker and by two, in turns, on the same rows. */
export async function measureCopy(databases: Databases, from: string, repetitions: number): Promise<Section> {
  const name = 'bench_copy';
  await databases.clone(from, name);
  const pool = createPool(databases.urlOf(name), { max: 4 });
  const times = { byHand: [] as Times[], one: [] as Times[], two: [] as Times[] };
  let rows = 0;
  try {
    const context = await runBeforeCopy(pool);
    rows = await countSessions(pool);
    // The first round only warms up.
    for (let round = 0; round <= repetitions; round++) {
      const turn = {
        byHand: await onEmptyTarget(context, () => byHand(pool)),
        one: await onEmptyTarget(context, () => byTandem(context, 1)),
        two: await onEmptyTarget(context, () => byTandem(context, 2)),
      };
      if (round === 0) continue;
      for (const kind of ['byHand', 'one', 'two'] as const) times[kind].push(turn[kind]);
    }
  } finally {
    await pool.end();
  }
  await databases.drop(name);
  const both = (kind: keyof typeof times) => times[kind].map(({ copy, build }) => copy + build);
  const copies = (kind: keyof typeof times) => times[kind].map(({ copy }) => copy);
  const told = (kind: keyof typeof times) =>
    `${Math.round(median(copies(kind)))} + ${Math.round(median(times[kind].map(({ build }) => build)))} ms`;
  const rate = (kind: keyof typeof times) => (rows * 1000) / median(copies(kind));
  return {
    goals: [
      {
        what: 'copy and index build, 1 worker : by hand',
        measured: medianRatio(both('one'), both('byHand')),
        limit: 1.25,
        unit: '×',
        detail: `${told('one')} : ${told('byHand')}, ${rows.toLocaleString('en')} sessions`,
      },
      {
        what: 'copy and index build, 2 workers : 1 worker',
        measured: medianRatio(both('two'), both('one')),
        limit: 1,
        unit: '×',
        detail: `${told('two')} : ${told('one')}; of the copy alone ${medianRatio(copies('two'), copies('one')).toFixed(2)}`,
      },
    ],
    figures: [
      { what: 'copy of sessions, by hand', measured: rate('byHand'), unit: 'rows/s' },
      { what: 'copy of sessions, 1 worker', measured: rate('one'), unit: 'rows/s' },
      { what: 'copy of sessions, 2 workers', measured: rate('two'), unit: 'rows/s' },
    ],
  };
}

async function countSessions(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM public.sessions');
  return rows[0]?.n ?? 0;
}

/** Makes the targets anew, as empty as the plan makes them, and waits for no checkpoint of what went before. */
async function onEmptyTarget(context: StepContext, work: () => Promise<Times>): Promise<Times> {
  const { pool } = context;
  const targets = stepNamed('targets');
  if (typeof targets.revert === 'function') await targets.revert(context);
  await targets.apply(context);
  await pool.query('DELETE FROM tandem.copied_range');
  await pool.query(
    `UPDATE tandem.moved_table SET copy_filenode = NULL, copy_blocks = 0, copy_done = false, built = 0, copied_rows = 0`,
  );
  await pool.query('CHECKPOINT');
  return work();
}

async function byHand(pool: Pool): Promise<Times> {
  const copy = await milliseconds(() => pool.query(COPY_BY_HAND));
  const build = await milliseconds(async () => {
    for (const statement of BUILD_BY_HAND) await pool.query(statement);
  });
  return { copy, build };
}

async function byTandem(context: StepContext, workers: number): Promise<Times> {
  const moves = context.moves.filter((move) => move.name === 'sessions');
  const [sessions] = moves;
  if (!sessions) throw new Error('The plan does not move the sessions.');
  const copy = await milliseconds(() => copyTable({ pool: context.pool, direction: forward(sessions), workers }));
  const build = await milliseconds(() => stepNamed('build').apply({ ...context, moves }));
  return { copy, build };
}
