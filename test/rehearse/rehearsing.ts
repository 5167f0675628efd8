import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from '../../src/db/connect.ts';
import { createFlatTables } from '../../src/demo/flat-tables.ts';
import { type RehearseOptions, rehearse } from '../../src/rehearse/rehearse.ts';
import type { Rehearsal, StatementReport } from '../../src/rehearse/result.ts';
import { tandemOn } from '../engine/tandem.ts';
import type { Setup } from '../support/database.ts';

/** Rows that the tests' statements name. */
export const USER = '00000000-0000-4000-8000-000000000001';
export const ACTIVE = '00000000-0000-4000-8000-00000000000a';
export const ARCHIVED = '00000000-0000-4000-8000-00000000000b';
export const MESSAGE = '00000000-0000-4000-8000-00000000000c';

/** The application's flat tables with a few rows of every kind: each status, and levels and languages out of order. */
export const flatRows: Setup = {
  name: 'rehearse_flat',
  run: async (client) => {
    await createFlatTables(client);
    await client.query(`INSERT INTO auth.users VALUES ('${USER}')`);
    await client.query(`INSERT INTO sessions (id, user_id, language, level, status, title, last_accessed) VALUES
      ('${ACTIVE}', '${USER}', 'en', 'intermediate', 'active', 'At the market', '2026-01-01'),
      ('${ARCHIVED}', '${USER}', 'fr', 'advanced', 'archived', NULL, '2026-01-02'),
      ('00000000-0000-4000-8000-00000000000d', '${USER}', 'de', 'beginner', 'deleted', 'active', '2026-01-03')`);
    await client.query(`INSERT INTO messages (id, session_id, user_id, type, sequence_number, content) VALUES
      ('${MESSAGE}', '${ACTIVE}', '${USER}', 'text', 1, 'Good morning'),
      ('${randomUUID()}', '${ACTIVE}', '${USER}', 'system', 2, 'en')`);
  },
};

/** A rehearsal on a test's database, of statements given as text. */
export async function rehearseOn(
  database: { pool: Pool },
  statements: readonly string[] = [],
  options: Partial<Pick<RehearseOptions, 'limit' | 'signal'>> = {},
): Promise<Rehearsal> {
  const directory = await mkdtemp(join(tmpdir(), 'tandem-rehearse-'));
  const file = join(directory, 'statements.sql');
  await writeFile(file, statements.map((sql) => `${sql};\n`).join(''));
  const { plan, options: settings } = tandemOn(database, {}, { createAuth: true });
  try {
    return await rehearse({
      pool: database.pool,
      plan,
      options: settings,
      statementsFile: statements.length === 0 ? null : file,
      signal: new AbortController().signal,
      ...options,
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The report of the n-th statement of the file, from 1. */
export function reportOf(rehearsal: Rehearsal, number: number): StatementReport {
  const report = rehearsal.statements.find(({ origin }) => origin.kind === 'file' && origin.number === number);
  if (report === undefined) throw new Error(`Statement ${number} was not reported.`);
  return report;
}

/** The reports of a function, by its bare name. */
export function reportsOfFunction(rehearsal: Rehearsal, name: string): StatementReport[] {
  return rehearsal.statements.filter(({ origin }) => origin.kind === 'function' && origin.name.includes(`${name}(`));
}
