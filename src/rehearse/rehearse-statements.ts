import type { Client } from '../db/connect.ts';
import { TandemError } from '../engine/errors.ts';
import { type Judge, judge, noVariables } from './judge.ts';
import type { Landscape } from './landscape.ts';
import { readableConstants } from './normalised-constants.ts';
import { redirect } from './redirect.ts';
import type { Origin, StatementReport } from './result.ts';
import type { SearchPaths } from './search-paths.ts';
import type { RehearsalSession } from './session.ts';
import type { SqlParser } from './sql-parser.ts';
import type { StatementsFile } from './statements-from-file.ts';
import { readStatistics } from './statements-from-statistics.ts';
import { childIn, type Statement, text } from './syntax.ts';

/** A rehearsal that is under way. */
export interface Work {
  readonly session: RehearsalSession;
  readonly parser: SqlParser;
  readonly landscape: Landscape;
  readonly paths: SearchPaths;
  readonly serverVersion: number;
  readonly comparesCosts: boolean;
  readonly signal: AbortSignal;
  readonly reports: StatementReport[];
  readonly notes: string[];
}

/** Judges names as they are looked up along a path. @throws TD022 once the rehearsal is to stop */
export async function judgeAlong(work: Work, path: string): Promise<Judge> {
  if (work.signal.aborted) {
    throw new TandemError('TD022', 'The rehearsal was stopped.', { hint: 'Run the same command again.' });
  }
  const { session, serverVersion, comparesCosts } = work;
  return { session, serverVersion, comparesCosts, lookup: await work.landscape.lookupAlong(path) };
}

interface Application {
  readonly origin: Origin;
  readonly sql: string;
  readonly statement: Statement | null;
  readonly searchPath: string;
  readonly types: readonly number[];
  readonly normalised: boolean;
  readonly kept: boolean;
}

/** A statement as it was found. False where it does not concern the moved tables. */
export async function rehearseStatement(
  work: Work,
  { origin, sql, statement, ...given }: Application,
): Promise<boolean> {
  if (statement === null) {
    if (!work.landscape.names.some((name) => sql.toLowerCase().includes(name.toLowerCase()))) return false;
    work.reports.push({
      origin,
      sql,
      verdict: 'not understood',
      obstacle: { sqlstate: null, message: 'the parser does not take it' },
      problems: [],
    });
    return true;
  }
  const on = await judgeAlong(work, given.searchPath);
  if (redirect(statement, on.lookup).references.length === 0) return false;
  const readable = given.normalised ? readableConstants(statement) : { edits: [], types: given.types };
  const { report } = await judge(on, {
    origin,
    statement,
    hidden: 0,
    edits: readable.edits,
    types: { today: readable.types, after: readable.types },
    variableChange: noVariables,
    kept: given.kept,
  });
  work.reports.push(report);
  return true;
}

export async function rehearseFile(work: Work, { file, statements, passedOver }: StatementsFile): Promise<void> {
  let concerned = 0;
  for (const { number, sql, statement, types, searchPath } of statements) {
    const path = searchPath ?? work.paths.own;
    await work.landscape.lookupAlong(path);
    const concerns = await rehearseStatement(work, {
      origin: { kind: 'file', file, number },
      sql,
      statement,
      searchPath: path,
      types: await typesNamed(work.session.client, types),
      normalised: false,
      kept: true,
    });
    concerned += Number(concerns);
  }
  const others = statements.length - concerned;
  work.notes.push(
    `${file}: ${concerned} statements on the tables${others > 0 ? `, ${others} on others` : ''}${passedOver > 0 ? `, ${passedOver} that are not prepared` : ''}.`,
  );
}

/** 0, which leaves a type to the server, for `unknown` and for what is no type. */
async function typesNamed(client: Client, names: readonly string[]): Promise<number[]> {
  if (names.length === 0) return [];
  const { rows } = await client.query<{ oid: number }>(
    `SELECT CASE WHEN t.name = 'unknown' THEN 0 ELSE coalesce(pg_catalog.to_regtype(t.name)::oid::int8::float8, 0) END AS oid
       FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS t (name, place) ORDER BY t.place`,
    [names],
  );
  return rows.map((row) => row.oid);
}

export async function rehearseStatistics(work: Work, limit: number): Promise<void> {
  const { session, paths, parser } = work;
  const { statements, notes } = await readStatistics(session, work.landscape.names, limit);
  const seen = new Map<
    string,
    { sql: string; path: string; calls: number; roles: Set<string>; statement: Statement | null }
  >();
  for (const { sql, role, calls } of statements) {
    const statement = parser.parse(sql);
    if (statement !== null && (!APPLICATION.has(statement.root.type) || isOwn(statement))) continue;
    const path = paths.of(role);
    const key = `${path}\n${sql}`;
    const known = seen.get(key) ?? { sql, path, calls: 0, roles: new Set(), statement };
    known.calls += calls;
    known.roles.add(paths.nameOf(role));
    seen.set(key, known);
  }
  let concerned = 0;
  for (const { sql, path, calls, roles, statement } of seen.values()) {
    const concerns = await rehearseStatement(work, {
      origin: { kind: 'pg_stat_statements', calls, roles: [...roles] },
      sql,
      statement,
      searchPath: path,
      types: [],
      normalised: true,
      kept: true,
    });
    concerned += Number(concerns);
  }
  work.notes.push(`pg_stat_statements: ${[`${concerned} statements on the tables`, ...notes].join('; ')}.`);
}

const APPLICATION = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

/**
 * Tandem's own statements: about its own tables, or about the moved ones in the way that the digests write, with every
 * name qualified and quoted, and rows called `s` (and `p`, their parents). PostgREST qualifies and quotes, too, but has
 * no such aliases.
 */
function isOwn({ nodes, text: sql }: Statement): boolean {
  const tables = nodes.filter((node) => node.type === 'RangeVar');
  if (tables.some((table) => table.values.schemaname === 'tandem')) return true;
  const named = tables.filter((table) => table.values.schemaname !== 'pg_catalog');
  return (
    named.length > 0 &&
    sql.includes('pg_catalog.') &&
    named.every(
      (table) =>
        sql.startsWith(`"${table.values.schemaname}"."`, table.location ?? 0) &&
        ['s', 'p'].includes(text(childIn(table, 'alias'), 'aliasname') ?? ''),
    )
  );
}
