import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { catalogDifference } from '../../../src/db/catalog-snapshot.ts';
import { ensureBuilt } from '../../cli/build.ts';
import { runProgram } from '../../engine/program.ts';
import { catalogOf, expectNothingOfTandems, rowsOf } from '../../engine/snapshot.ts';
import { type Config, tandemOn } from '../../engine/tandem.ts';
import { useDatabase } from '../../support/database.ts';
import { config, renamed } from './renamed-tables.ts';

const database = useDatabase(renamed);
const SCHEMAS = ['public', 'private', 'auth', 'My App'];
let directory: string;

beforeAll(async () => {
  await ensureBuilt();
  directory = await mkdtemp(join(tmpdir(), 'tandem-names-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('tables and columns of other names', () => {
  let flat: string[];
  beforeEach(async () => {
    flat = [...(await catalogOf(database.pool, SCHEMAS)), ...(await rowsOf(database.pool, SCHEMAS))];
  });

  test.each([
    { file: 'tandem.config.json', text: JSON.stringify(config) },
    {
      file: 'tandem.config.ts',
      text: `const config: { sessions: object; messages: object } = ${JSON.stringify(config)};\nexport default config;\n`,
    },
  ])('$file: there, back, there again and finished', async ({ file, text }) => {
    const path = join(directory, file);
    await writeFile(path, text);
    const tandem = async (...args: string[]) => {
      const { exitCode, last } = await runProgram(database.url, [...args, '--plan', path, '--json']);
      expect({ args, exitCode, last }).toMatchObject({ exitCode: 0 });
    };
    await tandem('migrate', '--yes');
    await expectNewShape();
    for (const command of [['rollback', '--yes'], ['finish', '--yes'], ['migrate', '--yes'], ['verify']]) {
      const without = await runProgram(database.url, [...command, '--json']);
      expect(without).toMatchObject({
        exitCode: 3,
        last: { ok: false, code: 'TD016', hint: expect.stringContaining('--plan') },
      });
    }
    await tandem('rollback', '--yes');
    expect(
      catalogDifference(flat, [
        ...(await catalogOf(database.pool, SCHEMAS)),
        ...(await rowsOf(database.pool, SCHEMAS)),
      ]),
    ).toEqual([]);
    await tandem('migrate', '--yes');
    await tandem('verify');
    await tandem('finish', '--yes');
    await tandem('verify');
    await expectNothingOfTandems(database.pool);
    await expectNewShape();
  });

  test('a plan file that speaks of what is not there is refused with a sentence', async () => {
    const path = join(directory, 'wrong.json');
    await writeFile(path, JSON.stringify({ sessions: { tabel: 'x' }, messages: { columns: { colour: 'red' } } }));
    const { exitCode, last } = await runProgram(database.url, ['migrate', '--yes', '--plan', path, '--json']);
    expect({ exitCode, last }).toMatchObject({
      exitCode: 2,
      last: { ok: false, code: 'TD007', detail: expect.stringContaining('tabel') },
    });
    const absent = {
      sessions: { ...config.sessions, columns: { ...config.sessions?.columns, title: 'heading' } },
      messages: config.messages,
    };
    const error = await tandemOn(database, absent as Config)
      .migrate()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'TD011', detail: expect.stringContaining('there is no column heading') });
  });
});

async function expectNewShape(): Promise<void> {
  const { rows } = await database.pool.query(
    `SELECT (SELECT count(*)::int FROM "My App"."Chat Rooms") AS rooms,
            (SELECT count(*)::int FROM "My App"."Chat Rooms_active" WHERE "State" <> 'active') AS misplaced,
            (SELECT count(*)::int FROM "My App"."Chat Rooms" WHERE (level = 'advanced') <> (lang = 'en')) AS wrong_level,
            (SELECT count(*)::int FROM "My App".lines l JOIN "My App"."Chat Rooms" r ON r.id = l.room WHERE l.language = r.lang) AS lines,
            (SELECT count(*)::int FROM "My App".session_stats) > 0 AS stats`,
  );
  expect(rows).toEqual([{ rooms: 60, misplaced: 0, wrong_level: 0, lines: 300, stats: true }]);
  const client = await database.connect();
  await client.query('SET search_path = "My App"');
  const found = await client.query(
    `SELECT id FROM search_messages((SELECT (regexp_match("Text", '[[:alpha:]]{6,}'))[1] FROM lines WHERE language = 'en' AND "Text" ~ '[[:alpha:]]{6,}' LIMIT 1))`,
  );
  expect(found.rowCount).toBeGreaterThan(0);
}
