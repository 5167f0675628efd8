import { readSqlFile, renderSql } from '../../src/db/sql-file.ts';
import { TandemError } from '../../src/engine/errors.ts';
import { sessionsConfigSchema } from './config.ts';
import { placeholders, sessionsNames } from './names.ts';

/** The three files of supabase/migrations, in the order in which they run; the names of the last two are the guide's. */
export const migrationFileNames = [
  '20231231000000_flat_tables.sql',
  '20240101000000_phase1_improvements.sql',
  '20240102000000_phase5_improvements.sql',
] as const;

const INCLUDE = /^\{\{> ([a-z-]+)\}\}$/gmu;

/**
 * The end state as plain SQL files, by name. They are put together from the very templates that the online move runs,
 * with the guide's own names, so that the two ways cannot drift apart.
 */
export function renderMigrationFiles(): Record<string, string> {
  const names = placeholders(sessionsNames(sessionsConfigSchema.parse({})), 'live');
  return Object.fromEntries(
    migrationFileNames.map((name) => {
      const frame = readSqlFile(`plans/sessions/sql/migrations/${name}`);
      const whole = frame.replace(INCLUDE, (_, template: string) => readTemplate(template));
      return [name, renderSql(whole, names)];
    }),
  );
}

function readTemplate(template: string): string {
  const sql = readSqlFile(`plans/sessions/sql/${template}.sql`).trimEnd();
  // Inside the one statement of phase 5, where its own dollar quote would end it.
  if (sql.includes('$phase5$')) throw new TandemError('TD099', `${template}.sql cannot be part of a migration file.`);
  return sql;
}
