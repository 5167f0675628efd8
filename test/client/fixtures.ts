import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { createStore, type Store, StoreError, type StoreErrorKind, type StoreOptions } from '../../src/client/index.ts';
import type { TestDatabase } from '../support/database.ts';

/** An application's own pool on the database of the file, and a store over it. To be called after `useDatabase`. */
export function useStore(
  database: TestDatabase,
  options: StoreOptions = {},
  settings: pg.PoolConfig & { pipeline?: boolean } = {},
): { readonly store: Store; readonly pool: pg.Pool } {
  let pool: pg.Pool | null = null;
  let store: Store | null = null;
  beforeAll(() => {
    pool = new pg.Pool({ connectionString: database.url, max: 10, ...settings });
    // `end` does not wait until its connections are closed, and the database is dropped under those that are not.
    pool.on('error', () => undefined);
    store = createStore(pool, { touchInterval: 60_000, ...options });
  });
  afterAll(() => pool?.end());
  const there = <T>(value: T | null): T => {
    if (value === null) throw new Error('The store is there only while a test runs.');
    return value;
  };
  return {
    get store() {
      return there(store);
    },
    get pool() {
      return there(pool);
    },
  };
}

/** The kind of error that a call ends with; fails the test where it does not. */
export async function kindOf(call: Promise<unknown>): Promise<StoreErrorKind> {
  return (await errorOf(call)).kind;
}

export async function errorOf(call: Promise<unknown>): Promise<StoreError> {
  const result = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in result) {
    if (result.error instanceof StoreError) return result.error;
    throw result.error;
  }
  throw new Error(`The call was not refused, but gave ${JSON.stringify(result.value)}.`);
}
