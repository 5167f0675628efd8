/** A token of SQL, comments left out; offsets as in JavaScript strings. */
export interface Token {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A node of PostgreSQL's own parse tree. */
export interface SyntaxNode {
  /** As in PostgreSQL's source: `RangeVar`, `A_Expr`, `FuncCall`. */
  readonly type: string;
  /** The field of the parent that it stands in: `fromClause`, `lexpr`. */
  readonly field: string;
  readonly parent: SyntaxNode | null;
  readonly children: readonly SyntaxNode[];
  /** Fields that are no nodes: names, kinds, numbers. */
  readonly values: Readonly<Record<string, string | number | boolean>>;
  /** Where it is in the text, which for an operator is the operator itself; null where the parser does not say. */
  readonly location: number | null;
}

/** One statement of SQL, parsed. */
export interface Statement {
  readonly text: string;
  readonly root: SyntaxNode;
  /** Every node, parents before their children. */
  readonly nodes: readonly SyntaxNode[];
  readonly tokens: readonly Token[];
}

// Where the tree says by the field, and not by a wrapper, what a node is.
const TYPE_OF_FIELD: Readonly<Record<string, string>> = {
  relation: 'RangeVar',
  rel: 'RangeVar',
  typeName: 'TypeName',
  withClause: 'WithClause',
  larg: 'SelectStmt',
  rarg: 'SelectStmt',
  onConflictClause: 'OnConflictClause',
  infer: 'InferClause',
  intoClause: 'IntoClause',
  alias: 'Alias',
  returningClause: 'ReturningClause',
};

/** Builds the nodes from the parser's JSON; `toIndex` turns its byte offsets into string offsets. */
export function buildNodes(json: unknown, toIndex: (byte: number) => number): SyntaxNode[] {
  const nodes: SyntaxNode[] = [];
  const build = (value: unknown, field: string, parent: SyntaxNode | null): SyntaxNode[] => {
    if (Array.isArray(value)) return value.flatMap((item) => build(item, field, parent));
    if (!isRecord(value)) return [];
    const [only, ...more] = Object.keys(value);
    const wrapped = only !== undefined && more.length === 0 && /^[A-Z]/.test(only);
    const inner = wrapped ? value[only] : value;
    const body = isRecord(inner) ? inner : {};
    const children: SyntaxNode[] = [];
    const values: Record<string, string | number | boolean> = {};
    for (const [name, v] of Object.entries(body)) {
      if (typeof v === 'string' || typeof v === 'number' || typeof v === 'boolean') values[name] = v;
    }
    const at = values.location;
    const node: SyntaxNode = {
      type: wrapped ? only : (TYPE_OF_FIELD[field] ?? field),
      field,
      parent,
      children,
      values,
      // The JSON leaves zeros out; no node that is looked for by its place begins a statement.
      location: typeof at === 'number' && at >= 0 ? toIndex(at) : null,
    };
    nodes.push(node);
    for (const [name, v] of Object.entries(body)) children.push(...build(v, name, node));
    return [node];
  };
  build(json, '', null);
  return nodes;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function childrenIn(node: SyntaxNode, field: string): SyntaxNode[] {
  return node.children.filter((child) => child.field === field);
}

export function childIn(node: SyntaxNode, field: string): SyntaxNode | null {
  return node.children.find((child) => child.field === field) ?? null;
}

/** The node itself and everything below it. */
export function subtree(node: SyntaxNode): SyntaxNode[] {
  return [node, ...node.children.flatMap(subtree)];
}

export function ancestors(node: SyntaxNode): SyntaxNode[] {
  const result: SyntaxNode[] = [];
  for (let up = node.parent; up !== null; up = up.parent) result.push(up);
  return result;
}

/** A string value of a node, or null. */
export function text(node: SyntaxNode | null, name: string): string | null {
  const value = node?.values[name];
  return typeof value === 'string' ? value : null;
}

/** The names in a list of String nodes: `fields` of a ColumnRef, `names` of a TypeName. A star is `*`. */
export function namesIn(node: SyntaxNode, field: string): string[] {
  return childrenIn(node, field).map((child) => (child.type === 'A_Star' ? '*' : (text(child, 'sval') ?? '')));
}

/** The string of a text constant; null for anything else. */
export function constantText(node: SyntaxNode | null): string | null {
  if (node?.type !== 'A_Const') return null;
  const value = childIn(node, 'sval');
  return value === null ? null : (text(value, 'sval') ?? '');
}

/** The index of the token that begins at an offset; -1 where none does. */
export function tokenAt(tokens: readonly Token[], start: number | null): number {
  return start === null ? -1 : tokens.findIndex((token) => token.start === start);
}

/** The last of the tokens that make a name of `parts` parts (`a`, `a.b`), which begins with token `first`. */
export function endOfName(tokens: readonly Token[], first: number, parts: number): Token | null {
  return tokens[first + 2 * (parts - 1)] ?? null;
}
