import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { loadConfig } from '../../src/cli/config-file.ts';
import { packageRoot } from '../../src/db/sql-file.ts';
import { useDatabase } from '../support/database.ts';
import { plainFlat } from './fixtures.ts';
import { tandem } from './tandem.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tandem-plan-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function save(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('docs/plan-file.md', () => {
  const text = readFileSync(join(packageRoot(), 'docs/plan-file.md'), 'utf8');
  const examples = [...text.matchAll(/```(json|ts|js)\n([\s\S]*?)```/g)].map(([, kind = '', code = '']) => ({
    kind,
    code,
  }));

  test('has examples in every language', () => {
    expect(new Set(examples.map(({ kind }) => kind))).toEqual(new Set(['json', 'ts', 'js']));
  });

  test.each(examples)('an example in $kind loads: $code', async ({ kind, code }) => {
    const path = await save(`example.${kind === 'js' ? 'mjs' : kind}`, code);
    const config = await loadConfig(path);
    expect(config).not.toEqual(sessionsConfigSchema.parse({}));
  });

  test('names every key, column and list of values', () => {
    const { sessions, messages } = sessionsConfigSchema.shape;
    const keys = [sessions, messages].flatMap((table) => {
      const { columns, values } = table.unwrap().shape;
      return [...columns.unwrap().keyType.options, ...Object.keys(values.unwrap().shape)];
    });
    expect(keys.length).toBeGreaterThan(18);
    for (const key of keys) expect(text).toContain(key);
    for (const key of Object.keys(sessionsConfigSchema.shape)) expect(text).toContain(`\`${key}`);
  });
});

describe('a plan file', () => {
  test('is found in the current folder, the first kind that is there', async () => {
    const cwd = await mkdtemp(join(folder, 'found-'));
    await writeFile(join(cwd, 'tandem.config.json'), '{ "sesions": {} }');
    const url = 'postgres://localhost:1/app';
    expect((await tandem(['plan'], { cwd, url })).stderr).toContain('tandem.config.json is not valid');
    await writeFile(join(cwd, 'tandem.config.ts'), 'export default { sessions: { table: 7 } };');
    expect((await tandem(['plan'], { cwd, url })).stderr).toContain('tandem.config.ts is not valid');
    // No plan file of the folder is read by a command that has no use for one.
    expect((await tandem(['restore', './b', '--yes'], { cwd, url })).stderr).toContain('TD001');
  });

  test.each([
    ['a.json', '{"sessions": ', 'cannot be read', /JSON/],
    ['b.json', '{"sesions": {}}', 'is not valid', /Unrecognized key: "sesions"/],
    [
      'c.json',
      '{"sessions": {"table": 3}}',
      'is not valid',
      /expected string, received number\n.*→ at sessions\.table/,
    ],
    ['d.json', '{"sessions": {"columns": {"titel": "t"}}}', 'is not valid', /sessions\.columns/],
    [
      'e.json',
      '{"sessions": {"values": {"status": {"done": 1}}}}',
      'is not valid',
      /→ at sessions\.values\.status\.done/,
    ],
    ['f.json', '{"plan": "lessons"}', 'is not valid', /→ at plan/],
    ['g.ts', 'export default { sessions: { table: "x" }', 'cannot be read', /Unexpected token/],
    ['h.ts', 'throw new Error("boom")', 'cannot be read', /boom/],
    ['i.ts', 'export default () => ({})', 'is not valid', /expected object, received function/],
    ['j.mjs', 'import "no-such-package"; export default {}', 'cannot be read', /no-such-package/],
  ])('that is wrong is one sentence, the place, and exit code 2: %s', async (name, text, sentence, place) => {
    const path = await save(name, text);
    const { code, stdout, stderr } = await tandem(['plan', '--plan', path], { url: 'postgres://localhost:1/app' });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const lines = stderr.trimEnd().split('\n');
    expect(lines[0]).toBe(`error TD007: The plan file ${path} ${sentence}.`);
    expect(lines.slice(1, -1).join('\n')).toMatch(place);
    expect(lines.at(-1)).toMatch(/^hint: .*docs\/plan-file\.md/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test.each([
    ['that is not there', '/nowhere/plan.json', /There is no plan file \/nowhere\/plan\.json\./],
    ['that is a folder', tmpdir(), /cannot be read/],
  ])('%s', async (_, path, sentence) => {
    const { code, stderr } = await tandem(['plan', '--plan', path], { url: 'postgres://localhost:1/app' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error TD007: /);
    expect(stderr).toMatch(sentence);
  });

  test('whose table is no name', async () => {
    const path = await save('name.json', '{"sessions": {"table": "a b c"}}');
    const { code, stderr } = await tandem(['plan', '--plan', path], { url: 'postgres://localhost:1/app' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error TD007: .*a b c/);
  });
});

describe('SQL in a plan file', () => {
  const database = useDatabase(plainFlat, { per: 'suite' });

  test('that the server refuses is shown, and with --debug where', async () => {
    const path = await save(
      'sql.json',
      JSON.stringify({ sessions: { columns: { status: { whenNull: 'upper(s.nonsense)' } } } }),
    );
    const args = ['plan', '--plan', path, '--create-auth'];
    const { code, stderr } = await tandem(args, { url: database.url });
    expect(code).toBe(2);
    expect(stderr.split('\n').slice(0, 2)).toEqual([
      'error TD007: The SQL in the plan file is refused: column s.nonsense does not exist.',
      '  sessions.columns.status.whenNull: upper(s.nonsense)',
    ]);
    const debug = await tandem([...args, '--debug'], { url: database.url });
    const lines = debug.stderr.split('\n');
    const caret = lines.findIndex((line) => /^ {2}\| +\^$/.test(line));
    expect(lines[caret - 1]?.slice(lines[caret]?.indexOf('^'))).toMatch(/^s\.nonsense\)/);
  });

  test('that is right gives its values', async () => {
    const path = await save(
      'right.json',
      JSON.stringify({ sessions: { columns: { title: { sql: "'Lesson of ' || s.user_id" } } } }),
    );
    await database.pool.query('ALTER TABLE public.sessions DROP COLUMN title');
    const { code } = await tandem(['migrate', '--plan', path, '--create-auth', '--yes'], { url: database.url });
    expect(code).toBe(0);
    const { rows } = await database.pool.query(
      "SELECT count(*)::int AS n FROM public.sessions WHERE title = 'Lesson of ' || user_id",
    );
    expect(rows).toEqual([{ n: 200 }]);
  });
});
