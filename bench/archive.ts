import { setTimeout as wait } from 'node:timers/promises';
import { sessionsConfigSchema } from '../plans/sessions/config.ts';
import { archiveDue } from '../plans/sessions/keeper/archive.ts';
import { installKeeper } from '../plans/sessions/keeper/install.ts';
import { defaultPolicy, writePolicy } from '../plans/sessions/keeper/policy.ts';
import { renderMigrationFiles } from '../plans/sessions/migration-files.ts';
import { sessionsNames } from '../plans/sessions/names.ts';
import { createPool, type Pool } from '../src/db/connect.ts';
import { startClients } from '../src/demo/clients.ts';
import type { Databases } from './databases.ts';
import { median, medianRatio, milliseconds } from './measure.ts';
import type { Section } from './report.ts';

const DATABASE = 'bench_archive';
const CLIENTS = 8;
const SESSIONS = 20_000;
const QUIET_MS = 4_000;
/** What is due was last used before anything of the clients'. */
const OLD = "now() - interval '4000 days'";
const names = sessionsNames(sessionsConfigSchema.parse({}));

/**
 * Moves sessions on by one bare UPDATE, without anything of the keeper's in the database, and by the keeper, in turns, the
 * same rows, while clients write; and what those wait for while the keeper is at it, and while nobody is.
 */
export async function measureArchiving(databases: Databases, repetitions: number): Promise<Section> {
  await databases.createFlat(DATABASE, { sessions: SESSIONS, messages: SESSIONS * 5 });
  const pool = createPool(databases.urlOf(DATABASE), { max: 6 });
  try {
    for (const sql of Object.values(renderMigrationFiles())) await pool.query(sql);
    return await measure(pool, databases.urlOf(DATABASE), repetitions);
  } finally {
    await pool.end();
    await databases.drop(DATABASE);
  }
}

async function addIdleSessions(pool: Pool): Promise<void> {
  await pool.query(
    `WITH idle AS (
       INSERT INTO public.sessions (user_id, language, level, title, last_accessed)
       SELECT (SELECT id FROM auth.users LIMIT 1), 'en', 'beginner', 'idle', ${OLD} - i * interval '1 s'
         FROM generate_series(1, $1::int) i RETURNING id, user_id)
     INSERT INTO public.messages (session_id, user_id, sequence_number, content)
     SELECT id, user_id, n, 'Hello again' FROM idle CROSS JOIN generate_series(1, 5) n`,
    [SESSIONS],
  );
  await vacuum(pool);
}

async function archiveAll(pool: Pool, tell: (batchMs: number) => void): Promise<void> {
  const { archived } = await archiveDue({
    pool,
    names,
    signal: new AbortController().signal,
    onBatch: ({ elapsedMs }) => tell(elapsedMs),
  });
  if (archived !== SESSIONS) throw new Error(`${archived} sessions were archived, not ${SESSIONS}.`);
}

const back = async (pool: Pool) => {
  await pool.query(`UPDATE public.sessions SET status = 'active' WHERE status = 'archived' AND last_accessed < ${OLD}`);
  await vacuum(pool);
};

async function vacuum(pool: Pool): Promise<void> {
  for (const table of ['public.sessions', 'public.messages', 'private.session_keys'])
    await pool.query(`VACUUM (ANALYZE) ${table}`);
}

async function measure(pool: Pool, databaseUrl: string, repetitions: number): Promise<Section> {
  const [bare, keeper, batches]: [number[], number[], number[]] = [[], [], []];
  const [quiet, busy]: [number[], number[]] = [[], []];
  for (let round = 0; round < repetitions; round++) {
    // To drop what hangs on the tables is not for a moment in which clients write.
    await pool.query('DROP SCHEMA IF EXISTS keeper CASCADE');
    const clients = await startClients({ databaseUrl, clients: CLIENTS, seed: round });
    try {
      // After the clients have chosen theirs: nobody else writes to these.
      clients.setPhase('after');
      await addIdleSessions(pool);
      clients.setPhase('before');
      await wait(QUIET_MS);
      clients.setPhase('after');
      bare.push(
        await milliseconds(() =>
          pool.query(
            `UPDATE public.sessions SET status = 'archived' WHERE status = 'active' AND last_accessed < ${OLD}`,
          ),
        ),
      );
      await back(pool);
      await installKeeper(pool, names);
      await writePolicy(pool, { ...defaultPolicy, archiveAfterDays: 3_999 }, SESSIONS);
      clients.setPhase('during');
      keeper.push(await milliseconds(() => archiveAll(pool, (ms) => batches.push(ms))));
      clients.setPhase('after');
      await pool.query(`DELETE FROM public.sessions WHERE last_accessed < ${OLD}`);
    } finally {
      const { latency } = await clients.stop();
      quiet.push(latency.before.p99);
      busy.push(latency.during.p99);
    }
  }
  const rate = (ms: readonly number[]) =>
    `${Math.round((SESSIONS * 1000) / median(ms)).toLocaleString('en')} sessions/s`;
  return {
    goals: [
      {
        what: `archiving, ${SESSIONS.toLocaleString('en')} sessions, ${CLIENTS} clients : one bare UPDATE`,
        measured: medianRatio(keeper, bare),
        limit: 2,
        unit: '×',
        detail: `time; ${rate(keeper)} against ${rate(bare)}`,
      },
      {
        what: 'p99 of the clients while it archives : before',
        measured: medianRatio(busy, quiet),
        limit: 2,
        unit: '×',
        detail: `median of the quotients; ${median(busy).toFixed(1)} ms against ${median(quiet).toFixed(1)} ms`,
      },
    ],
    figures: [
      { what: 'a batch of the archiving, median', measured: median(batches), unit: 'ms' },
      { what: 'the longest batch', measured: Math.max(...batches), unit: 'ms' },
    ],
  };
}
