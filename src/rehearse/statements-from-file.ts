import { readFile } from 'node:fs/promises';
import { quoteIdent } from '../db/identifier.ts';
import { splitStatements } from '../db/sql-file.ts';
import { TandemError } from '../engine/errors.ts';
import type { SqlParser } from './sql-parser.ts';
import { childrenIn, constantText, type Statement, text } from './syntax.ts';

/** A statement of a file: as it stands there, or the one inside a PREPARE. */
export interface FileStatement {
  readonly number: number;
  readonly sql: string;
  /** Null where it is no SQL that could be read. */
  readonly statement: Statement | null;
  /** Types that a PREPARE around it names; `unknown` where it leaves one to the server. */
  readonly types: readonly string[];
  /** The search path that a SET in the file has named before it. */
  readonly searchPath: string | null;
}

export interface StatementsFile {
  readonly file: string;
  readonly statements: readonly FileStatement[];
  /** Statements that no application prepares. */
  readonly passedOver: number;
}

/** What is prepared by applications. */
const PREPARED = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt', 'CopyStmt']);

/**
 * Reads a file of SQL. `SET search_path` counts for what follows, and `PREPARE name (types) AS …` tells the types that a
 * driver gives to parameters; other statements that are neither queries nor writes are passed over, and counted.
 *
 * @throws TD008 where there is no such file
 */
export async function readStatementsFile(parser: SqlParser, file: string): Promise<StatementsFile> {
  const sql = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new TandemError('TD008', `The file ${file} cannot be read.`, {
      hint: '--statements takes a file with one or more SQL statements, each ended by a semicolon.',
      cause,
    });
  });
  const statements: FileStatement[] = [];
  let searchPath: string | null = null;
  let passedOver = 0;
  for (const [i, piece] of splitStatements(sql).entries()) {
    const parsed = parser.parse(piece);
    const path = parsed && searchPathSet(parsed);
    const prepared = parsed?.root.type === 'PrepareStmt' ? prepareIn(parser, parsed) : null;
    const statement = prepared?.statement ?? parsed;
    if (path !== null) searchPath = path;
    else if (statement !== null && !PREPARED.has(statement.root.type)) passedOver += 1;
    else
      statements.push({
        number: i + 1,
        sql: statement?.text ?? piece,
        statement,
        types: prepared?.types ?? [],
        searchPath,
      });
  }
  return { file, statements, passedOver };
}

function searchPathSet({ root }: Statement): string | null {
  if (root.type !== 'VariableSetStmt' || text(root, 'name') !== 'search_path') return null;
  return childrenIn(root, 'args')
    .map((arg) => quoteIdent(constantText(arg) ?? ''))
    .join(', ');
}

/** `PREPARE name (text, uuid) AS SELECT …` → the SELECT, and `text`, `uuid`. */
function prepareIn(
  parser: SqlParser,
  { text: sql, tokens }: Statement,
): { statement: Statement; types: string[] } | null {
  const types: string[] = [];
  let depth = 0;
  let begin = 0;
  for (const [i, token] of tokens.entries()) {
    if (depth === 1 && (token.text === ',' || token.text === ')')) types.push(sql.slice(begin, token.start).trim());
    if (token.text === '(') depth += 1;
    if (token.text === ')') depth -= 1;
    if (depth === 1 && (token.text === '(' || token.text === ',')) begin = token.end;
    const next = tokens[i + 1];
    if (depth > 0 || token.text.toUpperCase() !== 'AS' || !next) continue;
    const statement = parser.parse(sql.slice(next.start));
    return statement && { statement, types };
  }
  return null;
}
