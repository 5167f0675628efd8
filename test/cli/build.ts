import { execFile } from 'node:child_process';
import { mkdir, readdir, rmdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/db/sql-file.ts';

const root = packageRoot();
const stamp = join(root, 'dist', '.built');
const lock = join(root, 'dist', '.building');
const SOURCES = /\.(ts|tsx|css|html|svg)$/;
const STALE_LOCK_MS = 60_000;

let built: Promise<void> | null = null;

/** Builds `dist` where it is missing or older than a source; test files that run at the same time wait for one build. */
export function ensureBuilt(): Promise<void> {
  built ??= build();
  return built;
}

async function build(): Promise<void> {
  await mkdir(join(root, 'dist'), { recursive: true });
  while (!(await isFresh())) {
    if (!(await takeLock())) {
      await delay(100);
      continue;
    }
    try {
      if (await isFresh()) return;
      const began = new Date();
      await promisify(execFile)('npm', ['run', 'build'], { cwd: root }).catch((error: { stdout?: string }) => {
        throw new Error(`\`npm run build\` failed:\n${error.stdout}`);
      });
      await writeFile(stamp, '');
      // What is saved while it builds is newer.
      await utimes(stamp, began, began);
      return;
    } finally {
      await rmdir(lock);
    }
  }
}

async function isFresh(): Promise<boolean> {
  const builtAt = await modifiedAt(stamp);
  if (builtAt === null) return false;
  for (const part of ['src', 'plans', 'dashboard']) {
    const files = await readdir(join(root, part), { recursive: true, withFileTypes: true });
    for (const file of files) {
      if (!SOURCES.test(file.name)) continue;
      if (((await modifiedAt(join(file.parentPath, file.name))) ?? 0) > builtAt) return false;
    }
  }
  return true;
}

/** True for the one that may build. A lock of a process that was killed is as good as none. */
async function takeLock(): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch {
    const since = await modifiedAt(lock);
    if (since !== null && Date.now() - since > STALE_LOCK_MS) await rmdir(lock).catch(() => undefined);
    return false;
  }
}

async function modifiedAt(path: string): Promise<number | null> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => null,
  );
}
