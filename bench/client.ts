import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { renderMigrationFiles } from '../plans/sessions/migration-files.ts';
import { createStore } from '../src/client/index.ts';
import type { Databases } from './databases.ts';
import { median, medianRatio, milliseconds } from './measure.ts';
import type { Section } from './report.ts';

const DATABASE = 'bench_client';
const CALLS = 200;
const WAYS = ['client', 'hand', 'pipelined', 'prepared', 'kept', 'keptPrepared'] as const;

/**
 * What the typed client costs, against the same statements by hand: role and claims set, the statement, COMMIT. And at its best,
 * prepared and in two round trips, against the bare statement on a connection that has the user's role already.
 */
export async function measureClient(databases: Databases, repetitions: number): Promise<Section> {
  const user = await createDatabase(databases);
  const pool = new pg.Pool({ connectionString: databases.urlOf(DATABASE), max: 1 });
  const pipelined = new pg.Pool({ connectionString: databases.urlOf(DATABASE), max: 1, pipeline: true });
  try {
    return await measure(pool, pipelined, user, repetitions);
  } finally {
    await Promise.all([pool.end(), pipelined.end()]);
    await databases.drop(DATABASE);
  }
}

async function createDatabase(databases: Databases): Promise<string> {
  await databases.create(DATABASE);
  const client = new pg.Client({ connectionString: databases.urlOf(DATABASE) });
  await client.connect();
  const user = randomUUID();
  try {
    for (const sql of Object.values(renderMigrationFiles())) await client.query(sql);
    await client.query(
      'INSERT INTO auth.users (id) SELECT $1::uuid UNION ALL SELECT gen_random_uuid() FROM generate_series(1, 999)',
      [user],
    );
    await client.query(
      `INSERT INTO public.sessions (user_id, language, level, status, last_accessed)
       SELECT id, 'en', 'beginner', (ARRAY['active', 'archived', 'deleted'])[1 + i % 3]::public.session_status, now() - i * interval '1 hour'
         FROM auth.users CROSS JOIN generate_series(1, 60) i`,
    );
    await client.query('ANALYZE');
  } finally {
    await client.end();
  }
  return user;
}

async function measure(pool: pg.Pool, pipelined: pg.Pool, user: string, repetitions: number): Promise<Section> {
  const ann = createStore(pool).asUser(user);
  const session = await ann.sessions.create({ language: 'en', level: 'beginner' });
  const claims = JSON.stringify({ sub: user, role: 'authenticated' });

  const byHand = async (text: string, values: unknown[]) => {
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query(
      "SELECT set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true), set_config('request.jwt.claim.sub', $2, true)",
      [claims, user],
    );
    await client.query(text, values);
    await client.query('COMMIT');
    client.release();
  };
  // A connection that is one user's for good needs neither transaction nor settings: the least that a query can cost.
  const kept = new pg.Client({ connectionString: pool.options.connectionString });
  await kept.connect();
  await kept.query("SELECT set_config('request.jwt.claims', $1, false), set_config('role', 'authenticated', false)", [
    claims,
  ]);

  const columns = 'id, user_id, language, level, status, title, created_at, updated_at, last_accessed';
  const cases = [
    {
      what: 'a session by id',
      call: (as: typeof ann) => as.sessions.get(session.id),
      sql: `SELECT ${columns} FROM public.sessions WHERE id = $1`,
      values: [session.id],
    },
    {
      what: 'a page of 20 sessions',
      call: (as: typeof ann) => as.sessions.list({ limit: 20 }),
      sql: `SELECT ${columns} FROM public.sessions WHERE status = $1 AND user_id = $2 ORDER BY last_accessed DESC, id DESC LIMIT 21`,
      values: ['active', user],
    },
    {
      what: 'a message appended',
      call: (as: typeof ann) => as.messages.append({ session_id: session.id, content: 'hello' }),
      sql: 'INSERT INTO public.messages (session_id, user_id, type, content) VALUES ($1, $2, $3, $4) RETURNING id, session_id, user_id, type, sequence_number, content, created_at, language',
      values: [session.id, user, 'text', 'hello'],
    },
  ];

  const section: { goals: Section['goals'][number][]; figures: Section['figures'][number][] } = {
    goals: [],
    figures: [],
  };
  try {
    for (const { what, call, sql, values } of cases) {
      const none = (): Record<(typeof WAYS)[number], number[]> => ({
        client: [],
        hand: [],
        pipelined: [],
        prepared: [],
        kept: [],
        keptPrepared: [],
      });
      const times = none();
      const fast = createStore(pipelined).asUser(user);
      const fastest = createStore(pipelined, { prepare: true }).asUser(user);
      const ways = {
        client: () => call(ann),
        hand: () => byHand(sql, values),
        pipelined: () => call(fast),
        prepared: () => call(fastest),
        kept: () => kept.query(sql, values),
        keptPrepared: () => kept.query({ name: what, text: sql, values }),
      };
      // A call takes a fraction of a millisecond: in turns call by call, and the median of each round. There and back, as
      // the first one on a connection pays for waking up its process.
      for (let round = 0; round <= repetitions; round++) {
        const calls = none();
        for (let i = 0; i < CALLS; i++)
          for (const way of i % 2 === 0 ? WAYS : WAYS.toReversed()) calls[way].push(await milliseconds(ways[way]));
        // The first round warms up.
        if (round > 0) for (const way of WAYS) times[way].push(median(calls[way]));
      }
      const each = (all: readonly number[]) => median(all).toFixed(2);
      section.goals.push({
        what: `client, ${what} : the same by hand, as the same user`,
        measured: medianRatio(times.client, times.hand),
        limit: 1.3,
        unit: '×',
        detail: `${each(times.client)} ms : ${each(times.hand)} ms; pipelined ${each(times.pipelined)} ms`,
      });
      section.goals.push({
        what: `client, ${what}, pipelined and prepared : bare, on a connection that is this user's for good`,
        measured: medianRatio(times.prepared, times.kept),
        limit: 1.3,
        unit: '×',
        detail: `${each(times.prepared)} ms : ${each(times.kept)} ms; bare and prepared ${each(times.keptPrepared)} ms`,
      });
      for (const [way, name, than] of [
        ['client', '', 'kept'],
        ['pipelined', ', pipelined', 'kept'],
        ['prepared', ', pipelined and prepared', 'keptPrepared'],
      ] as const) {
        section.figures.push({
          what: `client, ${what}${name} : bare${than === 'kept' ? '' : ' and prepared'}, on a connection for good`,
          measured: medianRatio(times[way], times[than]),
          unit: '×',
        });
      }
    }
  } finally {
    await kept.end();
  }
  return section;
}
