import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { TandemError } from '../../src/engine/errors.ts';
import type { TestDatabase } from '../support/database.ts';

/** A name in schema `public`. */
export const named = (name: string) => ({ schema: 'public', name });

/** Paths for backups, below a directory of the test's own that is removed after it. */
export function useDirectory(): (name?: string) => string {
  const made: string[] = [];
  afterEach(() => {
    for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
  });
  return (name = 'backup') => {
    const path = mkdtempSync(join(tmpdir(), 'tandem-backup-test-'));
    made.push(path);
    return join(path, name);
  };
}

/** The TandemError that the promise is rejected with; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<TandemError> {
  const outcome = await promise.then(
    () => 'nothing was thrown',
    (error: unknown) => error,
  );
  if (outcome instanceof TandemError) return outcome;
  throw new Error('Expected a TandemError.', { cause: outcome });
}

/** Runs statements on the test's pool, one after the other, and returns the rows of the last. */
export async function sql(
  database: TestDatabase,
  text: string,
  values?: unknown[],
): Promise<Record<string, unknown>[]> {
  const result = await database.pool.query(text, values);
  return (Array.isArray(result) ? result.at(-1) : result).rows;
}

/** Waits until the query returns a row. */
export async function until(database: TestDatabase, text: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    if ((await sql(database, text)).length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Nothing came of it: ${text}`);
}
