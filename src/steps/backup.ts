import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { backupTables } from '../backup/backup.ts';
import { MANIFEST_FILE, type Manifest, readManifest } from '../backup/manifest.ts';
import { type QualifiedName, quoteName } from '../db/identifier.ts';
import { readDefinitions } from '../engine/definitions.ts';
import type { Plan, Step } from '../engine/step.ts';
import type { TableMove } from '../move/table-move.ts';

/** Step 1 of the guide: every moved table as CSV, in one consistent snapshot. Without a directory it says that it does nothing. */
export function backupStep(guide: string, plan: Pick<Plan, 'name' | 'identity'>): Step {
  return {
    name: 'backup',
    guide,
    title: 'Back up the tables',
    phase: 'preparing',
    plan: async ({ moves, options }) =>
      options.backupDir === null
        ? []
        : moves.map((move) => ({
            sql: `COPY (SELECT * FROM ${move.source.schema}.${move.source.name}) TO STDOUT WITH (FORMAT csv, HEADER)`,
            lock: 'ACCESS SHARE',
            cost: `one read, into ${options.backupDir}`,
          })),
    check: async ({ options }) =>
      options.backupDir !== null && existsSync(join(options.backupDir, MANIFEST_FILE))
        ? [
            {
              severity: 'blocks',
              subject: options.backupDir,
              message: 'already holds a backup, and a backup is never overwritten',
              hint: 'Choose another directory with --backup-dir, or move that one away.',
            },
          ]
        : [],
    apply: async ({ pool, moves, options, emit, signal }) => {
      if (options.backupDir === null)
        return 'no files: --backup-dir was not given; the retired tables will be the backup';
      const there = await maybeBackupOfThisRun(pool, options.backupDir, moves);
      if (there !== null) return summary(there, options.backupDir);
      const manifest = await backupTables({
        pool,
        tables: moves.map((move) => move.source),
        directory: options.backupDir,
        gzip: options.gzip,
        workers: options.workers,
        definitions: await readDefinitions(pool, plan, moves),
        signal,
        onProgress: (progress) => emit({ event: 'progress', step: 'backup', ...progress }),
      });
      return summary(manifest, options.backupDir);
    },
    verify: async () => [],
    // Files are the user's; going back does not take them away.
    revert: 'nothing to revert',
  };
}

/** The one that was finished just before the process ended: taken since the run began, of these tables, in this database. */
async function maybeBackupOfThisRun(
  pool: Pool,
  directory: string,
  moves: readonly TableMove[],
): Promise<Manifest | null> {
  if (!existsSync(join(directory, MANIFEST_FILE))) return null;
  const manifest = await readManifest(directory);
  const { rows } = await pool.query<{ database: string; started_at: Date }>(
    'SELECT current_database() AS database, started_at FROM tandem.run ORDER BY id DESC LIMIT 1',
  );
  const run = rows[0];
  const named = (tables: readonly QualifiedName[]) => tables.map(quoteName).sort().join();
  if (run === undefined || manifest.database !== run.database || new Date(manifest.created_at) < run.started_at)
    return null;
  return named(manifest.tables) === named(moves.map((move) => move.source)) ? manifest : null;
}

function summary(manifest: Manifest, directory: string): string {
  return `${manifest.tables.reduce((sum, table) => sum + table.rows, 0).toLocaleString('en')} rows in ${directory}`;
}
