import type pg from 'pg';
import type { Pool } from '../../src/db/connect.ts';
import { createPool } from '../../src/db/connect.ts';
import { loadFlatTables } from '../../src/demo/load.ts';
import { runMigrationFiles } from '../plans/sessions/fixtures.ts';
import type { Setup } from '../support/database.ts';

/** The guide's flat tables beside the stand-in for Supabase's auth, with lessons in them. */
export function flatWithRows(name: string, rows: { sessions: number; messages: number }): Setup {
  return {
    name,
    run: async (client) => {
      await runMigrationFiles(client, 'flat_tables');
      const pool = poolBeside(client);
      await loadFlatTables(pool, { ...rows, seed: 11, now: new Date('2026-03-01T12:00:00Z') });
      await pool.end();
    },
  };
}

/** Enough for every status, language and type; each table fits into one batch. */
export const fewRows = flatWithRows('flat_few', { sessions: 300, messages: 2_000 });

/** Enough for the copy of messages to take several batches (8,000 rows are about 128 blocks). */
export const manyRows = flatWithRows('flat_many', { sessions: 2_000, messages: 20_000 });

function poolBeside({ host, port, user, password, database }: pg.Client): Pool {
  const url = new URL(`postgres://${host}:${port}/${database}`);
  url.username = user ?? '';
  url.password = String(password ?? '');
  return createPool(url.href);
}
