import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { assertVersion, assertWritable, createPool } from '../../src/db/connect.ts';
import { quoteIdent } from '../../src/db/identifier.ts';
import { fewRows } from '../engine/flat-database.ts';
import { useDatabase } from '../support/database.ts';
import { urlOf, withClient } from '../support/template.ts';
import { inProcess as tandem } from './in-process.ts';
import { failureShape } from './json-shapes.ts';
import { tandem as inOwnProcess } from './tandem.ts';

/** `error TDxxx: sentence`, perhaps more lines, `hint: …`, and no stack trace. */
function oneSentence(stderr: string, code: string) {
  const lines = stderr.trimEnd().split('\n');
  expect(lines[0]).toMatch(new RegExp(`^error ${code}: [A-Z].*\\.$`));
  expect(lines.at(-1)).toMatch(/^hint: ./);
  expect(stderr).not.toMatch(/^\s+at /m);
  return lines[0] ?? '';
}

describe('no connection:', () => {
  test('nobody listens at the port', async () => {
    const { code, stderr } = await tandem(['status'], { url: 'postgres://localhost:1/app' });
    expect(code).toBe(2);
    expect(oneSentence(stderr, 'TD001')).toContain('localhost:1/app');
    expect(stderr).toContain('ECONNREFUSED');
  });

  test('there is no such host', async () => {
    const { code, stderr } = await tandem(['status'], { url: 'postgres://nowhere.invalid/app' });
    expect(code).toBe(2);
    oneSentence(stderr, 'TD001');
  });

  test('something else listens there', async () => {
    const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const { code, stderr } = await tandem(['status'], { url: `postgres://127.0.0.1:${port}/app` });
    other.close();
    expect(code).toBe(2);
    oneSentence(stderr, 'TD001');
  });

  test('a socket, as libpq names it, is one that nobody listens to', async () => {
    const url = 'postgresql://app:secret@/app?host=/nowhere/at/all&port=5433';
    const { code, stderr } = await tandem(['status'], { url });
    expect(code).toBe(2);
    expect(oneSentence(stderr, 'TD001')).toContain('No PostgreSQL server answers at /nowhere/at/all:5433/app.');
  });

  test('the server speaks no TLS', async () => {
    // A warning of the driver's would be the process's.
    const { code, stderr } = await inOwnProcess(['status'], { url: `${inject('serverUrl')}?sslmode=require` });
    expect(code).toBe(2);
    oneSentence(stderr, 'TD001');
    expect(stderr).toContain('hint: Take sslmode out of the URL');
    expect(stderr).not.toContain('SECURITY WARNING');
  });

  test.each(['wr0ng-password', ''])('the password is `%s`', { timeout: 30_000 }, async (password) => {
    const url = new URL(inject('serverUrl'));
    url.password = password;
    // A connection that stays open would keep the process for a minute.
    const { code, stderr } = await inOwnProcess(['status', '--debug'], { url: url.href });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error TD002: The server at .* refused the user or the password\.$/m);
    if (password) expect(stderr).not.toContain(password);
  });

  test('there is no such database', async () => {
    const { code, stderr } = await tandem(['plan'], { url: urlOf(inject('serverUrl'), 'no_such_database') });
    expect(code).toBe(2);
    expect(oneSentence(stderr, 'TD003')).toContain('/no_such_database');
  });

  test('the file of the certificate is not there', async () => {
    const { code, stderr } = await tandem(['plan'], { url: `${inject('serverUrl')}?sslrootcert=/nowhere/ca.pem` });
    expect(code).toBe(2);
    oneSentence(stderr, 'TD008');
    expect(stderr).toContain('/nowhere/ca.pem');
  });
});

test('a server older than 15 is refused by its version alone', () => {
  expect(() => assertVersion(14, 'db-1:5432/app')).toThrow(
    expect.objectContaining({
      code: 'TD004',
      exitCode: 2,
      message: 'The server at db-1:5432/app is PostgreSQL 14; Tandem needs 15 or newer.',
    }),
  );
  expect(() => assertVersion(15, 'db-1:5432/app')).not.toThrow();
});

test('a standby is refused where a command writes', () => {
  expect(() => assertWritable({ standby: true, readOnly: true }, 'db-2:5432/app')).toThrow(
    expect.objectContaining({ code: 'TD009', exitCode: 3, message: expect.stringContaining('standby') }),
  );
  expect(() => assertWritable({ standby: false, readOnly: false }, 'db-1:5432/app')).not.toThrow();
});

test('what roles and databases may have set does not end a long statement of a run', async () => {
  const database = urlOf(inject('serverUrl'), 'postgres');
  const role = `impatient_${randomBytes(4).toString('hex')}`;
  const version = Number(
    (await withClient(database, (admin) => admin.query('SHOW server_version_num'))).rows[0]?.server_version_num,
  );
  const timeouts = [
    'statement_timeout',
    'idle_in_transaction_session_timeout',
    ...(version >= 170_000 ? ['transaction_timeout'] : []),
  ];
  await withClient(database, async (admin) => {
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
    for (const name of timeouts) await admin.query(`ALTER ROLE ${role} SET ${name} = '1s'`);
  });
  const url = new URL(database);
  url.username = role;
  url.password = 'x';
  const pool = createPool(url.href);
  try {
    for (const name of timeouts) expect((await pool.query(`SHOW ${name}`)).rows[0]?.[name]).toBe('0');
  } finally {
    await pool.end();
    await withClient(database, (admin) => admin.query(`DROP ROLE ${role}`));
  }
});

describe('on a server that only reads', () => {
  const database = useDatabase(fewRows, { per: 'suite' });
  beforeAll(async () => {
    const { rows } = await database.pool.query<{ name: string }>('SELECT current_database() AS name');
    await database.pool.query(
      `ALTER DATABASE ${quoteIdent(rows[0]?.name ?? '')} SET default_transaction_read_only = on`,
    );
  });

  test.each([['migrate'], ['rollback'], ['finish'], ['cutover'], ['pause'], ['resume'], ['restore', './backup']])(
    'tandem %s is refused',
    async (...args) => {
      const yes = args[0] === 'pause' || args[0] === 'resume' ? [] : ['--yes'];
      const { code, stderr } = await tandem([...args, ...yes], { url: database.url });
      expect(code).toBe(3);
      oneSentence(stderr, 'TD009');
    },
  );

  test.each([['plan'], ['status'], ['status', '--json']])('tandem %s works', async (...args) => {
    expect(await tandem(args, { url: database.url })).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('without the privileges', () => {
  const database = useDatabase(fewRows, { per: 'suite' });
  const id = randomBytes(4).toString('hex');
  const roles = { reader: `reader_${id}`, owner: `owner_${id}`, stranger: `stranger_${id}` };
  const as = (role: string) => {
    const url = new URL(database.url);
    url.username = role;
    url.password = 'r0le-secret';
    return url.href;
  };
  beforeAll(async () => {
    const { rows } = await database.pool.query<{ name: string }>('SELECT current_database() AS name');
    const name = quoteIdent(rows[0]?.name ?? '');
    for (const role of Object.values(roles)) {
      await database.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'r0le-secret'`);
    }
    await database.pool.query(`
      REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC; GRANT CONNECT ON DATABASE ${name} TO ${roles.reader}, ${roles.owner};
      GRANT USAGE ON SCHEMA public, auth TO ${roles.reader}, ${roles.owner};
      GRANT SELECT ON ALL TABLES IN SCHEMA public, auth TO ${roles.reader}, ${roles.owner};
      ALTER TABLE public.sessions OWNER TO ${roles.owner}; ALTER TABLE public.messages OWNER TO ${roles.owner}`);
  });
  afterAll(async () => {
    const server = inject('serverUrl');
    // They own tables of a database that is dropped before this runs, or was kept for somebody to look at.
    await withClient(server, (admin) => admin.query(`DROP ROLE IF EXISTS ${Object.values(roles).join(', ')}`)).catch(
      () => undefined,
    );
  });

  test('of the owner, plan tells the whole plan with what is missing, and migrate refuses', async () => {
    const planned = await tandem(['plan'], { url: as(roles.reader) });
    expect(planned).toMatchObject({ code: 1, stderr: '' });
    expect(planned.stdout).toMatch(
      /blocks {3}public\.sessions: the connecting role reader_\w+ does not own it\n.*hint: .*GRANT owner_\w+ TO reader_/,
    );
    expect(planned.stdout).toMatch(/ACCESS EXCLUSIVE on public\.messages, public\.sessions/);
    const { code, stderr } = await tandem(['migrate', '--yes'], { url: as(roles.reader) });
    expect(code).toBe(3);
    expect(oneSentence(stderr, 'TD006')).toMatch(/The connecting role reader_\w+ lacks CREATE on database/);
    expect(stderr).toMatch(/GRANT owner_\w+ TO reader_/);
  });

  test('to create schemas in the database: plan lists it, migrate says so, and nothing is there afterwards', async () => {
    const planned = await tandem(['plan'], { url: as(roles.owner) });
    expect(planned.code).toBe(1);
    expect(planned.stdout).toMatch(/blocks {3}database test_.*: the connecting role owner_.* lacks CREATE on it/);
    expect(planned.stdout).toMatch(/hint: .*GRANT CREATE ON DATABASE test_/);
    const { code, stdout, stderr } = await tandem(['migrate', '--yes', '--json'], { url: as(roles.owner) });
    expect(code).toBe(3);
    expect(oneSentence(stderr, 'TD006')).toMatch(/lacks CREATE on database test_/);
    expect(failureShape.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''))).toMatchObject({
      code: 'TD006',
    });
    const { rows } = await database.pool.query("SELECT to_regnamespace('tandem') AS there");
    expect(rows).toEqual([{ there: null }]);
  });

  test('to connect', async () => {
    const { code, stdout, stderr } = await tandem(['status', '--debug'], { url: as(roles.stranger) });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^error TD006: .*permission denied for database/);
    expect(stdout + stderr).not.toContain('r0le-secret');
  });
});

test('a table that is not there is named, and how to name another', async () => {
  const { code, stderr } = await tandem(['plan'], { url: urlOf(inject('serverUrl'), 'postgres') });
  expect(code).toBe(2);
  expect(oneSentence(stderr, 'TD005')).toContain('public.sessions');
  expect(stderr).toContain('tandem.config.json');
});
