import type { Edit } from './edits.ts';
import { childIn, childrenIn, namesIn, type Statement, type SyntaxNode, tokenAt } from './syntax.ts';

const TEXTUAL = new Set(['text', 'varchar', 'bpchar', 'name']);

/** A cast to text, or to an array of it, of a parameter or a constant. */
export function isTextCast(node: SyntaxNode | null): node is SyntaxNode {
  if (node?.type !== 'TypeCast') return false;
  const type = childIn(node, 'typeName');
  const arg = childIn(node, 'arg');
  return (
    type !== null &&
    TEXTUAL.has(namesIn(type, 'names').at(-1) ?? '') &&
    ['ParamRef', 'A_Const'].includes(arg?.type ?? '')
  );
}

/** The casts to text of parameters and constants among the operands of a node. */
export function textCastsIn(node: SyntaxNode): SyntaxNode[] {
  const operands = ['lexpr', 'rexpr', 'args', 'items', 'elements', 'testexpr'].flatMap((field) =>
    childrenIn(node, field),
  );
  return operands.flatMap((operand) => (isTextCast(operand) ? [operand] : textCastsIn(operand)));
}

/** Takes `::text` away; null for `CAST(… AS text)` and whatever else is not written like that. */
export function withoutCast(statement: Statement, cast: SyntaxNode): Edit | null {
  const { tokens } = statement;
  const first = tokenAt(tokens, cast.location);
  const type = tokenAt(tokens, childIn(cast, 'typeName')?.location ?? null);
  if (first === -1 || type !== first + 1 || tokens[first]?.text !== '::') return null;
  let last = type;
  const next = () => tokens[last + 1]?.text.toLowerCase();
  if (next() === 'varying') last += 1;
  while (next() === '.') last += 2;
  for (const [open, close] of [
    ['(', ')'],
    ['[', ']'],
    ['[', ']'],
  ]) {
    if (next() !== open) continue;
    while (last + 1 < tokens.length && tokens[last]?.text !== close) last += 1;
  }
  const [begin, end] = [tokens[first], tokens[last]];
  return begin && end ? { start: begin.start, end: end.end, text: '' } : null;
}
