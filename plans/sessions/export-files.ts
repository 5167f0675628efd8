import { z } from 'zod';
import type { Client } from '../../src/db/connect.ts';
import { columnDefinition, describeTable } from '../../src/db/describe-table.ts';
import { displayName, type QualifiedName, quoteIdent, quoteLiteral, quoteName } from '../../src/db/identifier.ts';
import { readSqlFile, renderSql } from '../../src/db/sql-file.ts';
import { TandemError } from '../../src/engine/errors.ts';
import type { Finding } from '../../src/engine/events.ts';
import { addForeignKeySql } from '../../src/move/swap.ts';
import type { TableMove } from '../../src/move/table-move.ts';
import type { SessionsConfig } from './config.ts';
import { moveStatements } from './export-move.ts';
import { migrationFileNames } from './migration-files.ts';
import { placeholders, type SessionsNames, sessionsNames } from './names.ts';
import { resolveMoves } from './resolve.ts';

const HEAD = '-- Written by `tandem export --supabase` from the tables of one database, as they were then.\n--\n';
const TAG = '$tandem_export$';
const shapeRows = z.array(z.object({ what: z.string() }));

/**
 * The migration files for the tables that this database has: their names and columns, those of their own included. In
 * the caller's transaction, which reads only; its search_path is empty.
 *
 * @returns no files where a finding blocks
 * @throws TD005 where a table is missing
 */
export async function exportFiles(
  client: Client,
  config: SessionsConfig,
): Promise<{ files: Record<string, string>; findings: Finding[] }> {
  const names = sessionsNames(config);
  const { moves, findings } = await resolveMoves(client, config, names);
  if (findings.some(({ severity }) => severity === 'blocks')) return { files: {}, findings };
  return { files: await filesFor(client, names, moves), findings };
}

/** The same for moves that are known already. */
export async function filesFor(
  client: Client,
  names: SessionsNames,
  moves: readonly TableMove[],
): Promise<Record<string, string>> {
  const [baseline, phase1, phase5] = migrationFileNames;
  return {
    [baseline]: await baselineFile(client, names, moves),
    [phase1]: phase1File(names),
    [phase5]: await phase5File(client, names, moves),
  };
}

/** Tables, keys and foreign keys of the flat tables, where there are none: what a fresh copy of the project starts from. */
async function baselineFile(client: Client, names: SessionsNames, moves: readonly TableMove[]): Promise<string> {
  const tables: string[] = [];
  for (const move of moves) tables.push(await flatTableSql(client, move));
  return [
    HEAD,
    '-- Baseline: the two flat tables that the next files start from. Makes only what is missing.\n\n',
    template('auth-stand-in', names),
    '\n',
    ...tables,
  ].join('');
}

async function flatTableSql(client: Client, move: TableMove): Promise<string> {
  const table = await describeTable(client, move.source);
  if (table === null) throw new TandemError('TD005', `There is no table ${displayName(move.source)}.`);
  const columns = table.columns.map(columnDefinition);
  const key = `PRIMARY KEY (${move.key.map((k) => quoteIdent(k.source)).join(', ')})`;
  const keyName = await primaryKeyName(client, move.source);
  const statements = [
    `CREATE TABLE ${quoteName(move.source)} (\n    ${[...columns, `CONSTRAINT ${quoteIdent(keyName)} ${key}`].join(',\n    ')}\n  )`,
    ...move.sourceForeignKeys.map((foreignKey) => addForeignKeySql(foreignKey, move.source, { notValid: false })),
  ];
  return within(`
do ${TAG}
begin
  if to_regclass(${quoteLiteral(quoteName(move.source))}) is null then
  ${statements.join(';\n  ')};
  end if;
end
${TAG};
`);
}

async function primaryKeyName(client: Client, table: QualifiedName): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT conname AS name FROM pg_catalog.pg_constraint WHERE conrelid = $1::regclass AND contype = 'p'",
    [quoteName(table)],
  );
  return rows[0]?.name ?? `${table.name}_pkey`;
}

function phase1File(names: SessionsNames): string {
  return [
    HEAD,
    '-- Phase 1: the enums and message_feedback. Nothing that exists is changed; running the file again does nothing.\n\n',
    template('enums', names),
    '\n',
    template('message-feedback', names),
  ].join('');
}

async function phase5File(client: Client, names: SessionsNames, moves: readonly TableMove[]): Promise<string> {
  const shape = template('migrations/exported_shape', names).trimEnd();
  const known = shapeRows.parse((await client.query(shape)).rows);
  const statements = await moveStatements(client, names, moves);
  const parts: Record<string, string> = {
    shape,
    'known-shape': `array[${[...new Set(known.map(({ what }) => what))].sort().map(quoteLiteral).join(', ')}]::text[]`,
    move: statements.map((sql) => `  ${runsInBlock(sql)};`).join('\n\n'),
  };
  const frame = readSqlFile('plans/sessions/sql/migrations/exported_phase5.sql');
  // Every second piece is the name of a part: what stands in that is no template.
  const pieces = frame.split(/^\{\{> ([a-z-]+)\}\}$/mu);
  return within(
    pieces
      .map((piece, i) => (i % 2 === 0 ? renderSql(piece, placeholders(names, 'live')) : (parts[piece] ?? '')))
      .join(''),
  );
}

/** A query of which nobody takes the result is no statement in a block of PL/pgSQL. */
function runsInBlock(sql: string): string {
  return /^(?:\s|--[^\n]*\n)*select\b/iu.test(sql) ? `execute ${quoteLiteral(sql)}` : sql;
}

function template(name: string, names: SessionsNames): string {
  return renderSql(readSqlFile(`plans/sessions/sql/${name}.sql`), placeholders(names, 'live'));
}

/** The tag of the block must stand in nothing that is inside it. */
function within(sql: string): string {
  for (const block of sql.split(`do ${TAG}`).slice(1)) {
    if (block.split(TAG).length === 2) continue;
    throw new TandemError(
      'TD099',
      `${TAG} stands in a definition of this database, and would end the block around it.`,
    );
  }
  return sql;
}
