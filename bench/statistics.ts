import pg from 'pg';
import { sessionsConfigSchema } from '../plans/sessions/config.ts';
import { installKeeper } from '../plans/sessions/keeper/install.ts';
import { refreshStats } from '../plans/sessions/keeper/refresh.ts';
import { renderMigrationFiles } from '../plans/sessions/migration-files.ts';
import { sessionsNames } from '../plans/sessions/names.ts';
import { createPool } from '../src/db/connect.ts';
import type { Databases } from './databases.ts';
import { median, medianRatio, milliseconds } from './measure.ts';
import type { Figure, Section } from './report.ts';

const SESSIONS = 10_000;
const USERS = 2_000;
const DIRTY = 1_000;
/** Messages of each session, here and there. */
const SMALL = 5;
const LARGE = 50;
const INSERTS = 400;

const names = sessionsNames(sessionsConfigSchema.parse({}));

/**
 * What it costs to keep session_stats current, with few messages and with ten times as many, the sessions and those of
 * them that were written to being the same; what a client pays for it; and what asking for one's own figures costs.
 */
export async function measureStatistics(databases: Databases, repetitions: number): Promise<Section> {
  const sizes = { small: SMALL, large: LARGE };
  for (const [size, messages] of Object.entries(sizes)) await createFilled(databases, nameOf(size), messages);
  await databases.clone(nameOf('small'), nameOf('without'));
  const open = (size: string) => createPool(databases.urlOf(nameOf(size)), { max: 2 });
  const [small, large, without] = [open('small'), open('large'), open('without')];
  try {
    await without.query(WITHOUT_TRIGGERS);
    const kept = await measureKeeping(small, large, repetitions);
    const price = await measurePrice(small, without, repetitions);
    const own = await measureOwn(large, repetitions);
    return { goals: kept.goals, figures: [...kept.figures, ...price, ...own] };
  } finally {
    await Promise.all([small.end(), large.end(), without.end()]);
    for (const size of ['small', 'large', 'without']) await databases.drop(nameOf(size));
  }
}

const nameOf = (size: string) => `bench_statistics_${size}`;

/** The end state, with so many messages of each session. */
export async function createFilled(databases: Databases, name: string, messages: number): Promise<void> {
  await databases.create(name);
  const client = new pg.Client({ connectionString: databases.urlOf(name) });
  await client.connect();
  try {
    for (const sql of Object.values(renderMigrationFiles())) await client.query(sql);
    await client.query(`INSERT INTO auth.users (id) SELECT md5(i::text)::uuid FROM generate_series(1, ${USERS}) i`);
    await client.query(
      `INSERT INTO public.sessions (id, user_id, language, level) SELECT md5('s' || i)::uuid, md5((1 + i % ${USERS})::text)::uuid, 'en', 'beginner'
         FROM generate_series(1, ${SESSIONS}) i`,
    );
    // One transaction a tenth of them: a statement for all would hold every row for its triggers.
    for (let part = 0; part < 10; part++)
      await client.query(
        `INSERT INTO public.messages (session_id, user_id, sequence_number, content)
         SELECT s.id, s.user_id, n, 'We talked about the weather and the food in town, number ' || n
           FROM public.sessions s, generate_series(1, ${messages}) n WHERE get_byte(uuid_send(s.id), 0) % 10 = ${part}`,
      );
    await client.query(
      'INSERT INTO public.message_feedback (message_id, overall_score) SELECT id, 50 FROM public.messages WHERE sequence_number % 5 = 0',
    );
    await client.query('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
  const pool = createPool(databases.urlOf(name), { max: 2 });
  try {
    await installKeeper(pool, names);
    await refreshStats({ pool, names, force: true });
    await pool.query('VACUUM ANALYZE');
  } finally {
    await pool.end();
  }
}

/** A message to each of a thousand sessions. */
const WRITE = `INSERT INTO public.messages (session_id, user_id, sequence_number, content)
  SELECT id, user_id, 1, 'One more' FROM public.sessions ORDER BY id LIMIT ${DIRTY}`;
/** The same sessions, whose last message is deleted: that they have to be counted anew is the worst that can happen. */
const REMOVE = `DELETE FROM public.messages m USING (SELECT id FROM public.sessions ORDER BY id LIMIT ${DIRTY}) s
  WHERE m.session_id = s.id AND m.content = 'One more'`;
/** What a refresh would be that reads all messages, as the view's definition was before there was a rollup. */
const ALL = `SELECT s.user_id, s.status, count(*), sum(c.messages), sum(c.overall_sum), min(c.first_message), max(c.last_message)
  FROM public.sessions s LEFT JOIN private.session_counts c ON c.session_id = s.id GROUP BY 1, 2`;

async function measureKeeping(small: pg.Pool, large: pg.Pool, repetitions: number): Promise<Section> {
  const times = { added: [[], []], removed: [[], []], all: [[], []] } as Record<string, [number[], number[]]>;
  const keep = (pool: pg.Pool) => refreshStats({ pool, names, force: true });
  for (let round = 0; round <= repetitions; round++) {
    for (const [side, pool] of [small, large].entries()) {
      const note = (what: string, ms: number) => round > 0 && times[what]?.[side]?.push(ms);
      await pool.query(WRITE);
      note('added', await milliseconds(() => keep(pool)));
      await pool.query(REMOVE);
      note('removed', await milliseconds(() => keep(pool)));
      note('all', await milliseconds(() => pool.query(ALL)));
      await pool.query('VACUUM public.messages, private.session_changes, private.session_rollup');
    }
  }
  const [few = [], many = []] = times['added'] ?? [];
  const ratio = (what: string) => medianRatio(times[what]?.[1] ?? [], times[what]?.[0] ?? []);
  return {
    goals: [
      {
        what: `statistics kept current, ${DIRTY} dirty sessions, ten times the messages : as they are`,
        measured: medianRatio(many, few),
        limit: 2,
        unit: '×',
        detail: `${median(many).toFixed(0)} ms with ${(SESSIONS * LARGE).toLocaleString('en')} messages : ${median(few).toFixed(0)} ms with ${(SESSIONS * SMALL).toLocaleString('en')}`,
      },
    ],
    figures: [
      {
        what: 'the same where each of them lost a message, and is counted anew',
        measured: ratio('removed'),
        unit: '×',
      },
      { what: 'the same by reading all messages', measured: ratio('all'), unit: '×' },
    ],
  };
}

const WITHOUT_TRIGGERS = `DO $do$ DECLARE t record; BEGIN
  FOR t IN SELECT tgrelid::regclass AS relation, tgname FROM pg_catalog.pg_trigger WHERE tgname ~ 'session_changes'
  LOOP EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', t.tgname, t.relation); END LOOP; END $do$`;

/** Call by call in turns, on two databases that differ in nothing but the triggers. */
async function measurePrice(noting: pg.Pool, without: pg.Pool, repetitions: number): Promise<Figure[]> {
  const statements = {
    'a message inserted': `INSERT INTO public.messages (session_id, user_id, sequence_number, content)
      VALUES ('$session', '$user', 7, 'We talked about the weather and the food in town')`,
    'a message edited': `UPDATE public.messages SET content = 'We talked about it $n' WHERE id = '$message'`,
    'feedback inserted': `INSERT INTO public.message_feedback (message_id, overall_score) VALUES ('$message', 70)`,
  };
  const { rows } = await noting.query<{ session: string; user: string; message: string }>(
    `SELECT s.id AS session, s.user_id AS user, (SELECT m.id FROM public.messages m WHERE m.session_id = s.id LIMIT 1) AS message
       FROM public.sessions s ORDER BY s.id DESC LIMIT ${INSERTS}`,
  );
  const figures: Figure[] = [];
  for (const [what, sql] of Object.entries(statements)) {
    const ratios: number[] = [];
    const medians: [number[], number[]] = [[], []];
    for (let round = 0; round <= repetitions; round++) {
      const times: [number[], number[]] = [[], []];
      for (const [i, row] of rows.entries()) {
        const text = sql.replace(/\$(session|user|message|n)/g, (_, key: string) =>
          key === 'n' ? String(round) : String(row[key as keyof typeof row]),
        );
        for (const side of i % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
          times[side].push(await milliseconds(() => (side === 0 ? noting : without).query(text)));
      }
      if (round === 0) continue;
      ratios.push(median(times[0]) / median(times[1]));
      for (const side of [0, 1] as const) medians[side].push(median(times[side]));
    }
    figures.push(
      { what: `${what}, noted for the statistics : without`, measured: median(ratios), unit: '×' },
      { what: `${what}, what the note adds`, measured: 1000 * (median(medians[0]) - median(medians[1])), unit: 'µs' },
    );
  }
  return figures;
}

/** As the user with the most messages: 50,000 of them, and a thousand changes in the queue. */
async function measureOwn(pool: pg.Pool, repetitions: number): Promise<Figure[]> {
  const client = await pool.connect();
  try {
    await client.query(
      `UPDATE public.sessions SET user_id = md5('1')::uuid WHERE id IN (SELECT id FROM public.sessions ORDER BY id DESC LIMIT 1000)`,
    );
    await client.query(WRITE);
    await client.query('ANALYZE');
    const times: number[] = [];
    for (let round = 0; round <= 3 * repetitions; round++) {
      await client.query('BEGIN');
      await client.query(
        "SELECT set_config('role', 'authenticated', true), set_config('request.jwt.claims', json_build_object('sub', md5('1')::uuid)::text, true)",
      );
      const elapsed = await milliseconds(() => client.query('SELECT * FROM public.my_session_stats'));
      await client.query('COMMIT');
      if (round > 0) times.push(elapsed);
    }
    return [
      {
        what: 'my_session_stats of a user with 50,000 messages in 1,000 sessions',
        measured: median(times),
        unit: 'ms',
      },
    ];
  } finally {
    client.release();
  }
}
