import { type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import type { Edit } from './edits.ts';
import {
  ancestors,
  childIn,
  childrenIn,
  endOfName,
  namesIn,
  type Statement,
  type SyntaxNode,
  text,
  tokenAt,
} from './syntax.ts';
import type { MovedTable } from './tables.ts';

/** What a name stands for after cutover. */
export type Standing =
  | { readonly kind: 'table'; readonly table: MovedTable }
  /** A view over moved tables is read as the query that it will be made again from; null where that cannot be told. */
  | { readonly kind: 'view'; readonly name: QualifiedName; readonly query: string | null };

/** Looks a name up as the server would: null for whatever does not change at cutover. */
export type Lookup = (schema: string | null, name: string) => Standing | null;

export interface Reference {
  readonly node: SyntaxNode;
  /** By what its columns are qualified in the statement. */
  readonly alias: string;
  readonly standing: Standing;
}

export interface Redirection {
  readonly references: readonly Reference[];
  /** Make the statement speak of the targets. */
  readonly edits: readonly Edit[];
  /** Why it cannot be made to; null where it can. */
  readonly obstacle: string | null;
}

const NOT_TABLES = new Set(['lockedRels', 'rel']);
const WRITES = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);

/**
 * Puts the targets in the place of the live tables. Only the names are replaced, each target under the name that the
 * statement knows (`"tandem"."messages_target" AS "messages"`), so that the rest stays as it was written, and a place in
 * the new text is a place in the old one.
 */
export function redirect(statement: Statement, lookup: Lookup): Redirection {
  const references: Reference[] = [];
  const edits: Edit[] = [];
  let obstacle: string | null = null;
  for (const node of statement.nodes) {
    if (node.type === 'RangeVar' && !NOT_TABLES.has(node.field)) {
      const [schema, name] = [text(node, 'schemaname'), text(node, 'relname') ?? ''];
      if (schema === null && namesCte(node, name)) continue;
      const standing = lookup(schema, name);
      if (standing === null) continue;
      const alias = childIn(node, 'alias');
      references.push({ node, alias: text(alias, 'aliasname') ?? name, standing });
      if (standing.kind === 'view' && node.field === 'relation' && WRITES.has(node.parent?.type ?? '')) {
        obstacle = 'it writes through a view';
      }
      if (standing.kind === 'view' && standing.query === null) obstacle = `the view ${name} cannot be read`;
      const edit = rangeEdits(statement, node, standing);
      if (edit === null) obstacle = 'a table name in it is not where it was looked for';
      else edits.push(...edit);
    } else if (node.type === 'TypeName') {
      const edit = typeEdit(statement, node, lookup);
      if (edit === null) continue;
      references.push({ node, alias: '', standing: edit.standing });
      edits.push(edit.edit);
    }
  }
  // `public.sessions.id` is no name of a column any more once the table has an alias.
  for (const node of statement.nodes) {
    if (node.type !== 'ColumnRef') continue;
    const names = namesIn(node, 'fields');
    const [schema, table] = names;
    if (names.length < 3 || schema === undefined || table === undefined) continue;
    const own = references.find(
      (r) => r.alias === table && childIn(r.node, 'alias') === null && schemaOf(r) === schema,
    );
    const first = tokenAt(statement.tokens, node.location);
    const next = statement.tokens[first + 2];
    if (own && first !== -1 && next) edits.push({ start: node.location ?? 0, end: next.start, text: '' });
  }
  return { references, edits, obstacle };
}

function schemaOf({ standing }: Reference): string {
  return standing.kind === 'table' ? standing.table.move.source.schema : standing.name.schema;
}

function rangeEdits(statement: Statement, node: SyntaxNode, standing: Standing): Edit[] | null {
  const { tokens } = statement;
  const parts = 1 + Number(text(node, 'schemaname') !== null) + Number(text(node, 'catalogname') !== null);
  const first = tokenAt(tokens, node.location);
  const last = endOfName(tokens, first, parts);
  const begin = tokens[first];
  if (first === -1 || last === null || begin === undefined) return null;
  const after = standing.kind === 'table' ? quoteName(standing.table.move.target) : `(${standing.query})`;
  const edits: Edit[] = [{ start: begin.start, end: last.end, text: after }];
  const word = (offset: number) => tokens[first + offset]?.text.toUpperCase();
  if (childIn(node, 'alias') === null) {
    let place = last;
    const following = tokens[first + 2 * (parts - 1) + 1];
    // `sessions *` and `ONLY (sessions)`: the alias comes after the star or the parenthesis.
    if (following && (following.text === '*' || (word(-1) === '(' && word(-2) === 'ONLY'))) place = following;
    edits.push({ start: place.end, end: place.end, text: ` AS ${quoteIdent(text(node, 'relname') ?? '')}` });
  }
  // The command TABLE takes no alias.
  const command = tokens[first - (word(-1) === 'ONLY' ? 2 : 1)];
  if (command?.text.toUpperCase() === 'TABLE')
    edits.push({ start: command.start, end: command.end, text: 'SELECT * FROM' });
  return edits;
}

/** The row type of a moved table: `NULL::sessions`. */
function typeEdit(statement: Statement, node: SyntaxNode, lookup: Lookup): { edit: Edit; standing: Standing } | null {
  const names = namesIn(node, 'names');
  const name = names.at(-1);
  if (name === undefined || names.length > 2) return null;
  const standing = lookup(names.length === 2 ? (names[0] ?? null) : null, name);
  if (standing?.kind !== 'table') return null;
  const first = tokenAt(statement.tokens, node.location);
  const [begin, last] = [statement.tokens[first], endOfName(statement.tokens, first, names.length)];
  if (!begin || !last) return null;
  return { edit: { start: begin.start, end: last.end, text: quoteName(standing.table.move.target) }, standing };
}

/** True where a WITH query of that name is in sight, which hides the table. */
function namesCte(node: SyntaxNode, name: string): boolean {
  let below = node;
  for (const up of ancestors(node)) {
    const clause = childIn(up, 'withClause');
    if (clause !== null && clause !== below) {
      if (childrenIn(clause, 'ctes').some((cte) => text(cte, 'ctename') === name)) return true;
    } else if (up.type === 'WithClause') {
      const ctes = childrenIn(up, 'ctes');
      // Each sees those before it; all see all of a recursive WITH.
      const seen = up.values.recursive === true ? ctes : ctes.slice(0, ctes.indexOf(below));
      if (seen.some((cte) => text(cte, 'ctename') === name)) return true;
    }
    below = up;
  }
  return false;
}
