import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sessionsConfigSchema } from '../../../../plans/sessions/config.ts';
import { archiveDue } from '../../../../plans/sessions/keeper/archive.ts';
import { placeHold } from '../../../../plans/sessions/keeper/holds.ts';
import { installKeeper } from '../../../../plans/sessions/keeper/install.ts';
import { defaultPolicy, writePolicy } from '../../../../plans/sessions/keeper/policy.ts';
import { unarchive } from '../../../../plans/sessions/keeper/unarchive.ts';
import { undoRun } from '../../../../plans/sessions/keeper/undo.ts';
import { sessionsNames } from '../../../../plans/sessions/names.ts';
import { tandemOn } from '../../../engine/tandem.ts';
import { useDatabase } from '../../../support/database.ts';
import { refusal } from '../fixtures.ts';
import { config, renamed } from '../renamed-tables.ts';
import { never } from './keeping.ts';

const database = useDatabase(renamed);
const names = sessionsNames(sessionsConfigSchema.parse(config));
const query = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;

test('tables and columns of other names are archived, held, purged and brought back all the same', async () => {
  await tandemOn(database, config).migrate();
  await installKeeper(database.pool, names);
  const directory = await mkdtemp(join(tmpdir(), 'tandem-purged-'));
  const archive = () => archiveDue({ pool: database.pool, names, signal: never() });
  await query(`UPDATE "My App"."Chat Rooms" SET "State" = 'active', "last seen" = now() - interval '100 days'`);
  await query(`TRUNCATE keeper.session_moves`);
  const { id, archived } = await archive();
  expect(archived).toBe(60);
  expect(await undoRun(database.pool, names, id, never())).toMatchObject({ restored: 60 });

  const [line] = await query('SELECT room FROM "My App".lines ORDER BY room LIMIT 1');
  await placeHold(database.pool, line.room, 'a dispute');
  expect(await refusal(query('DELETE FROM "My App".lines WHERE room = $1', [line.room]))).toBe('23001');
  expect(await refusal(query('UPDATE "My App".lines SET "Text" = $2 WHERE room = $1', [line.room, 'x']))).toBe('23001');

  await query(`UPDATE "My App"."Chat Rooms" SET "State" = 'deleted'`);
  await query(`TRUNCATE keeper.session_moves`);
  const policy = { ...defaultPolicy, purgeAfterDays: 90, archiveDirectory: directory };
  await writePolicy(database.pool, policy, 60);
  const before = await query('SELECT l::text FROM "My App".lines l ORDER BY 1');
  expect(await archive()).toMatchObject({ purged: 59 });
  const results = [];
  for (const file of await readdir(directory))
    results.push(...(await unarchive(database.pool, names, join(directory, file), null, never())));
  expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['restored']));
  expect(await query('SELECT l::text FROM "My App".lines l ORDER BY 1')).toEqual(before);

  await query(`UPDATE keeper.archive_policy SET archive_directory = NULL`);
  await query(`TRUNCATE keeper.session_moves`);
  await query('CALL keeper.archive()');
  expect(await query('SELECT purged::int FROM keeper.archive_runs ORDER BY id DESC LIMIT 1')).toEqual([{ purged: 59 }]);
  await rm(directory, { recursive: true });
});
