import { expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../plans/sessions/config.ts';
import { sessionsPlan } from '../../../plans/sessions/plan.ts';
import { backupTables } from '../../../src/backup/backup.ts';
import { restoreBackup } from '../../../src/backup/restore.ts';
import { useDirectory } from '../../backup/fixtures.ts';
import { rowsOf } from '../../engine/snapshot.ts';
import { useDatabase } from '../../support/database.ts';
import { idleSessions } from './keeper/keeping.ts';
import { expectExact, expectFolded, fold } from './rollup.ts';

const database = useDatabase(idleSessions);
const newDirectory = useDirectory();

test('a migrated database is restored into with its registry and its statistics', async () => {
  const { pool } = database;
  const tables = await sessionsPlan(sessionsConfigSchema.parse({})).tables(pool);
  await fold(pool);
  const before = await rowsOf(pool, ['public', 'private']);
  const directory = newDirectory();
  await backupTables({ pool, tables, directory, workers: 2, gzip: false });
  await pool.query('TRUNCATE public.sessions, public.messages CASCADE');
  await fold(pool);
  await restoreBackup({ pool, directory });
  await expectExact(pool);
  await fold(pool);
  await expectFolded(pool);
  const version = (line: string) => !line.startsWith('private.session_rollup_state');
  expect((await rowsOf(pool, ['public', 'private'])).filter(version)).toEqual(before.filter(version));
});
