import { chmod, chown, mkdir, mkdtemp, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { embeddedPackage, type NativePackage, runtimeBinaries } from '../../src/db/local-binaries.ts';
import { runTool } from '../../src/db/local-process.ts';

let parent: string;
let native: NativePackage;
let copy: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'tandem-test-'));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  native = { directory: join(parent, 'native'), label: '1' };
  copy = join(parent, `tandem-postgres-1-${process.geteuid?.()}`);
  await mkdir(join(native.directory, 'bin'), { recursive: true });
  await writeFile(join(native.directory, 'bin', 'postgres'), 'program', { mode: 0o700 });
  await writeFile(join(native.directory, 'bin', 'libpq.so.5.18'), 'library', { mode: 0o600 });
  const links = [{ source: 'native/bin/libpq.so.5.18', target: 'native/bin/libpq.so.5' }];
  await writeFile(join(native.directory, 'pg-symlinks.json'), JSON.stringify(links));
  await chmod(native.directory, 0o700);
});

test('the copy is open to every user, and has the symlinks that the install script would make', async () => {
  expect(await runtimeBinaries(native, parent)).toBe(join(copy, 'bin'));
  const modeOf = async (...path: string[]) => (await stat(join(copy, ...path))).mode & 0o777;
  expect(await modeOf()).toBe(0o755);
  expect(await modeOf('bin')).toBe(0o755);
  expect(await modeOf('bin', 'postgres')).toBe(0o755);
  expect(await modeOf('bin', 'libpq.so.5.18')).toBe(0o644);
  expect(await readlink(join(copy, 'bin', 'libpq.so.5'))).toBe('libpq.so.5.18');
});

test('a copy that lost a file, or has half of one, is filled up again', async () => {
  await runtimeBinaries(native, parent);
  await rm(join(copy, 'bin', 'libpq.so.5'));
  await rm(join(copy, 'bin', 'postgres'));
  await writeFile(join(copy, 'bin', 'libpq.so.5.18'), 'lib');
  await runtimeBinaries(native, parent);
  expect((await stat(join(copy, 'bin', 'postgres'))).size).toBe('program'.length);
  expect((await stat(join(copy, 'bin', 'libpq.so.5'))).size).toBe('library'.length);
});

test('any number of processes may copy at once', async () => {
  const embedded = await embeddedPackage();
  const bins = await Promise.all(Array.from({ length: 4 }, () => runtimeBinaries(embedded, parent)));
  for (const bin of bins) expect(await runTool(join(bin, 'postgres'), ['--version'], null)).toContain('PostgreSQL');
});

test.runIf(process.geteuid?.() === 0)('a directory of another user is refused', async () => {
  await mkdir(copy);
  await chown(copy, 65534, 65534);
  await expect(runtimeBinaries(native, parent)).rejects.toMatchObject({ code: 'TD050' });
});

test('a directory that others can write to is refused', async () => {
  await mkdir(copy);
  await chmod(copy, 0o777);
  await expect(runtimeBinaries(native, parent)).rejects.toMatchObject({ code: 'TD050' });
});

test('a symlink in place of the directory is refused', async () => {
  await symlink(native.directory, copy);
  await expect(runtimeBinaries(native, parent)).rejects.toMatchObject({ code: 'TD050' });
});
