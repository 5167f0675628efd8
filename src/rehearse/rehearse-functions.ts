import { splitStatements } from '../db/sql-file.ts';
import { withoutCasts } from '../move/dependents.ts';
import type { Judge } from './judge.ts';
import type { Landscape } from './landscape.ts';
import { type Piece, readPieces } from './plpgsql-pieces.ts';
import type { FunctionSource } from './read-functions.ts';
import { type FunctionWork, type Judged, rehearsePiece, withoutRehearsal } from './rehearse-piece.ts';
import type { StatementReport } from './result.ts';
import type { RehearsalSession } from './session.ts';
import type { SqlParser } from './sql-parser.ts';
import { childIn, childrenIn, constantText } from './syntax.ts';
import {
  rowFrom,
  rowOf,
  type TypePair,
  unknownVariable,
  type Variable,
  variableNamed,
  variableOfType,
} from './variables.ts';

const QUERIES = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

export interface FunctionRehearsal {
  readonly statements: readonly StatementReport[];
  /** False where its body cannot be read. */
  readonly read: boolean;
}

/** Rehearses what is in a function's body. A statement that does not concern the moved tables is not reported. */
export async function rehearseFunction(
  session: RehearsalSession,
  parser: SqlParser,
  landscape: Landscape,
  source: FunctionSource,
  searchPath: string,
  options: Pick<Judge, 'serverVersion' | 'comparesCosts'>,
): Promise<FunctionRehearsal> {
  const lookup = await landscape.lookupAlong(source.searchPath ?? searchPath);
  const work: FunctionWork = {
    judge: { session, lookup, ...options },
    parser,
    landscape,
    source,
    onConflict: conflictRule(source),
  };
  if (source.language === 'sql') return rehearseSql(work);
  // As a trigger, once for each table: NEW and OLD are rows of that table.
  const tables = source.triggerOn.length === 0 ? [null] : source.triggerOn;
  const reports: StatementReport[] = [];
  for (const table of tables) {
    const statements = await rehearsePlpgsql(work, table);
    if (statements === null) return { statements: [], read: false };
    for (const report of statements) if (!reports.some((known) => sameReport(known, report))) reports.push(report);
  }
  return { statements: reports, read: true };
}

function conflictRule({ language, body }: FunctionSource): FunctionWork['onConflict'] {
  if (language === 'sql') return 'column';
  const option = /^\s*#\s*variable_conflict\s+(\w+)/imu.exec(body)?.[1]?.toLowerCase();
  return option === 'use_column' ? 'column' : option === 'use_variable' ? 'variable' : 'fails';
}

function sameReport(a: StatementReport, b: StatementReport): boolean {
  return a.sql === b.sql && a.verdict === b.verdict && JSON.stringify(a.origin) === JSON.stringify(b.origin);
}

async function rehearseSql(work: FunctionWork): Promise<FunctionRehearsal> {
  const { source, parser } = work;
  const variables = await argumentVariables(work);
  const statements: StatementReport[] = [];
  let read = true;
  for (const sql of bodyStatements(source)) {
    const statement = parser.parse(sql);
    if (statement === null) read = false;
    else if (QUERIES.has(statement.root.type)) {
      const judgement = await rehearsePiece(work, statement, 0, null, variables);
      if (judgement?.report) statements.push(judgement.report);
    }
  }
  return { statements, read };
}

/** `BEGIN ATOMIC …; …; END` and `RETURN …` are bodies, too. */
function bodyStatements({ body, atomic }: FunctionSource): string[] {
  if (!atomic) return splitStatements(body);
  const returned = /^\s*RETURN\s+([\s\S]*)$/iu.exec(body)?.[1];
  // As the cutover makes it again where the server's own text is refused.
  if (returned !== undefined) return [`SELECT ${withoutCasts(returned)}`];
  return splitStatements(
    withoutCasts(body)
      .replace(/^\s*BEGIN ATOMIC/iu, '')
      .replace(/END\s*$/iu, ''),
  );
}

/** Null where the body cannot be read. */
async function rehearsePlpgsql(work: FunctionWork, trigger: number | null): Promise<StatementReport[] | null> {
  const { source, parser, judge: on, landscape } = work;
  const { client } = on.session;
  // The same to PostgreSQL; the parser, which knows no catalog, takes only one for a row.
  const definition = source.definition.replaceAll(/%\s*rowtype\b/giu, '');
  const body = readPieces(parser.parsePlpgsql(definition));
  if (body === null) return null;
  const variables = await argumentVariables(work);
  const declaredTwice = new Set<string>();
  const argumentsToCome = new Set(source.argumentNames ?? []);
  for (const { name, type } of body.variables) {
    // The parser lists them first, and the catalog knows their types better.
    if (argumentsToCome.delete(name)) continue;
    const variable = await variableNamed(client, landscape.tables, on.lookup, type);
    const known = variables.get(name);
    // Two blocks with a variable of one name: which of them is meant is not told here.
    if (known && JSON.stringify(known) !== JSON.stringify(variable)) declaredTwice.add(name);
    variables.set(name, variable);
  }
  for (const name of declaredTwice) variables.set(name, unknownVariable);
  if (trigger !== null) {
    const row = await triggerRow(work, trigger);
    for (const name of ['new', 'old']) variables.set(name, row);
  }

  const reports: StatementReport[] = [];
  const cursors = new Map<string, Variable>();
  for (const piece of body.pieces) {
    if (piece.kind === 'fetch') {
      if (piece.into !== null && isRecord(variables, piece.into))
        variables.set(piece.into, cursors.get(piece.cursor) ?? unknownVariable);
      continue;
    }
    const judgement =
      piece.kind === 'execute'
        ? await rehearseExecute(work, piece, variables)
        : await rehearseStatic(work, piece, variables);
    if (judgement?.report) reports.push(judgement.report);
    const row = judgement?.today
      ? rowFrom(judgement.today.columns, (judgement.after ?? judgement.today).columns)
      : unknownVariable;
    if (piece.kind === 'cursor') cursors.set(piece.cursor, row);
    if (
      (piece.kind === 'query' || piece.kind === 'execute') &&
      piece.into !== null &&
      isRecord(variables, piece.into)
    ) {
      variables.set(piece.into, row);
    }
  }
  return reports;
}

/** Declared as a record, and not as a table's row, which it stays whatever it is given. */
function isRecord(variables: ReadonlyMap<string, Variable>, name: string): boolean {
  const variable = variables.get(name);
  return variable === undefined || variable.kind === 'unknown' || (variable.kind === 'row' && variable.type === null);
}

async function triggerRow({ landscape, judge: on }: FunctionWork, table: number): Promise<Variable> {
  const moved = landscape.tables.find((candidate) => candidate.today.oid === table);
  if (moved) return rowOf(moved);
  const { rows } = await on.session.client.query<{ type: number }>(
    'SELECT reltype::int8::float8 AS type FROM pg_catalog.pg_class WHERE oid = $1::int8::oid',
    [table],
  );
  return rows[0] ? variableOfType(on.session.client, landscape.tables, rows[0].type) : unknownVariable;
}

async function argumentVariables({ source, judge: on, landscape }: FunctionWork): Promise<Map<string, Variable>> {
  const variables = new Map<string, Variable>();
  const types = source.allTypes ?? source.argumentTypes;
  for (const [i, name] of (source.argumentNames ?? []).entries()) {
    const type = types[i];
    if (name !== '' && type !== undefined) {
      variables.set(name, await variableOfType(on.session.client, landscape.tables, type));
    }
  }
  return variables;
}

async function rehearseStatic(
  work: FunctionWork,
  piece: Exclude<Piece, { kind: 'fetch' | 'execute' }>,
  variables: ReadonlyMap<string, Variable>,
): Promise<Judged | null> {
  const prefix = piece.kind === 'expression' ? 'SELECT ' : '';
  const statement = work.parser.parse(`${prefix}${piece.sql}`);
  if (statement === null || !QUERIES.has(statement.root.type)) return null;
  const judged = await rehearsePiece(work, statement, prefix.length, piece.line, variables);
  if (piece.kind !== 'return query' || judged?.report?.verdict !== 'holds') return judged;
  return { ...judged, report: returnedRows(judged, judged.report) };
}

/** RETURN QUERY converts nothing: the query gives the declared types, or the function fails when it is called. */
function returnedRows({ today, after }: Judged, report: StatementReport): StatementReport {
  const changed = (today?.columns ?? []).filter(
    (column, i) => after?.columns[i] && after.columns[i].typeOid !== column.typeOid,
  );
  if (changed.length === 0) return report;
  const names = changed.map((column) => column.name).join(', ');
  return {
    ...report,
    verdict: 'breaks',
    problems: [
      {
        verdict: 'breaks',
        sqlstate: '42804',
        message: 'structure of query does not match function result type',
        place: null,
        reason: `RETURN QUERY converts nothing, and the type of ${names} will not be the one that the function declares. It fails when it is called.`,
        mend: `Cast in the query to what the function declares: \`${changed[0]?.name}::text\`, which holds today and afterwards.`,
        mended: null,
      },
    ],
  };
}

/** EXECUTE of a constant is a statement like any other; what is put together at run time nobody can know. */
async function rehearseExecute(
  work: FunctionWork,
  piece: Extract<Piece, { kind: 'execute' }>,
  variables: ReadonlyMap<string, Variable>,
): Promise<Judged | null> {
  const expression = work.parser.parse(`SELECT ${piece.sql}`);
  const [target] = expression ? childrenIn(expression.root, 'targetList') : [];
  const sql = constantText(target ? childIn(target, 'val') : null);
  const concerns = work.landscape.names.some((name) => piece.sql.toLowerCase().includes(name.toLowerCase()));
  if (sql === null) {
    return expression && concerns
      ? withoutRehearsal(work, expression, 'SELECT '.length, piece.line, 'it is put together at run time')
      : null;
  }
  const statement = work.parser.parse(sql);
  if (statement === null || !QUERIES.has(statement.root.type)) return null;
  const types: TypePair[] = [];
  for (const parameter of piece.parameters) {
    const value = work.parser.parse(`SELECT ${parameter}`);
    const judged = value && (await rehearsePiece(work, value, 'SELECT '.length, piece.line, variables));
    const [today, after] = [judged?.today?.columns[0]?.typeOid ?? 0, judged?.after?.columns[0]?.typeOid ?? 0];
    types.push({ today, after: after === 0 ? today : after });
  }
  return rehearsePiece(work, statement, 0, piece.line, new Map(), types);
}
