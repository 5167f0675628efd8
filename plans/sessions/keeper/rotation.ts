import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import type { KeeperEvent } from '../../../src/keeper/keeper.ts';
import { lookAt, removeBackup } from './backup-directory.ts';
import { listGoodBackups, listSuspects } from './backup-records.ts';
import type { BackupSettings } from './monitoring-config.ts';

/**
 * Removes backups that are older than the newest good ones, as many as are kept. Good is what this host made, what is on
 * its disk whole, and what no drill has failed on: until there is enough of that, nothing is removed. Whatever else is in
 * the directory stays, and what is in the place of a backup but is not it.
 */
export async function rotateBackups(input: {
  readonly pool: Pool;
  readonly settings: BackupSettings;
  readonly host: string;
  readonly log: (event: KeeperEvent) => void;
  readonly fence: (client: Queryable) => Promise<void>;
}): Promise<number> {
  const { pool, settings, host, log, fence } = input;
  const suspects = new Set(await listSuspects(pool));
  let [kept, removed] = [0, 0];
  for (const row of await listGoodBackups(pool, host)) {
    const state = await lookAt(row, settings.directory);
    if (kept < settings.keep) {
      if (state === 'whole' && !suspects.has(row.id)) kept += 1;
      continue;
    }
    if (state === 'other') {
      log({ event: 'error', task: 'backup', message: `${row.directory} is not what the keeper put there, and stays.` });
      continue;
    }
    // Files are not rolled back: whoever has taken over decides about them now.
    await inTransaction(pool, fence);
    await removeBackup(row);
    await inTransaction(pool, async (client) => {
      await fence(client);
      await client.query('UPDATE keeper.backups SET removed_at = now() WHERE id = $1', [row.id]);
    });
    removed += 1;
  }
  return removed;
}
