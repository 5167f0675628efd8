import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tandem } from '../cli/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { flatRows } from './rehearsing.ts';

const database = useDatabase(flatRows, { per: 'suite' });
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tandem-command-'));
  await writeFile(
    join(directory, 'good.sql'),
    "SELECT id FROM sessions WHERE status = 'active'; SELECT id FROM sessions WHERE status = $1;",
  );
  await writeFile(join(directory, 'bad.sql'), 'SELECT id FROM sessions WHERE status = $1::text;');
});
afterAll(() => rm(directory, { recursive: true }));

const rehearse = (...args: string[]) => tandem(['rehearse', ...args], { url: database.url, cwd: directory });

test('exit 0 where nothing would break, also where connections must be made anew', async () => {
  const { code, stdout, stderr } = await rehearse('--statements', 'good.sql');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('None of 2 statements would break at cutover. 1 needs connections made after it.');
});

test('exit 1 where one would, with a caret and the mend', async () => {
  const { code, stdout, stderr } = await rehearse('--statements', 'bad.sql');
  expect([code, stderr]).toEqual([1, '']);
  expect(stdout).toContain(
    'breaks     SELECT id FROM sessions WHERE status = $1::text\n                                                ^',
  );
  expect(stdout).toContain('tried  SELECT id FROM sessions WHERE status = $1 (holds today and afterwards)');
});

test('--json is one document', async () => {
  const { code, stdout, stderr } = await rehearse('--statements', 'bad.sql', '--json');
  expect([code, stderr]).toEqual([1, '']);
  expect(JSON.parse(stdout)).toMatchObject({
    version: 1,
    ok: false,
    targets: 'made',
    tables: [{ source: 'public.sessions', target: 'tandem.sessions_partitioned' }, { source: 'public.messages' }],
    counts: { rehearsed: 1, breaks: 1 },
    statements: [
      {
        origin: { kind: 'file', file: 'bad.sql', number: 1 },
        verdict: 'breaks',
        problems: [{ sqlstate: '42883', place: { position: 38, line: 1, column: 38 } }],
      },
    ],
  });
});

test('a file that is not there is a matter of usage', async () => {
  const { code, stderr } = await rehearse('--statements', 'nowhere.sql');
  expect([code, stderr]).toEqual([2, expect.stringContaining('TD008')]);
});
