import { isRecord } from './syntax.ts';

/** A declared variable, by the type as the function names it; `record` where it names none. */
export interface DeclaredVariable {
  readonly name: string;
  readonly type: string;
}

/** A piece of SQL in a plpgsql body. Line 1 is the line on which the body begins. */
export type Piece =
  /** A statement, or an expression, whose `SELECT` is left out. */
  | {
      readonly kind: 'query' | 'expression';
      readonly sql: string;
      readonly line: number | null;
      readonly into: string | null;
    }
  | { readonly kind: 'return query'; readonly sql: string; readonly line: number | null }
  | { readonly kind: 'cursor'; readonly sql: string; readonly line: number | null; readonly cursor: string }
  | { readonly kind: 'fetch'; readonly cursor: string; readonly into: string | null }
  /** EXECUTE: an expression that gives the statement, and those that give its parameters. */
  | {
      readonly kind: 'execute';
      readonly sql: string;
      readonly parameters: readonly string[];
      readonly line: number | null;
      readonly into: string | null;
    };

export interface PlpgsqlBody {
  readonly variables: readonly DeclaredVariable[];
  /** In the order in which they stand. */
  readonly pieces: readonly Piece[];
}

// What a statement evaluates before it runs what is in it.
const BODIES = [
  'body',
  'then_body',
  'elsif_list',
  'else_body',
  'case_when_list',
  'else_stmts',
  'stmts',
  'exceptions',
  'action',
];
/** parseMode of an assignment, whose text has its target in it: `v := 1`. */
const ASSIGNMENTS = new Set([3, 4, 5]);
const ASSIGNED = /^\s*(?:"(?:[^"]|"")*"|[\w$.\u0080-\uffff]+)+(?:\s*\[[^\]]*\])*\s*:?=/u;

/** Reads the parser's JSON of a function; null where it has none. */
export function readPieces(parsed: unknown): PlpgsqlBody | null {
  const functions = isRecord(parsed) && Array.isArray(parsed.plpgsql_funcs) ? parsed.plpgsql_funcs : [];
  const outer: unknown = functions[0];
  const body = isRecord(outer) ? outer.PLpgSQL_function : null;
  if (!isRecord(body)) return null;
  const datums: unknown[] = Array.isArray(body.datums) ? body.datums : [];
  const pieces: Piece[] = [];
  const variables: DeclaredVariable[] = [];
  for (const datum of datums) {
    const [, fields] = wrapped(datum);
    if (typeof fields.refname !== 'string' || fields.refname.startsWith('(')) continue;
    const [, type] = wrapped(fields.datatype);
    variables.push({ name: fields.refname, type: typeof type.typname === 'string' ? type.typname : 'record' });
    const line = lineOf(fields);
    const [cursorQuery, initial] = [expression(fields.cursor_explicit_expr), expression(fields.default_val)];
    if (cursorQuery) pieces.push({ kind: 'cursor', sql: cursorQuery, line, cursor: fields.refname });
    if (initial) pieces.push({ kind: 'expression', sql: initial, line, into: null });
  }
  const nameOf = (place: unknown) => {
    const [, fields] = wrapped(typeof place === 'number' ? datums[place] : null);
    return typeof fields.refname === 'string' ? fields.refname : '';
  };
  walk(body.action, nameOf, pieces);
  return { variables, pieces };
}

function walk(value: unknown, nameOf: (place: unknown) => string, pieces: Piece[]): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, nameOf, pieces);
    return;
  }
  if (!isRecord(value)) return;
  const [type, fields] = wrapped(value);
  const line = lineOf(fields);
  const into = target(fields.target ?? fields.var);
  const sql = (field: string) => expression(fields[field]);
  const parameters = (Array.isArray(fields.params) ? fields.params : []).flatMap((p) => expression(p) ?? []);

  switch (type) {
    case 'PLpgSQL_stmt_execsql':
      add(pieces, sql('sqlstmt'), (text) => ({ kind: 'query', sql: text, line, into }));
      return;
    case 'PLpgSQL_stmt_return_query':
      add(pieces, sql('query'), (text) => ({ kind: 'return query', sql: text, line }));
      add(pieces, sql('dynquery'), (text) => ({ kind: 'execute', sql: text, parameters, line, into: null }));
      return;
    case 'PLpgSQL_stmt_dynexecute':
    case 'PLpgSQL_stmt_dynfors':
      add(pieces, sql('query'), (text) => ({ kind: 'execute', sql: text, parameters, line, into }));
      walk(fields.body, nameOf, pieces);
      return;
    case 'PLpgSQL_stmt_fors':
      add(pieces, sql('query'), (text) => ({ kind: 'query', sql: text, line, into }));
      walk(fields.body, nameOf, pieces);
      return;
    case 'PLpgSQL_stmt_open':
      add(pieces, sql('query'), (text) => ({ kind: 'cursor', sql: text, line, cursor: nameOf(fields.curvar) }));
      return;
    case 'PLpgSQL_stmt_fetch':
    case 'PLpgSQL_stmt_forc':
      pieces.push({ kind: 'fetch', cursor: nameOf(fields.curvar), into });
      walk(fields.body, nameOf, pieces);
      return;
    case 'PLpgSQL_stmt_perform':
    case 'PLpgSQL_stmt_call':
      add(pieces, sql('expr'), (text) => ({ kind: 'query', sql: text, line, into: null }));
      return;
    case 'PLpgSQL_stmt_assign':
      add(pieces, sql('expr'), (text) => ({ kind: 'expression', sql: text, line, into: null }));
      return;
    case 'PLpgSQL_stmt_case':
      walkCase(fields, nameOf, pieces);
      return;
    default: {
      // Any other statement: its expressions, then what is in it.
      const entries = Object.entries(fields);
      for (const [name, inner] of entries) {
        const single = expression(inner);
        const list = Array.isArray(inner) ? inner.flatMap((item) => expression(item) ?? []) : [];
        for (const sql of single === null ? list : [single]) pieces.push({ kind: 'expression', sql, line, into: null });
        if (single !== null || list.length > 0) continue;
        if (!BODIES.includes(name) && name !== 'var' && name !== 'target') walk(inner, nameOf, pieces);
      }
      for (const [name, inner] of entries) if (BODIES.includes(name)) walk(inner, nameOf, pieces);
    }
  }
}

/** `CASE x WHEN 'a'` is kept as `"__Case__Variable_3__" IN ('a')`: the variable is x. */
function walkCase(fields: Record<string, unknown>, nameOf: (place: unknown) => string, pieces: Piece[]): void {
  const tested = expression(fields.t_expr);
  const from = pieces.length;
  walk(fields.case_when_list, nameOf, pieces);
  walk(fields.else_stmts, nameOf, pieces);
  if (tested === null) return;
  const variable = `"${nameOf(fields.t_varno)}"`;
  for (let i = from; i < pieces.length; i++) {
    const piece = pieces[i];
    if (piece?.kind === 'expression') pieces[i] = { ...piece, sql: piece.sql.replace(variable, () => `(${tested})`) };
  }
}

function add(pieces: Piece[], sql: string | null, piece: (sql: string) => Piece): void {
  if (sql !== null) pieces.push(piece(sql));
}

/** The name of the record that a row goes to; null where it goes to single variables. */
function target(value: unknown): string | null {
  const [type, fields] = wrapped(value);
  return type === 'PLpgSQL_rec' && typeof fields.refname === 'string' ? fields.refname : null;
}

function expression(value: unknown): string | null {
  const [type, fields] = wrapped(value);
  if (type !== 'PLpgSQL_expr' || typeof fields.query !== 'string') return null;
  const sql = ASSIGNMENTS.has(Number(fields.parseMode ?? 0)) ? fields.query.replace(ASSIGNED, '') : fields.query;
  return sql.trim();
}

function wrapped(value: unknown): [type: string, fields: Record<string, unknown>] {
  if (!isRecord(value)) return ['', {}];
  const [type = ''] = Object.keys(value);
  const fields = value[type];
  return [type, isRecord(fields) ? fields : {}];
}

function lineOf(fields: Record<string, unknown>): number | null {
  return typeof fields.lineno === 'number' && fields.lineno > 0 ? fields.lineno : null;
}
