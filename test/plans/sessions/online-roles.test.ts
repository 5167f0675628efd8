import { beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { createPool, type Pool } from '../../../src/db/connect.ts';
import { SqlState } from '../../../src/db/sqlstate.ts';
import { flatWithRows } from '../../engine/flat-database.ts';
import { urlAs, useRoles } from '../../engine/roles.ts';
import { catalogOf, expectNothingOfTandems, rowsOf } from '../../engine/snapshot.ts';
import { type Tandem, tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { refusal } from './fixtures.ts';

const roles = useRoles({
  // As Supabase's `postgres`: no superuser, but the owner of the tables.
  owner: 'LOGIN CREATEROLE BYPASSRLS',
  auth_admin: 'NOLOGIN',
  app: 'LOGIN',
  deployer: 'LOGIN',
});
const database = useDatabase(flatWithRows('variants', { sessions: 60, messages: 300 }));
const SCHEMAS = ['public', 'private', 'auth'];
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;

let name: string;
beforeEach(async () => {
  name = new URL(database.url).pathname.slice(1);
  await query(`
    ALTER TABLE public.sessions OWNER TO ${roles.owner}; ALTER TABLE public.messages OWNER TO ${roles.owner};
    ALTER SCHEMA auth OWNER TO ${roles.auth_admin}; ALTER TABLE auth.users OWNER TO ${roles.auth_admin};
    ALTER FUNCTION auth.uid() OWNER TO ${roles.auth_admin};
    GRANT USAGE ON SCHEMA auth TO ${roles.owner}; GRANT REFERENCES ON auth.users TO ${roles.owner};
    GRANT anon, authenticated, service_role TO ${roles.owner};
    GRANT SELECT, INSERT, UPDATE, DELETE ON public.sessions, public.messages TO ${roles.app}`);
});

/** Runs `work` with Tandem connected as the tables' owner. */
async function asOwner<T>(work: (tandem: Tandem, pool: Pool) => Promise<T>): Promise<T> {
  const pool = createPool(urlAs(database.url, roles.owner), { max: 10 });
  try {
    return await work(tandemOn({ pool }), pool);
  } finally {
    await pool.end();
  }
}

describe('an owner who is no superuser, and may only refer to auth.users', () => {
  beforeEach(() => query(`ALTER DATABASE ${name} OWNER TO ${roles.owner}`));

  test('goes there and back', async () => {
    const flat = [...(await catalogOf(database.pool, SCHEMAS)), ...(await rowsOf(database.pool, SCHEMAS))];
    await asOwner(async (tandem) => {
      await tandem.migrate();
      expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
      await tandem.rollback();
    });
    expect(
      catalogDifference(flat, [
        ...(await catalogOf(database.pool, SCHEMAS)),
        ...(await rowsOf(database.pool, SCHEMAS)),
      ]),
    ).toEqual([]);
  });

  test('is told of a privilege that it has lost before anything is taken back', async () => {
    await asOwner(async (tandem) => {
      await tandem.migrate();
      await query(`ALTER DATABASE ${name} OWNER TO CURRENT_USER`);
      const before = await catalogOf(database.pool);
      await expect(tandem.rollback()).rejects.toMatchObject({
        code: 'TD006',
        hint: expect.stringContaining('GRANT CREATE ON DATABASE'),
      });
      expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
      await query(
        `GRANT CREATE ON DATABASE ${name} TO ${roles.owner}; GRANT CREATE ON SCHEMA public TO ${roles.owner}`,
      );
      await tandem.rollback();
    });
  });

  test('finishes; the new tables are the owner’s, and users are still removed by whoever owns them', async () => {
    await asOwner(async (tandem, pool) => {
      await tandem.migrate();
      await tandem.finish();
      expect(await tandem.verify()).toMatchObject({ ok: true, phase: 'finished', findings: [] });
      await pool.query('ALTER TABLE public.sessions ADD COLUMN later integer');
    });
    await expectNothingOfTandems(database.pool);
    const client = await database.connect();
    await client.query(`SET ROLE ${roles.auth_admin}`);
    await client.query('DELETE FROM auth.users');
    expect(
      await query(
        'SELECT (SELECT count(*)::int FROM public.sessions) AS sessions, (SELECT count(*)::int FROM public.messages) AS messages, (SELECT count(*)::int FROM private.session_keys) AS keys',
      ),
    ).toEqual([{ sessions: 0, messages: 0, keys: 0 }]);
  });

  test('takes along what hangs on them, and what is somebody else’s is said before', async () => {
    await query(`
      CREATE VIEW public.active AS SELECT id, title FROM public.sessions WHERE status = 'active';
      CREATE MATERIALIZED VIEW public.counted AS SELECT count(*) AS n FROM public.active;
      CREATE UNIQUE INDEX ON public.counted (n);
      CREATE FUNCTION public.n() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT n FROM public.counted; END;
      CREATE TABLE public.notes (session_id uuid);
      CREATE POLICY of_active ON public.notes USING (session_id IN (SELECT id FROM public.active));
      CREATE PUBLICATION realtime FOR TABLE public.sessions`);
    const owned = ['VIEW public.active', 'FUNCTION public.n()', 'TABLE public.notes', 'PUBLICATION realtime'];
    const flat = await catalogOf(database.pool, SCHEMAS);
    await asOwner(async (tandem) => {
      await expect(tandem.migrate()).rejects.toMatchObject({
        code: 'TD011',
        detail: expect.stringMatching(
          /function public\.n\(\): belongs.*materialized view public\.counted: .*publication realtime: .*table public\.notes: .*view public\.active: /s,
        ),
      });
      expect(catalogDifference(flat, await catalogOf(database.pool, SCHEMAS))).toEqual([]);
      for (const what of [...owned, 'MATERIALIZED VIEW public.counted'])
        await query(`ALTER ${what} OWNER TO ${roles.owner}`);
      await query(`GRANT CREATE ON SCHEMA public TO ${roles.owner}`);
      const before = await catalogOf(database.pool, SCHEMAS);
      await tandem.migrate();
      expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
      expect(await query('SELECT public.n()::int AS n')).toEqual(
        await query('SELECT count(*)::int AS n FROM public.active'),
      );
      await tandem.rollback();
      expect(catalogDifference(before, await catalogOf(database.pool, SCHEMAS))).toEqual([]);
    });
  });

  test('who cannot read auth.users is not held up by tables that do not refer to it', async () => {
    await query(
      'ALTER TABLE public.sessions DROP CONSTRAINT sessions_user_id_fkey; ALTER TABLE public.messages DROP CONSTRAINT messages_user_id_fkey',
    );
    await asOwner(async (tandem) => {
      await tandem.migrate();
      expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    });
  });

  test('an application that may do nothing but write rows writes on before and after the cutover', async () => {
    const app = await database.connect();
    await asOwner(async (tandem) => {
      await tandem.migrate({ stopBefore: 'cutover' });
      await app.query(`SET ROLE ${roles.app}`);
      await writeAs(app);
      await tandem.migrate();
      await writeAs(app);
      expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
      expect(await refusal(app.query('SELECT FROM tandem.run'))).toBe(SqlState.insufficientPrivilege);
    });
    expect(await query("SELECT count(*)::int AS n FROM public.sessions WHERE title = 'written'")).toEqual([{ n: 2 }]);
  });
});

describe('a role that lacks something is told so before anything is changed', () => {
  async function expectRefusal(says: RegExp) {
    const before = await catalogOf(database.pool);
    const error = await asOwner((tandem) => tandem.migrate()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'TD006', exitCode: 3, message: expect.stringMatching(says) });
    expect(catalogDifference(before, await catalogOf(database.pool))).toEqual([]);
  }

  test('CREATE on the database', async () => {
    await query('GRANT CREATE ON SCHEMA public TO PUBLIC');
    await expectRefusal(/CREATE.*database/);
  });
  test('CREATE on the schema', async () => {
    await query(`GRANT CREATE ON DATABASE ${name} TO ${roles.owner}`);
    await expectRefusal(/CREATE.*public/);
  });
  test('the tables', async () => {
    await query(
      `ALTER DATABASE ${name} OWNER TO ${roles.owner}; ALTER TABLE public.messages OWNER TO ${roles.auth_admin}`,
    );
    await expectRefusal(/does not own public\.messages/);
  });
});

test('a role that is a member of the owner moves its tables, and leaves them to it', async () => {
  await query(`ALTER DATABASE ${name} OWNER TO ${roles.deployer}; GRANT ${roles.owner} TO ${roles.deployer};
    GRANT anon, authenticated, service_role TO ${roles.deployer}; GRANT USAGE ON SCHEMA auth TO ${roles.deployer};
    GRANT REFERENCES ON auth.users TO ${roles.deployer}; GRANT CREATE ON SCHEMA public TO ${roles.owner}`);
  const flat = [...(await catalogOf(database.pool, SCHEMAS)), ...(await rowsOf(database.pool, SCHEMAS))];
  const pool = createPool(urlAs(database.url, roles.deployer), { max: 10 });
  try {
    const tandem = tandemOn({ pool });
    await tandem.migrate();
    expect(await tandem.verify()).toMatchObject({ ok: true, findings: [] });
    await tandem.rollback();
    expect(
      catalogDifference(flat, [
        ...(await catalogOf(database.pool, SCHEMAS)),
        ...(await rowsOf(database.pool, SCHEMAS)),
      ]),
    ).toEqual([]);
    await tandem.migrate();
    await tandem.finish();
  } finally {
    await pool.end();
  }
  await expectLeftToOwner();
});

describe('a superuser who moves tables of somebody else', () => {
  test('leaves the new ones to their owner, partitions as well', async () => {
    const tandem = tandemOn(database);
    await tandem.migrate();
    await tandem.finish();
    await expectLeftToOwner();
  });
});

async function expectLeftToOwner(): Promise<void> {
  const owners = await query(
    `SELECT c.relname AS name, pg_get_userbyid(c.relowner) = $1 AS kept FROM pg_class c
      WHERE c.relnamespace = 'public'::regnamespace AND (c.relname ~ '^sessions' OR c.relname = 'messages') AND c.relkind IN ('r', 'p') ORDER BY 1`,
    [roles.owner],
  );
  expect(owners).toEqual(
    ['messages', 'sessions', 'sessions_active', 'sessions_archived', 'sessions_deleted'].map((table) => ({
      name: table,
      kept: true,
    })),
  );
  const client = await database.connect();
  await client.query(`SET ROLE ${roles.owner}`);
  await writeAs(client);
  await client.query('ALTER TABLE public.sessions ADD COLUMN later integer DEFAULT 7');
  await client.query('ALTER TABLE public.messages ADD COLUMN later integer');
}

async function writeAs(client: { query(sql: string): Promise<unknown> }): Promise<void> {
  await client.query(
    `INSERT INTO public.sessions (user_id, language, level, title) SELECT user_id, 'de', 'beginner', 'written' FROM public.sessions LIMIT 1`,
  );
  await client.query(
    `INSERT INTO public.messages (session_id, user_id, sequence_number, content) SELECT id, user_id, 1, 'x' FROM public.sessions WHERE title = 'written'`,
  );
  await client.query(
    "UPDATE public.sessions SET status = 'archived' WHERE id = (SELECT id FROM public.sessions WHERE status = 'active' LIMIT 1)",
  );
  await client.query(
    "DELETE FROM public.sessions WHERE id = (SELECT id FROM public.sessions WHERE title IS DISTINCT FROM 'written' LIMIT 1)",
  );
}
