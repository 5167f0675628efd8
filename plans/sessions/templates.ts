import { readSqlFile, renderSql, splitStatements } from '../../src/db/sql-file.ts';
import { placeholders, type SessionsNames } from './names.ts';

/** The statements of one of the plan's SQL files, with its placeholders filled in. */
export function planStatements(file: string, names: SessionsNames, stage: 'beside' | 'live'): string[] {
  return splitStatements(renderSql(readSqlFile(`plans/sessions/sql/${file}.sql`), placeholders(names, stage)));
}
