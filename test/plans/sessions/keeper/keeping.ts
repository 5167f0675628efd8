import type pg from 'pg';
import { sessionsConfigSchema } from '../../../../plans/sessions/config.ts';
import { type ArchiveRun, archiveDue } from '../../../../plans/sessions/keeper/archive.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { type ArchivePolicy, defaultPolicy, writePolicy } from '../../../../plans/sessions/keeper/policy.ts';
import { sessionsNames } from '../../../../plans/sessions/names.ts';
import type { Setup } from '../../../support/database.ts';
import { runMigrationFiles } from '../fixtures.ts';

export const names = sessionsNames(sessionsConfigSchema.parse({}));
export const never = () => new AbortController().signal;

/** The end state, with ten sessions in each status: the n-th was last used n × 20 days ago, and has n messages. */
export const idleSessions: Setup = {
  name: 'keeper_idle',
  run: async (client) => {
    await runMigrationFiles(client);
    await client.query(`
      INSERT INTO auth.users (id) VALUES ('00000000-0000-0000-0000-00000000000a');
      INSERT INTO public.sessions (id, user_id, language, level, status, title, last_accessed)
      SELECT ('00000000-0000-0000-000' || ordinal || '-' || lpad(n::text, 12, '0'))::uuid, '00000000-0000-0000-0000-00000000000a',
             'en', 'beginner', status, status || ' ' || n, now() - n * interval '20 days'
        FROM unnest(enum_range(NULL::public.session_status)) WITH ORDINALITY x (status, ordinal), generate_series(1, 10) n;
      INSERT INTO public.messages (session_id, user_id, content)
      SELECT s.id, s.user_id, 'Hello' FROM public.sessions s, generate_series(1, right(s.id::text, 12)::int) n;
      INSERT INTO public.message_feedback (message_id, overall_score) SELECT id, 50 FROM public.messages WHERE sequence_number = 1`);
  },
};

/** The id of the n-th session that began in a status. */
export function idOf(status: 'active' | 'archived' | 'deleted', n: number): string {
  const ordinal = ['active', 'archived', 'deleted'].indexOf(status) + 1;
  return `00000000-0000-0000-000${ordinal}-${String(n).padStart(12, '0')}`;
}

/** Puts a policy into force, however much it moves. */
export async function usePolicy(pool: pg.Pool, policy: Partial<ArchivePolicy> = {}): Promise<ArchivePolicy> {
  await installKeeper(pool, names);
  const whole = { ...defaultPolicy, ...policy };
  await writePolicy(pool, whole, Number.MAX_SAFE_INTEGER);
  return whole;
}

export async function run(pool: pg.Pool, policy: Partial<ArchivePolicy> = {}): Promise<ArchiveRun> {
  await usePolicy(pool, policy);
  return archiveDue({ pool, names, signal: never() });
}

/** How many sessions there are in each status. */
export async function statuses(pool: pg.Pool): Promise<Record<string, number>> {
  const { rows } = await pool.query<{ status: string; n: number }>(
    'SELECT status::text, count(*)::int AS n FROM public.sessions GROUP BY 1',
  );
  return Object.fromEntries(rows.map((row) => [row.status, row.n]));
}

export async function statusOf(pool: pg.Pool, id: string): Promise<string | undefined> {
  const { rows } = await pool.query<{ status: string }>('SELECT status::text FROM public.sessions WHERE id = $1', [id]);
  return rows[0]?.status;
}

const pids = new WeakMap<pg.ClientBase, number>();

/** To be asked before `untilWaitsFor`, where the session will be busy by then. */
export async function pidOf(client: pg.ClientBase): Promise<number> {
  const known = pids.get(client);
  if (known !== undefined) return known;
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const pid = rows[0]?.pid ?? 0;
  pids.set(client, pid);
  return pid;
}

/** Resolves once a statement of somebody's waits for a lock of this session's. */
export async function untilWaitsFor(pool: pg.Pool, blocker: pg.ClientBase): Promise<void> {
  const pid = await pidOf(blocker);
  for (const until = Date.now() + 20_000; Date.now() < until; ) {
    const found = await pool.query(
      'SELECT FROM pg_stat_activity WHERE datname = current_database() AND $1 = ANY (pg_blocking_pids(pid))',
      [pid],
    );
    if (found.rowCount) return;
  }
  throw new Error('Nobody came to wait for the lock.');
}
