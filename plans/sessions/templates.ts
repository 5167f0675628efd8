import { readSqlFile, renderSql, splitStatements } from '../../src/db/sql-file.ts';
import { placeholders, type SessionsNames } from './names.ts';

/** The statements of one of the plan's SQL files, with its placeholders filled in, and those of the file's own. */
export function planStatements(
  file: string,
  names: SessionsNames,
  stage: 'beside' | 'live',
  own: Readonly<Record<string, string>> = {},
): string[] {
  const values = { ...placeholders(names, stage), ...own };
  return splitStatements(renderSql(readSqlFile(`plans/sessions/sql/${file}.sql`), values));
}
