import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { renderMigrationFiles } from '../plans/sessions/migration-files.ts';
import type { Databases } from './databases.ts';
import { median, medianRatio, milliseconds } from './measure.ts';
import type { Section } from './report.ts';

const DATABASE = 'bench_list';
const CALLS = 200;
const USERS = 10_000;
const COLUMNS = 'id, user_id, language, level, status, title, created_at, updated_at, last_accessed';

/**
 * A page of a user's active sessions, the last used first, of the partitioned table and of a flat one with the same rows, an
 * index on the user and the same policy. Most users have 24 sessions, a third of them active; one has 6,000.
 */
export async function measureList(databases: Databases, repetitions: number): Promise<Section> {
  await databases.create(DATABASE);
  const client = new pg.Client({ connectionString: databases.urlOf(DATABASE) });
  await client.connect();
  try {
    const users = await fill(client);
    return await measure(client, users, repetitions);
  } finally {
    await client.end();
    await databases.drop(DATABASE);
  }
}

interface Users {
  readonly most: string;
  readonly usual: string;
}

async function fill(client: pg.Client): Promise<Users> {
  const users = { most: randomUUID(), usual: randomUUID() };
  for (const sql of Object.values(renderMigrationFiles())) await client.query(sql);
  await client.query(
    `INSERT INTO auth.users (id) SELECT pg_catalog.unnest($1::uuid[]) UNION ALL SELECT pg_catalog.gen_random_uuid() FROM pg_catalog.generate_series(1, $2)`,
    [Object.values(users), USERS],
  );
  // In the order of time, in which a table that is written to has its rows: those of one user are everywhere.
  await client.query(
    `INSERT INTO public.sessions (user_id, language, level, status, title, created_at, last_accessed)
     SELECT u.id, 'en', 'beginner', (ARRAY['active', 'archived', 'deleted'])[1 + i % 3]::public.session_status, 'Lesson ' || i,
            made.at, made.at + pg_catalog.random() * interval '10 days'
       FROM auth.users u
      CROSS JOIN LATERAL pg_catalog.generate_series(1, CASE WHEN u.id = $1 THEN 6000 ELSE 24 END) i
      CROSS JOIN LATERAL (SELECT pg_catalog.now() - (i + pg_catalog.random()) * interval '1 day' * CASE WHEN u.id = $1 THEN 0.1 ELSE 24 END AS at) made
      ORDER BY made.at`,
    [users.most],
  );
  await client.query(`
    CREATE TABLE public.flat_sessions AS SELECT ${COLUMNS.replace('language, level, status', 'language::text, level::text, status::text')}
      FROM public.sessions ORDER BY created_at;
    ALTER TABLE public.flat_sessions ADD PRIMARY KEY (id);
    CREATE INDEX ON public.flat_sessions (user_id);
    ALTER TABLE public.flat_sessions ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON public.flat_sessions TO authenticated USING (user_id = (SELECT auth.uid()));
    GRANT SELECT ON public.flat_sessions TO authenticated`);
  await client.query('VACUUM (ANALYZE) public.sessions, public.flat_sessions');
  return users;
}

async function measure(client: pg.Client, users: Users, repetitions: number): Promise<Section> {
  const section: { goals: Section['goals'][number][]; figures: Section['figures'][number][] } = {
    goals: [],
    figures: [],
  };
  const list = (table: string) =>
    `SELECT ${COLUMNS} FROM public.${table} WHERE status = 'active' AND user_id = $1 ORDER BY last_accessed DESC, id DESC LIMIT 21`;
  await client.query("SELECT pg_catalog.set_config('role', 'authenticated', false)");
  for (const [who, user, prepared] of [
    ['the user with most', users.most, false],
    ['a user with 24', users.usual, true],
    ['a user with 24', users.usual, false],
  ] as const) {
    await client.query("SELECT pg_catalog.set_config('request.jwt.claims', $1, false)", [
      JSON.stringify({ sub: user }),
    ]);
    const ask = (table: string) =>
      client.query({ text: list(table), values: [user], ...(prepared && { name: table }) });
    const [partitioned, flat] = [await ask('sessions'), await ask('flat_sessions')];
    if (JSON.stringify(partitioned.rows) !== JSON.stringify(flat.rows)) throw new Error('The two lists differ.');
    const times: { partitioned: number[]; flat: number[] } = { partitioned: [], flat: [] };
    for (let round = 0; round <= repetitions; round++) {
      const calls: typeof times = { partitioned: [], flat: [] };
      for (let i = 0; i < CALLS; i++) {
        const [first, second] = i % 2 === 0 ? ['sessions', 'flat_sessions'] : ['flat_sessions', 'sessions'];
        for (const table of [first, second] as const)
          calls[table === 'sessions' ? 'partitioned' : 'flat'].push(await milliseconds(() => ask(table ?? '')));
      }
      // The first round warms up.
      if (round === 0) continue;
      times.partitioned.push(median(calls.partitioned));
      times.flat.push(median(calls.flat));
    }
    const figure = {
      what: `active sessions of ${who}${prepared ? ', prepared' : ''} : of a flat table`,
      measured: medianRatio(times.partitioned, times.flat),
      unit: '×' as const,
      detail: `${median(times.partitioned).toFixed(2)} ms : ${median(times.flat).toFixed(2)} ms`,
    };
    // Planned anew with each call, the partitions cost three hundredths of a millisecond, more than 24 rows do.
    if (user === users.usual && !prepared) section.figures.push(figure);
    else section.goals.push({ ...figure, limit: user === users.most ? 1 : 1.05 });
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${list('sessions')}`, [user]);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    if (!plan.includes('sessions_active') || /sessions_(archived|deleted)/.test(plan))
      throw new Error(`Another partition than that of the active ones is read:\n${plan}`);
  }
  await client.query('RESET ROLE');
  return section;
}
