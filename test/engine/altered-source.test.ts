import { describe, expect, test } from 'vitest';
import { backendOf, untilBlocked } from '../move/blocked.ts';
import { useDatabase } from '../support/database.ts';
import { fewRows } from './flat-database.ts';
import { closeGate, type Place } from './gate.ts';
import { type Tandem, tandemOn } from './tandem.ts';

const database = useDatabase(fewRows);
const query = async (sql: string) => (await database.pool.query(sql)).rows;

interface Alteration {
  readonly what: string;
  readonly sql: string;
  /** What the error says; null where the run can go on. */
  readonly says: string | null;
  /** Makes the table what it was; null where the way on is a rollback. */
  readonly undo: string | null;
  /** What must be true of the new tables in the end, where the alteration stands. */
  readonly holds: string;
}

const alterations: readonly Alteration[] = [
  {
    what: 'a column that is added',
    sql: "ALTER TABLE public.sessions ADD COLUMN mood text DEFAULT 'good'",
    says: 'public.sessions: column mood was added.',
    undo: 'ALTER TABLE public.sessions DROP COLUMN mood',
    holds: "SELECT bool_and(mood = 'good') AS holds FROM public.sessions",
  },
  {
    what: 'a type that is changed',
    sql: 'ALTER TABLE public.messages ALTER COLUMN content TYPE varchar(5000)',
    says: 'public.messages: column content was changed from text NOT NULL to character varying(5000) NOT NULL.',
    undo: 'ALTER TABLE public.messages ALTER COLUMN content TYPE text',
    holds: 'SELECT count(*) > 0 AS holds FROM public.messages',
  },
  {
    what: 'an index that is dropped',
    sql: 'DROP INDEX public.messages_mood_idx',
    says: null,
    undo: null,
    holds: "SELECT to_regclass('public.messages_mood_idx') IS NOT NULL AS holds",
  },
  {
    what: 'a unique index that is dropped',
    sql: 'DROP INDEX public.messages_place_idx',
    says: 'public.messages: index messages_place_idx was dropped.',
    undo: null,
    holds: "SELECT to_regclass('public.messages_place_idx') IS NULL AS holds",
  },
  {
    what: 'a table that is rewritten',
    sql: 'VACUUM FULL public.messages',
    says: null,
    undo: null,
    holds: 'SELECT count(*) = 2000 AS holds FROM public.messages',
  },
];

const INDEXES = `CREATE INDEX messages_mood_idx ON public.messages (created_at, user_id);
  CREATE UNIQUE INDEX messages_place_idx ON public.messages (session_id, id)`;

const inTheCopy: Place = { table: 'tandem.copied_range', on: 'INSERT', when: "NEW.table_name = 'messages'" };
// The swap is prepared: the next thing are its locks.
const beforeTheLocks: Place = {
  table: 'tandem.run',
  on: 'UPDATE',
  when: "OLD.phase = 'ready' AND NEW.phase = 'ready'",
};

/** Holds a run at a place, alters a table there, and lets it go on. Returns what the run came to. */
async function alterAt(tandem: Tandem, place: Place, sql: string): Promise<unknown> {
  const gate = await closeGate(database, place);
  const run = tandem.migrate().catch((error: unknown) => error);
  await gate.reached();
  const application = await database.connect();
  const pid = await backendOf(application);
  let done = false;
  const altered = application.query(sql).finally(() => {
    done = true;
  });
  // A batch that is under way holds the table: the alteration comes right after it.
  await Promise.race([altered, untilBlocked(database.pool, pid)]);
  expect(done).toBe(place !== inTheCopy);
  await gate.open();
  await altered;
  return run;
}

async function expectWayOn(tandem: Tandem, outcome: unknown, { says, holds }: Alteration, undo: string | null) {
  if (says === null) {
    expect(outcome).toMatchObject({ phase: 'baking' });
  } else {
    expect(outcome).toMatchObject({ code: 'TD027', exitCode: 3, message: expect.stringContaining(says) });
    expect(outcome).toMatchObject({ hint: expect.stringContaining('`tandem rollback`') });
    // It is not to be gone on with by insisting.
    expect(await tandem.migrate().catch((error: unknown) => error)).toMatchObject({ code: 'TD027' });
    if (undo === null) await tandem.rollback();
    else await query(undo);
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
  }
  expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  if (undo === null || says === null) expect(await query(holds)).toEqual([{ holds: true }]);
}

const but = (...left: readonly string[]) => alterations.filter(({ what }) => !left.includes(what));

describe('during the copy, a run meets', () => {
  test.each(but('a unique index that is dropped'))('$what', async (alteration) => {
    await query(INDEXES);
    const tandem = tandemOn(database);
    const outcome = await alterAt(tandem, inTheCopy, alteration.sql);
    await expectWayOn(tandem, outcome, alteration, null);
  });
});

describe('while a run waits for its cutover, it meets', () => {
  test.each(alterations)('$what', async (alteration) => {
    await query(INDEXES);
    const tandem = tandemOn(database);
    await tandem.migrate({ stopBefore: 'cutover' });
    await query(alteration.sql);
    const outcome = await tandem.migrate().catch((error: unknown) => error);
    await expectWayOn(tandem, outcome, alteration, alteration.undo);
    const dropped = tandem.events.filter((event) => event.event === 'finding' && event.message.includes('was dropped'));
    expect(dropped).toHaveLength(alteration.what === 'an index that is dropped' ? 1 : 0);
  });
});

describe('right before the locks of the cutover, a run meets', () => {
  test.each(but('a unique index that is dropped', 'an index that is dropped', 'a type that is changed'))(
    '$what',
    async (alteration) => {
      await query(INDEXES);
      const tandem = tandemOn(database);
      const outcome = await alterAt(tandem, beforeTheLocks, alteration.sql);
      await expectWayOn(tandem, outcome, alteration, null);
    },
  );

  test('a rewrite that gives rows other values: nothing is swapped, and the rollback keeps the values', async () => {
    const tandem = tandemOn(database);
    const outcome = await alterAt(
      tandem,
      beforeTheLocks,
      `ALTER TABLE public.messages ALTER COLUMN content TYPE varchar USING 'rewritten';
       ALTER TABLE public.messages ALTER COLUMN content TYPE text`,
    );
    expect(outcome).toMatchObject({ code: 'TD030', message: expect.stringContaining('differs in content') });
    await tandem.rollback();
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    expect(await query('SELECT DISTINCT content FROM public.messages')).toEqual([{ content: 'rewritten' }]);
  });

  test.each([
    {
      what: 'a view that is made',
      sql: 'CREATE VIEW public.titles AS SELECT id, title FROM public.sessions',
      holds: "SELECT count(*) = 300 AS holds FROM public.titles WHERE title = 'new'",
    },
    {
      what: 'a trigger that is made',
      sql: `CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title := 'stamped'; RETURN NEW; END $$;
        CREATE TRIGGER stamp BEFORE UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.stamp()`,
      holds: "SELECT count(*) = 300 AS holds FROM public.sessions WHERE title = 'stamped'",
    },
    {
      what: 'a foreign key that is made',
      sql: 'CREATE TABLE public.likes (message_id uuid REFERENCES public.messages (id) ON DELETE CASCADE)',
      holds:
        "SELECT confrelid = 'public.messages'::regclass AS holds FROM pg_constraint WHERE conrelid = 'public.likes'::regclass AND contype = 'f'",
    },
  ])('$what between two attempts: the swap is prepared again, and takes it along', async ({ sql, holds }) => {
    const tandem = tandemOn(database);
    const reader = await database.connect();
    let made: Promise<unknown> | null = null;
    tandem.onEvent = (event) => {
      if (event.event !== 'lock_attempt' || event.obtained || event.purpose !== 'The cutover') return;
      made ??= query(sql).then(() => reader.query('COMMIT'));
    };
    await tandem.migrate({ stopBefore: 'cutover' });
    await reader.query('BEGIN; SELECT FROM public.messages LIMIT 1');
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
    await made;
    await query("UPDATE public.sessions SET title = 'new'");
    expect(await query(holds)).toEqual([{ holds: true }]);
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
  });

  test('a materialized view that is made: the swap is prepared again, with it', async () => {
    const tandem = tandemOn(database);
    const outcome = await alterAt(
      tandem,
      beforeTheLocks,
      'CREATE MATERIALIZED VIEW public.heavy AS SELECT count(*)::int AS n FROM public.messages',
    );
    expect(outcome).toMatchObject({ phase: 'baking' });
    await query('DELETE FROM public.messages; REFRESH MATERIALIZED VIEW public.heavy');
    expect(await query('SELECT n FROM public.heavy')).toEqual([{ n: 0 }]);
  });

  test('a rule that is made: it cannot be carried over, and the run says so', async () => {
    const tandem = tandemOn(database);
    const outcome = await alterAt(
      tandem,
      beforeTheLocks,
      'CREATE RULE keep AS ON DELETE TO public.messages DO INSTEAD NOTHING',
    );
    expect(outcome).toMatchObject({ code: 'TD017', message: expect.stringContaining('rule keep') });
    await query('DROP RULE keep ON public.messages');
    expect(await tandem.migrate()).toMatchObject({ phase: 'baking' });
  });
});
