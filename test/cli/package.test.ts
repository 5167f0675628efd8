import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../src/db/sql-file.ts';
import { ensureBuilt } from './build.ts';

const run = promisify(execFile);
let folder: string;

/** A user's own folder, in which the package is installed. */
beforeAll(async () => {
  await ensureBuilt();
  folder = await mkdtemp(join(tmpdir(), 'tandem-user-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(packageRoot(), join(folder, 'node_modules', 'pg-tandem'));
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

test('what it imports is there when it runs', async () => {
  await writeFile(join(folder, 'plan.mjs'), "import plan from './plan-file.mjs'; console.log(JSON.stringify(plan));");
  await writeFile(join(folder, 'plan-file.mjs'), config('table'));
  const { stdout } = await run(process.execPath, ['plan.mjs'], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual({ sessions: { table: 'app.chats', values: { status: { done: 'archived' } } } });
});
