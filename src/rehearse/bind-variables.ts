import type { Edit } from './edits.ts';
import { applyEdits } from './edits.ts';
import type { Refusal, RehearsalSession } from './session.ts';
import { endOfName, namesIn, type Statement, type SyntaxNode, tokenAt } from './syntax.ts';
import type { TypePair, Variable } from './variables.ts';

/** A function's variables, by their lower-case names; a name may be qualified by the function's or a block's. */
export interface Scope {
  readonly variables: ReadonlyMap<string, Variable>;
  /** Types of `$1`, `$2`, …: the function's arguments. */
  readonly arguments: readonly TypePair[];
  /** A name that is both a variable's and a column's is the variable's. */
  readonly variablesFirst: boolean;
}

export interface BoundName {
  readonly node: SyntaxNode;
  readonly names: readonly string[];
  readonly type: TypePair;
  readonly edit: Edit;
}

export type Binding =
  | { readonly ok: true; readonly bound: readonly BoundName[]; readonly types: { today: number[]; after: number[] } }
  | { readonly ok: false; readonly refusal: Refusal };

const UNDEFINED_COLUMN = '42703';
/** `rec.field` where no table is called rec. */
const UNDEFINED_TABLE = '42P01';
const NAMES_TRIED = 60;

/**
 * Puts parameters in the place of variables. Which names are variables is the server's to say, by its own rules of what
 * is in sight where: a name that is no column is refused with its place, becomes a parameter, and the rest is tried again.
 */
export async function bindVariables(session: RehearsalSession, statement: Statement, scope: Scope): Promise<Binding> {
  const columns = statement.nodes.filter((node) => node.type === 'ColumnRef');
  const bound: BoundName[] = [];
  const types = { today: scope.arguments.map((t) => t.today), after: scope.arguments.map((t) => t.after) };
  const numbers = new Map<string, number>();
  const bind = (node: SyntaxNode): boolean => {
    const found = variableAt(scope, namesIn(node, 'fields'));
    if (found === null || bound.some((b) => b.node === node)) return false;
    const key = `${found.names.join('.')}${found.star ? '.*' : ''}`;
    let number = numbers.get(key);
    if (number === undefined) {
      number = types.today.push(found.type.today);
      types.after.push(found.type.after);
      numbers.set(key, number);
    }
    const first = tokenAt(statement.tokens, node.location);
    const last = endOfName(statement.tokens, first, namesIn(node, 'fields').length - (found.star ? 1 : 0));
    if (first === -1 || last === null || node.location === null) return false;
    // `(NEW).*` of a parameter is `($1).*`.
    const text = found.star ? `($${number})` : `$${number}`;
    bound.push({ node, names: found.names, type: found.type, edit: { start: node.location, end: last.end, text } });
    return true;
  };

  if (scope.variablesFirst) for (const node of columns) bind(node);
  for (let tries = 0; ; tries++) {
    const edited = applyEdits(
      statement.text,
      bound.map((b) => b.edit),
    );
    const attempt = await session.parse(edited.text, types.today);
    if (attempt.ok) return { ok: true, bound, types };
    const { refusal } = attempt;
    const missing = refusal.sqlstate === UNDEFINED_COLUMN || refusal.sqlstate === UNDEFINED_TABLE;
    const at = refusal.index === null ? null : edited.toOriginal(refusal.index);
    const node = columns.find((column) => column.location === at);
    if (missing && node && tries < NAMES_TRIED && bind(node)) continue;
    const [name = ''] = node ? namesIn(node, 'fields') : [];
    const unknown = scope.variables.get(name)?.kind === 'unknown';
    return {
      ok: false,
      refusal: unknown ? { ...refusal, message: `the type of its variable ${name} cannot be told` } : refusal,
    };
  }
}

function variableAt(
  { variables }: Scope,
  fields: readonly string[],
): { names: readonly string[]; type: TypePair; star: boolean } | null {
  const star = fields.at(-1) === '*';
  const names = star ? fields.slice(0, -1) : fields;
  const plain = resolve(variables, names, star);
  if (plain !== null) return { names, type: plain, star };
  // Qualified by the name of the function or of a block.
  const inner = names.length > 1 ? resolve(variables, names.slice(1), star) : null;
  return inner === null ? null : { names: names.slice(1), type: inner, star };
}

function resolve(variables: Scope['variables'], names: readonly string[], star: boolean): TypePair | null {
  const [name, field] = names;
  const variable = variables.get(name ?? '');
  if (variable === undefined || names.length > 2) return null;
  if (variable.kind === 'value') return field === undefined && !star ? variable.type : null;
  if (variable.kind === 'unknown') return null;
  return field === undefined ? variable.type : star ? null : (variable.fields.get(field) ?? null);
}
