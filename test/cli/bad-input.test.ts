import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { explain, renderFailure } from '../../src/cli/failure.ts';
import { assertVersion } from '../../src/db/connect.ts';
import { quoteIdent } from '../../src/db/identifier.ts';
import { startLocalServer } from '../../src/db/local-server.ts';
import { packageRoot } from '../../src/db/sql-file.ts';
import { startTransactionPooler } from '../db/transaction-pooler.ts';
import { fewRows } from '../engine/flat-database.ts';
import { urlAs, useRoles } from '../engine/roles.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { urlOf } from '../support/template.ts';
import { contentOf } from './fixtures.ts';
import { inProcess } from './in-process.ts';
import type { Ended } from './tandem.ts';

/** The table of docs/bad-input.md: what the tests below expect is written there, and nowhere else. */
const documented = readFileSync(join(packageRoot(), 'docs/bad-input.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const match = /^\| (.+?) \| (.+) \| (TD\d{3}) \| (\d) \|$/.exec(line);
    return match
      ? [{ input: match[1] ?? '', sentence: match[2] ?? '', code: match[3] ?? '', exit: Number(match[4]) }]
      : [];
  });

const roles = useRoles({ owner: 'LOGIN', creator: 'LOGIN' });
const database = useDatabase(fewRows);
const query = (sql: string) => database.pool.query(sql);
const run = (...args: string[]) => inProcess(args, { url: database.url });
const migrate = (...args: string[]) => run('migrate', '--yes', ...args);
const nameOf = async () => quoteIdent((await query('SELECT current_database() AS name')).rows[0]?.name ?? '');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-bad-input-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
async function planFile(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

/** Refused before anything is made in the database. */
const serve = async (...args: string[]) => {
  const ended = await run('serve', ...args);
  expect((await query("SELECT to_regnamespace('keeper') AS keeper")).rows).toEqual([{ keeper: null }]);
  return ended;
};

const CTRL_C = '\u0003';

const cases: Readonly<Record<string, () => Promise<Ended | 'not tried here'>>> = {
  'an unreachable server': () => inProcess(['status'], { url: 'postgres://localhost:1/app' }),
  'a wrong password': () => inProcess(['status'], { url: changed({ password: 'wr0ng' }) }),
  'a database that does not exist': () => inProcess(['plan'], { url: urlOf(inject('serverUrl'), 'no_such_database') }),
  'PostgreSQL 14': async () => {
    try {
      assertVersion(14, 'db-1:5432/app');
    } catch (error) {
      const failure = explain(error, new AbortController().signal);
      return { code: failure.exitCode, stdout: '', stderr: renderFailure(failure, { debug: false }) };
    }
    throw new Error('The version was accepted.');
  },
  'a pooler in transaction mode': async () => {
    const pooler = await startTransactionPooler(database.url, 2);
    const ended = await inProcess(['plan'], { url: pooler.url });
    await pooler.close();
    return ended;
  },
  'a read-only server': async () => {
    await query(`ALTER DATABASE ${await nameOf()} SET default_transaction_read_only = on`);
    return inProcess(['migrate', '--yes'], { url: database.url });
  },
  'a standby': async () => {
    const binDir = inject('binDir');
    const server = await startLocalServer(binDir ? { binDir } : {});
    try {
      // A standby of nobody: it waits for WAL, and only reads.
      await writeFile(join(server.dataDir, 'standby.signal'), '', { mode: 0o666 });
      await server.restart('fast');
      expect(await inProcess(['status'], { url: server.url })).toMatchObject({ code: 0, stderr: '' });
      return await inProcess(['migrate', '--yes'], { url: server.url });
    } finally {
      await server.stop();
    }
  },
  'no CREATE privilege': async () => {
    await query(`ALTER TABLE public.sessions OWNER TO ${roles.owner}; ALTER TABLE public.messages OWNER TO ${roles.owner};
      GRANT USAGE ON SCHEMA public, auth TO ${roles.owner}`);
    return inProcess(['migrate', '--yes'], { url: urlAs(database.url, roles.owner) });
  },
  'a role that does not own the tables': async () => {
    await query(`GRANT CREATE ON DATABASE ${await nameOf()} TO ${roles.creator}; GRANT USAGE, CREATE ON SCHEMA public TO ${roles.creator};
      GRANT SELECT ON public.sessions, public.messages TO ${roles.creator}`);
    return inProcess(['migrate', '--yes'], { url: urlAs(database.url, roles.creator) });
  },
  'no database named': () => inProcess(['plan'], { url: '' }),
  'a URL that is none': () => inProcess(['plan'], { url: 'localhost/app' }),
  'an address beyond this machine, without a token': () => serve('--listen', '0.0.0.0:0'),
  '`--allow-host` without a token': () => serve('--listen', '127.0.0.1:0', '--allow-host', 'tandem.example'),
  'an unknown option': () => run('plan', '--jsn'),
  'a plan file that is not there': () => run('plan', '--plan', '/nowhere/plan.json'),
  'a plan file with a syntax error': async () => migrate('--plan', await planFile('syntax.json', '{"sessions": ')),
  'a plan file that says what the plan does not know': async () =>
    migrate('--plan', await planFile('unknown.json', '{"sesions": {}}')),
  'a plan file whose SQL the server refuses': async () =>
    migrate('--plan', await planFile('sql.json', '{"sessions": {"columns": {"status": {"whenNull": "s.nonsense"}}}}')),
  'no such table': async () => {
    await query('DROP TABLE public.messages, public.sessions');
    return migrate();
  },
  'a table that is a view': async () => {
    await query('ALTER TABLE public.sessions RENAME TO chats; CREATE VIEW public.sessions AS TABLE public.chats');
    return migrate();
  },
  'a table that is partitioned already': async () => {
    await query('DROP TABLE public.messages; CREATE TABLE public.messages (id uuid) PARTITION BY HASH (id)');
    return migrate();
  },
  'a table without a key': async () => {
    await query('ALTER TABLE public.messages DROP CONSTRAINT messages_pkey');
    return migrate();
  },
  'a table with a key of two columns': async () => {
    await query('ALTER TABLE public.messages DROP CONSTRAINT messages_pkey, ADD PRIMARY KEY (id, session_id)');
    return migrate();
  },
  'a table with text for an id': async () => {
    await query('ALTER TABLE public.messages ALTER COLUMN id DROP DEFAULT, ALTER COLUMN id TYPE text');
    return migrate();
  },
  'messages with 1,600 columns': async () => {
    await query(
      `ALTER TABLE public.messages ${Array.from({ length: 1593 }, (_, i) => `ADD COLUMN c${i} int`).join(', ')}`,
    );
    return migrate();
  },
  'tables that have the new shape already': async () => {
    await tandemOn(database).migrate();
    await tandemOn(database).finish();
    return migrate();
  },
  'a disk that is too small': () => migrate('--disk-free', '1000'),
  'a disk that is full while backing up': async () => {
    const disk = join(folder, 'small');
    await mkdir(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tandem-test', disk], { stdio: 'ignore' });
    } catch {
      return 'not tried here';
    }
    try {
      return await migrate('--backup-dir', join(disk, 'backup'));
    } finally {
      // The same command completes it, once there is room.
      execFileSync('mount', ['-o', 'remount,size=64m', disk]);
      const again = await migrate('--backup-dir', join(disk, 'backup'));
      execFileSync('umount', [disk]);
      expect(again).toMatchObject({ code: 0 });
    }
  },
  'a backup directory that has a backup': async () => {
    const directory = join(folder, 'twice');
    expect(await run('backup', directory)).toMatchObject({ code: 0 });
    return run('backup', directory);
  },
  'a file in the place of a backup directory': async () => run('backup', await planFile('a-file', 'x')),
  'a question where nobody can be asked': () => run('migrate'),
  'no, at a question': () => inProcess(['migrate'], { url: database.url, answers: ['n'] }),
  'Ctrl-C at any question': async () => {
    const tandem = tandemOn(database);
    const session = await database.connect();
    const backup = join(folder, 'to-restore');
    expect(await run('backup', backup)).toMatchObject({ code: 0 });
    const asked: string[] = [];
    let last: Ended | null = null;
    const stopAt = async (...args: string[]) => {
      const before = await contentOf(session);
      const ended = await inProcess(args, { url: database.url, answers: [CTRL_C] });
      asked.push(ended.stdout.trimEnd().split('\n').at(-1) ?? '');
      if (last !== null) expect(ended).toMatchObject({ code: last.code, stderr: last.stderr });
      expect(await contentOf(session)).toEqual(before);
      last = ended;
    };
    await stopAt('restore', backup);
    await stopAt('migrate');
    await stopAt('rollback', '--from', backup);
    await stopAt('rollback', '--from', backup, '--swap');
    await tandem.migrateUpTo('drain');
    for (const command of ['migrate', 'cutover', 'rollback']) await stopAt(command);
    await tandem.migrate();
    for (const command of ['migrate', 'recycle', 'rollback', 'finish']) await stopAt(command);
    await query("UPDATE public.sessions SET last_accessed = now() - interval '1 year'");
    // The keeper's tables are there before it asks.
    expect((await run('archive', '--dry-run')).code).toBe(0);
    for (const command of ['archive', 'undo']) await stopAt(command);
    await stopAt('archive', '--plan', await planFile('strict.json', '{"archiving": {"archiveAfterDays": 1}}'));
    // Every question that there is.
    expect(new Set(asked).size).toBe(asked.length);
    for (const question of asked) expect(question).toMatch(/( \[y\/N\]|:)$/);
    return last ?? 'not tried here';
  },
};

test('every row of the document is tried, and nothing is that has none', () => {
  expect(documented.map(({ input }) => input).toSorted()).toEqual(Object.keys(cases).toSorted());
});

describe('what is said, with its code and exit code', () => {
  test.each(documented)('$input', async ({ input, sentence, code, exit }) => {
    const ended = await cases[input]?.();
    if (ended === undefined || ended === 'not tried here')
      return console.error(`SKIPPED: ${input}: not possible here.`);
    const lines = ended.stderr.trimEnd().split('\n');
    const [, said, first] = /^(?:error|stopped) (TD\d{3}): (.*)$/.exec(lines[0] ?? '') ?? [];
    expect({ code: said, exit: ended.code }).toEqual({ code, exit });
    // A finding stands below the sentence that counts them.
    const findings = lines.slice(1, -1).map((line) => line.trim());
    expect(code === 'TD011' ? findings : [first]).toContainEqual(expect.stringMatching(patternOf(sentence)));
    expect(lines.at(-1)).toMatch(/^hint: \S/);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });
});

/** The sentence as it is written, but for the `…` in it. */
function patternOf(sentence: string): RegExp {
  const parts = sentence.split('…').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('\\S.*')}$`);
}

function changed({ password }: { password: string }): string {
  const url = new URL(database.url);
  url.password = password;
  return url.href;
}
