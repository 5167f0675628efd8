import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { inTransaction } from '../../../src/db/connect.ts';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { describePlan } from '../../../src/engine/describe-plan.ts';
import { diskFindings } from '../../../src/engine/disk.ts';
import type { Finding } from '../../../src/engine/events.ts';
import { checkPlan } from '../../../src/engine/migrate.ts';
import { defaultServerLimits, serverFindings } from '../../../src/engine/server-findings.ts';
import { flatWithRows } from '../../engine/flat-database.ts';
import { tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { asRole, insertMessage, insertSession, insertUser, refusal } from './fixtures.ts';

const database = useDatabase(flatWithRows('variants', { sessions: 60, messages: 300 }));
const query = (sql: string) => database.pool.query(sql);
const tables = ['sessions', 'messages'].map((name) => ({ source: { schema: 'public', name } }));

/** What `tandem plan` and `tandem migrate` say, which is the same. */
async function found(): Promise<Finding[]> {
  const { plan, options } = tandemOn(database);
  const planned = (await describePlan(database.pool, plan, options)).findings;
  expect(await checkPlan(database.pool, plan, options)).toEqual(planned);
  return planned;
}

test('on the guide’s tables nothing is found', async () => {
  expect(await found()).toEqual([]);
});

test('SQL of a plan file over another column of the row is no hindrance to a default', async () => {
  const { plan, options } = tandemOn(database, { sessions: { columns: { status: { whenNull: 'lower(s.title)' } } } });
  expect((await describePlan(database.pool, plan, options)).findings).toEqual([]);
});

test('a table in a tablespace of its own is told that the new one will not be there', async () => {
  const name = `shelf_${randomBytes(5).toString('hex')}`;
  const admin = await database.connect();
  // One in the server's own directory: it needs no other.
  await admin.query('SET allow_in_place_tablespaces = on');
  await admin.query(`CREATE TABLESPACE ${name} LOCATION ''`);
  try {
    await query(`ALTER TABLE public.messages SET TABLESPACE ${name}`);
    expect(await found()).toEqual([
      expect.objectContaining({
        severity: 'warning',
        message: `stands in tablespace ${name}, and the new table will not`,
      }),
    ]);
  } finally {
    await query('ALTER TABLE public.messages SET TABLESPACE pg_default');
    await admin.query(`DROP TABLESPACE ${name}`);
  }
});

describe('of the rows', () => {
  test('messages without a session and without a user, where a key is missing or NOT VALID, block with their keys', async () => {
    await query(`ALTER TABLE public.messages DROP CONSTRAINT messages_session_id_fkey, DROP CONSTRAINT messages_user_id_fkey;
      UPDATE public.messages SET session_id = '00000000-0000-4000-8000-000000000001' WHERE id IN (SELECT id FROM public.messages ORDER BY id LIMIT 7);
      UPDATE public.messages SET user_id = '00000000-0000-4000-8000-000000000002' WHERE id = (SELECT max(id::text)::uuid FROM public.messages);
      ALTER TABLE public.messages ADD CONSTRAINT messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users (id) NOT VALID`);
    const { rows } = await query('SELECT id FROM public.messages ORDER BY id LIMIT 5');
    expect((await found()).filter(({ severity }) => severity === 'blocks')).toEqual([
      {
        severity: 'blocks',
        subject: 'public.messages',
        message: expect.stringMatching(/^1 row has a user_id that is in no row of auth\.users, for example \S+$/),
        hint: expect.any(String),
      },
      {
        severity: 'blocks',
        subject: 'public.messages',
        message: `7 rows have a session_id that is in no row of public.sessions, for example ${rows.map(({ id }) => id).join(', ')}`,
        hint: expect.any(String),
      },
    ]);
  });

  test('sessions without a user block where their key is missing', async () => {
    await query(`ALTER TABLE public.sessions DROP CONSTRAINT sessions_user_id_fkey;
      UPDATE public.sessions SET user_id = gen_random_uuid() WHERE id IN (SELECT id FROM public.sessions LIMIT 2)`);
    expect(await found()).toEqual([
      expect.objectContaining({
        severity: 'blocks',
        subject: 'public.sessions',
        message: expect.stringMatching(
          /^2 rows have a user_id that is in no row of auth\.users, for example \S+, \S+$/,
        ),
      }),
    ]);
  });

  test('messages of one session with the same number are a warning', async () => {
    await query(`UPDATE public.messages SET sequence_number = 900
      WHERE id IN (SELECT id FROM public.messages WHERE session_id = (SELECT session_id FROM public.messages GROUP BY 1 HAVING count(*) > 1 LIMIT 1) LIMIT 2)`);
    expect(await found()).toEqual([
      {
        severity: 'warning',
        subject: 'public.messages',
        message: expect.stringMatching(
          /^2 rows share their \(session_id, sequence_number\) with another, for example \([0-9a-f-]{36}, 900\)$/,
        ),
        hint: expect.any(String),
      },
    ]);
  });

  test('text in the place of a uuid blocks, with the values that are none', async () => {
    await query(`ALTER TABLE public.messages DROP CONSTRAINT messages_pkey, ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id TYPE text;
      ALTER TABLE public.messages ADD PRIMARY KEY (id);
      UPDATE public.messages SET id = 'm-' || left(id, 3) WHERE id IN (SELECT id FROM public.messages ORDER BY id LIMIT 2)`);
    const { rows } = await query("SELECT id FROM public.messages WHERE id LIKE 'm-%' ORDER BY id");
    expect(await found()).toEqual([
      expect.objectContaining({ severity: 'blocks', message: 'column id is text, and the plan needs uuid' }),
      expect.objectContaining({
        severity: 'blocks',
        message: `2 rows have no uuid in id, for example ${rows.map(({ id }) => `'${id}'`).join(', ')}`,
      }),
    ]);
  });

  test('a language that is none blocks, with its value and its keys', async () => {
    await query(
      "UPDATE public.sessions SET language = 'tlh' WHERE id IN (SELECT id FROM public.sessions ORDER BY id LIMIT 6)",
    );
    const { rows } = await query('SELECT id FROM public.sessions ORDER BY id LIMIT 5');
    const keys = rows.map(({ id }) => id).join(', ');
    expect(await found()).toEqual([
      expect.objectContaining({
        severity: 'blocks',
        subject: 'public.sessions',
        message: `6 rows have a language that does not fit ('tlh'), for example ${keys}`,
        hint: expect.stringContaining('"language"'),
      }),
    ]);
  });
});

describe('of what the application will notice', () => {
  test('ON CONFLICT (id) in functions, and in no other INSERT', async () => {
    await query(`CREATE FUNCTION public.save(v uuid) RETURNS void LANGUAGE sql AS
        $$ INSERT INTO public."sessions" (id, user_id, language, level) SELECT v, v, 'en', 'beginner' ON CONFLICT ("id") DO UPDATE SET title = 'x' $$;
      CREATE FUNCTION public.innocent(v uuid) RETURNS void LANGUAGE sql AS
        $$ INSERT INTO public.sessions (id, user_id, language, level) VALUES (v, v, 'en', 'beginner');
           INSERT INTO public.messages (id, session_id, user_id, sequence_number, content) VALUES (v, v, v, 1, 'sessions') ON CONFLICT (id) DO NOTHING $$`);
    expect(await found()).toEqual([
      {
        severity: 'warning',
        subject: 'public.sessions',
        message:
          '1 function of the application says ON CONFLICT (id), which no unique key matches after the cutover: the primary key becomes (id, status); for example function public.save(uuid)',
        hint: expect.stringContaining('`tandem rehearse`'),
      },
    ]);
  });

  test('ON CONFLICT (id) in pg_stat_statements', async () => {
    // The extension's view as it is with its library loaded, which this server does not have.
    await query(`CREATE SCHEMA extensions; CREATE EXTENSION pg_stat_statements SCHEMA extensions;
      ALTER EXTENSION pg_stat_statements DROP VIEW extensions.pg_stat_statements;
      DROP VIEW extensions.pg_stat_statements;
      CREATE VIEW extensions.pg_stat_statements AS SELECT oid AS dbid, 'insert into sessions (id, title) values ($1, $2) on conflict (id) do nothing' AS query
        FROM pg_database WHERE datname = current_database()`);
    expect(await found()).toEqual([
      expect.objectContaining({
        severity: 'warning',
        message: expect.stringMatching(
          /^1 statement of the application says ON CONFLICT \(id\), .*; for example insert into/,
        ),
      }),
    ]);
  });

  test('pg_stat_statements without its library is no reason to stop', async () => {
    await query('CREATE EXTENSION pg_stat_statements SCHEMA public');
    expect(await found()).toEqual([]);
  });

  test('AFTER UPDATE triggers of rows, which a status that changes does not fire', async () => {
    await query(`CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER audit AFTER INSERT OR UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.f();
      CREATE TRIGGER notify AFTER UPDATE OF title ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.f();
      CREATE TRIGGER before BEFORE UPDATE ON public.sessions FOR EACH ROW EXECUTE FUNCTION public.f();
      CREATE TRIGGER once AFTER UPDATE ON public.sessions EXECUTE FUNCTION public.f();
      CREATE TRIGGER other AFTER UPDATE ON public.messages FOR EACH ROW EXECUTE FUNCTION public.f()`);
    expect(await found()).toEqual([
      expect.objectContaining({
        severity: 'warning',
        subject: 'public.sessions',
        message: expect.stringMatching(/^2 triggers AFTER UPDATE will not fire .* status changes.*: audit, notify$/),
      }),
    ]);
  });
});

describe('of the server', () => {
  test('transactions that are open for long, by pid', async () => {
    const other = await database.connect();
    await other.query('BEGIN; SELECT FROM public.sessions');
    const { rows } = await other.query('SELECT pg_backend_pid() AS pid');
    expect(await serverFindings(database.pool, tables)).toEqual([]);
    const [finding] = await serverFindings(database.pool, tables, { ...defaultServerLimits, transactionSeconds: 0 });
    expect(finding).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(/^1 transaction has been open for longer than 0 s: /),
      hint: expect.any(String),
    });
    expect(finding?.message).toContain(`pid ${rows[0]?.pid} (test, idle in transaction, open for 00:00:0`);
    await other.query('COMMIT');
    expect(await serverFindings(database.pool, tables, { ...defaultServerLimits, transactionSeconds: 0 })).toEqual([]);
  });

  test('prepared transactions: those that locked the tables block', async (context) => {
    const { rows } = await query('SHOW max_prepared_transactions');
    if (rows[0]?.max_prepared_transactions === '0') return context.skip('this server prepares no transactions');
    const other = await database.connect();
    await query('CREATE TABLE public.elsewhere (n int)');
    await other.query("BEGIN; INSERT INTO public.elsewhere VALUES (1); PREPARE TRANSACTION 'elsewhere'");
    await other.query("BEGIN; UPDATE public.sessions SET title = 'x'; PREPARE TRANSACTION 'it''s'");
    try {
      expect(await serverFindings(database.pool, tables)).toEqual([
        expect.objectContaining({
          severity: 'blocks',
          message: expect.stringMatching(/^1 prepared transaction locked the tables, .*: 'it''s'$/),
          hint: "End each: COMMIT PREPARED 'it''s', or ROLLBACK PREPARED.",
        }),
        expect.objectContaining({
          severity: 'warning',
          message: expect.stringMatching(/^1 prepared transaction stand.*: 'elsewhere'$/),
        }),
      ]);
    } finally {
      await other.query("ROLLBACK PREPARED 'elsewhere'");
      await other.query("ROLLBACK PREPARED 'it''s'");
    }
  });

  test('a replication slot that keeps WAL for nobody', async () => {
    const name = `tandem_test_${Math.random().toString(36).slice(2)}`;
    const slots = async () =>
      (await serverFindings(database.pool, tables, { ...defaultServerLimits, slotBytes: 0 })).filter(({ message }) =>
        message.includes(name),
      );
    await database.pool.query('SELECT pg_create_physical_replication_slot($1, true)', [name]);
    try {
      await query('CREATE TABLE public.written AS SELECT generate_series(1, 1000)');
      expect(await slots()).toEqual([
        expect.objectContaining({
          severity: 'warning',
          subject: 'replication',
          message: expect.stringMatching(/slot.* keep.* WAL that nobody reads/),
        }),
      ]);
    } finally {
      await database.pool.query('SELECT pg_drop_replication_slot($1)', [name]);
    }
    expect(await slots()).toEqual([]);
  });

  test('a standby that is behind, by bytes', async () => {
    const name = `behind_${Math.random().toString(36).slice(2)}`;
    const { rows } = await query('SELECT pg_current_wal_flush_lsn() AS lsn');
    const standby = await startStandby(`${database.url}?replication=true&application_name=${name}`, rows[0]?.lsn);
    const behind = async (lagBytes: number) =>
      (await serverFindings(database.pool, tables, { ...defaultServerLimits, lagBytes })).filter(({ message }) =>
        message.includes(name),
      );
    try {
      await query('CREATE TABLE public.written AS SELECT generate_series(1, 1000)');
      await expect
        .poll(() => behind(0), { timeout: 10_000 })
        .toEqual([
          expect.objectContaining({
            severity: 'warning',
            subject: 'replication',
            message: expect.stringMatching(/behind: .*of WAL\)/),
            hint: expect.stringContaining('--max-lag'),
          }),
        ]);
      expect(await behind(1024 ** 3)).toEqual([]);
    } finally {
      standby.destroy();
    }
  });

  test('not enough disk blocks, where it is known; where it is not, the need is said', async () => {
    const of = (told: number | null) => inTransaction(database.pool, (client) => diskFindings(client, tables, told));
    expect(await of(1000)).toEqual([
      expect.objectContaining({
        severity: 'blocks',
        message: expect.stringMatching(/^a run needs about \d+ kB beside the tables, and 1000 bytes are free/),
      }),
    ]);
    expect(await of(1024 ** 4)).toEqual([]);
    // The test server is on this machine: its own disk is looked at.
    expect(await of(null)).toEqual([]);
    const role = `unseeing_${Math.random().toString(36).slice(2, 10)}`;
    await query(`CREATE ROLE ${role}; GRANT USAGE ON SCHEMA public TO ${role}`);
    const unseeing = await inTransaction(database.pool, async (client) => {
      await client.query(`SET LOCAL ROLE ${role}`);
      return diskFindings(client, tables, null);
    });
    await query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    expect(unseeing).toEqual([
      expect.objectContaining({ severity: 'note', message: expect.stringContaining('cannot be seen from here') }),
    ]);
  });
});

/** A standby that has applied the WAL up to a place, and goes no further. */
async function startStandby(url: string, lsn: string): Promise<Socket> {
  const socket = new Socket();
  const client = new pg.Client({ connectionString: url, stream: () => socket });
  client.on('error', () => undefined);
  await client.connect();
  client.query(`START_REPLICATION PHYSICAL ${lsn}`).catch(() => undefined);
  const [high = '', low = ''] = lsn.split('/');
  const applied = (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
  const status = Buffer.alloc(1 + 4 + 1 + 4 * 8 + 1);
  status.write('d');
  status.writeInt32BE(status.length - 1, 1);
  status.write('r', 5);
  for (const place of [6, 14, 22]) status.writeBigUInt64BE(applied, place);
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.write(status);
  return socket;
}

test('policies of the tables’ own, for the API, are named: they come along and allow what they allowed', async () => {
  const theirs = expect.objectContaining({ message: expect.stringContaining('add up') });
  await query(`CREATE POLICY strict ON public.messages AS RESTRICTIVE USING (true);
    CREATE POLICY server ON public.messages TO service_role USING (true)`);
  expect(await found()).not.toContainEqual(theirs);
  await query(`CREATE POLICY "own rows" ON public.messages USING (user_id = auth.uid());
    CREATE POLICY mine ON public.sessions FOR SELECT TO authenticated USING (user_id = auth.uid())`);
  expect((await found()).filter(({ message }) => message.includes('add up'))).toMatchObject([
    { severity: 'warning', subject: 'public.sessions', hint: expect.stringContaining('DROP POLICY "mine"') },
    { severity: 'warning', subject: 'public.messages', hint: expect.stringContaining('DROP POLICY "own rows"') },
  ]);

  const { tandem, client } = { tandem: tandemOn(database), client: await database.connect() };
  await tandem.migrate();
  const [ann, bob] = [await insertUser(client), await insertUser(client)];
  const session = await insertSession(client, bob);
  const intrude = () =>
    asRole(client, 'authenticated', { setting: 'json', sub: ann }, () => insertMessage(client, session, ann));
  await intrude();
  await query('DROP POLICY "own rows" ON public.messages');
  expect(await refusal(intrude())).toBe(SqlState.insufficientPrivilege);
});
