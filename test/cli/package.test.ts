import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../src/db/sql-file.ts';
import { ensureBuilt } from './build.ts';

const run = promisify(execFile);
let folder: string;

/** A user's own folder, in which the package is installed: what `npm pack` packs, and the libraries that it says it needs. */
beforeAll(async () => {
  await ensureBuilt();
  folder = await mkdtemp(join(tmpdir(), 'tandem-user-'));
  const modules = join(folder, 'node_modules');
  const installed = join(modules, 'pg-tandem');
  await mkdir(installed, { recursive: true });
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  await run('npm', pack, { cwd: packageRoot() });
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  await run('tar', ['-xzf', join(folder, tarball ?? ''), '--strip-components=1', '-C', installed]);
  const { dependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(packageRoot(), 'node_modules', name), join(modules, name));
  }
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = (table: string) => `import { defineConfig } from 'pg-tandem';
export default defineConfig({ sessions: { ${table}: 'app.chats', values: { status: { done: 'archived' } } } });
`;

/** What the compiler says of a plan file; empty where it takes it. */
async function compile(file: string, module: string): Promise<string> {
  const args = [
    join(packageRoot(), 'node_modules/typescript/bin/tsc'),
    '--noEmit',
    '--strict',
    '--types',
    '',
    '--module',
  ];
  const resolution = module === 'esnext' ? ['--moduleResolution', 'bundler'] : [];
  return run(process.execPath, [...args, module, ...resolution, file], { cwd: folder }).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
}

test.each(['nodenext', 'esnext'])(
  'a user’s tandem.config.ts has the types of the plan file, with module %s',
  async (module) => {
    await writeFile(join(folder, 'tandem.config.ts'), config('table'));
    expect(await compile('tandem.config.ts', module)).toBe('');
    await writeFile(join(folder, 'wrong.config.ts'), config('tabel'));
    expect(await compile('wrong.config.ts', module)).toMatch(/wrong\.config\.ts.*'tabel' does not exist/);
  },
);

const application = (language: string) => `import pg from 'pg';
import { createStore, type Page, type Session, StoreError } from 'pg-tandem/client';
const store = createStore(new pg.Pool());
export async function lists(id: string): Promise<Page<Session>> {
  const { sessions, search } = store.asUser(id);
  const { created_at }: { created_at: Date } = await sessions.create({ language: '${language}', level: 'beginner', title: null });
  await search('x', { since: created_at }).catch((error: unknown) => error instanceof StoreError && error.kind);
  return sessions.list({ status: 'active' });
}
`;

test.each(['nodenext', 'esnext'])('an application has the types of the client, with module %s', async (module) => {
  await writeFile(join(folder, 'application.ts'), application('es'));
  expect(await compile('application.ts', module)).toBe('');
  await writeFile(join(folder, 'wrong.ts'), application('it'));
  expect(await compile('wrong.ts', module)).toMatch(/wrong\.ts.*"it".* is not assignable/);
});

test('the client is there when it runs, imported or required', async () => {
  await writeFile(
    join(folder, 'client.mjs'),
    "import { createStore } from 'pg-tandem/client'; console.log(typeof createStore);",
  );
  await writeFile(join(folder, 'client.cjs'), "console.log(typeof require('pg-tandem/client').createStore);");
  for (const file of ['client.mjs', 'client.cjs']) {
    expect((await run(process.execPath, [file], { cwd: folder })).stdout).toBe('function\n');
  }
});

test('what it imports is there when it runs', async () => {
  await writeFile(join(folder, 'plan.mjs'), "import plan from './plan-file.mjs'; console.log(JSON.stringify(plan));");
  await writeFile(join(folder, 'plan-file.mjs'), config('table'));
  const { stdout } = await run(process.execPath, ['plan.mjs'], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual({ sessions: { table: 'app.chats', values: { status: { done: 'archived' } } } });
});
