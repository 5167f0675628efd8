import type { Client } from '../../../src/db/connect.ts';
import { inTransaction } from '../../../src/db/connect.ts';
import { splitStatements } from '../../../src/db/sql-file.ts';
import { createdObjects, forgetCreated, recordCreated } from '../../../src/engine/created.ts';
import type { Step } from '../../../src/engine/step.ts';
import { filesFor } from '../export-files.ts';
import type { SessionsNames } from '../names.ts';
import { appliedVersions, HISTORY, mayWriteHistory, migrations } from '../supabase-history.ts';

const noHistory = 'the Supabase CLI keeps no history in this database';
const noted = (version: string) => `supabase migration ${version}`;

/**
 * The move as migration files, as `tandem export --supabase` writes them: put down while the tables are still flat, for the
 * history that the last step writes. Only where the Supabase CLI keeps a history.
 */
export function migrationFilesStep(names: SessionsNames): Step {
  return {
    name: 'migration-files',
    guide: '5',
    title: 'Write the move down as migration files',
    phase: 'ready',
    repeats: true,
    beforeCutoverOnly: true,
    plan: async ({ client }) =>
      (await appliedVersions(client)) === null
        ? []
        : [{ sql: CREATE_FILES, lock: null, cost: 'reads the catalog; three rows' }],
    apply: async ({ pool, moves }) =>
      inTransaction(pool, async (client) => {
        if ((await appliedVersions(client)) === null) return noHistory;
        const files = Object.entries(await filesFor(client, names, moves));
        await client.query(CREATE_FILES);
        await client.query('DELETE FROM tandem.migration_file');
        for (const [name, sql] of files)
          await client.query('INSERT INTO tandem.migration_file (name, sql) VALUES ($1, $2)', [name, sql]);
        return `${files.length} files`;
      }),
    verify: async () => [],
    revert: async ({ pool }) => {
      await pool.query('DROP TABLE IF EXISTS tandem.migration_file');
    },
  };
}

const CREATE_FILES = 'CREATE TABLE IF NOT EXISTS tandem.migration_file (name text PRIMARY KEY, sql text NOT NULL)';

/** The history of the Supabase CLI: for it, the migrations are applied. A rollback takes back what stands there by this. */
export function migrationHistoryStep(): Step {
  return {
    name: 'migration-history',
    guide: '5',
    title: 'Note the migrations where the Supabase CLI looks',
    phase: 'baking',
    plan: async ({ client }) =>
      (await appliedVersions(client)) === null
        ? []
        : [{ sql: `INSERT INTO ${HISTORY} (version, name, statements) VALUES (…)`, lock: null, cost: 'three rows' }],
    apply: async ({ pool, emit }) => {
      const applied = await appliedVersions(pool);
      if (applied === null) return noHistory;
      const missing = migrations.filter(({ version }) => !applied.includes(version));
      if (!(await mayWriteHistory(pool))) {
        emit({
          event: 'finding',
          severity: 'warning',
          subject: 'supabase',
          message: `${HISTORY} may not be written by this role: for the Supabase CLI, the migrations are not applied`,
          hint: `supabase migration repair --status applied ${missing.map(({ version }) => version).join(' ')}`,
        });
        return 'may not be written';
      }
      await inTransaction(pool, async (client) => {
        for (const migration of missing) await note(client, migration);
      });
      return missing.length === 0 ? 'they stand there already' : missing.map(({ version }) => version).join(', ');
    },
    verify: async () => [],
    revert: async ({ pool }) => {
      await inTransaction(pool, async (client) => {
        const created = await createdObjects(client);
        const ours = migrations.filter(({ version }) => created.has(noted(version)));
        if (ours.length === 0) return;
        await client.query(`DELETE FROM ${HISTORY} WHERE version = ANY ($1::text[])`, [
          ours.map(({ version }) => version),
        ]);
        await forgetCreated(
          client,
          ours.map(({ version }) => noted(version)),
        );
      });
    },
  };
}

/** The columns that the CLI of today makes; an older one made fewer. */
async function note(client: Client, { file, version, name }: (typeof migrations)[number]): Promise<void> {
  const files = await client.query<{ sql: string }>('SELECT sql FROM tandem.migration_file WHERE name = $1', [file]);
  const { rows } = await client.query<{ name: string }>(
    'SELECT attname::text AS name FROM pg_catalog.pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped',
    [HISTORY],
  );
  const values: Record<string, unknown> = { version, name, statements: splitStatements(files.rows[0]?.sql ?? '') };
  const columns = Object.keys(values).filter((column) => rows.some((row) => row.name === column));
  const { rowCount } = await client.query(
    `INSERT INTO ${HISTORY} (${columns.join(', ')}) VALUES (${columns.map((_, i) => `$${i + 1}`).join(', ')})
       ON CONFLICT (version) DO NOTHING`,
    columns.map((column) => values[column]),
  );
  if (rowCount === 1) await recordCreated(client, [noted(version)]);
}
