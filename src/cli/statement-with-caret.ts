import { z } from 'zod';
import { statementOf } from '../db/statement-of.ts';

const positioned = z.object({
  position: z.coerce.number().int().positive().optional(),
  internalPosition: z.coerce.number().int().positive().optional(),
  internalQuery: z.string().optional(),
});
const LINES_AROUND = 3;
const WIDEST = 120;

/** The statement of a server's error with a caret where it points; null where either is not known. */
export function statementWithCaret(error: unknown): string | null {
  const where = positioned.safeParse(error).data ?? {};
  // In a function, the position is one in the statement that the function ran.
  const statement = where.internalQuery ?? statementOf(error);
  if (statement === null) return null;
  const position = where.internalQuery === undefined ? where.position : where.internalPosition;
  return position === undefined ? indent(statement.split('\n')) : withCaret(statement, position);
}

/** `position` counts characters, from 1. */
function withCaret(statement: string, position: number): string {
  const before = [...statement].slice(0, position - 1).join('');
  const at = before.split('\n').length - 1;
  const column = [...(before.split('\n').at(-1) ?? '')].length;
  const lines = statement.split('\n');
  const caret = `${' '.repeat(column)}^`;
  if ([...(lines[at] ?? '')].length <= WIDEST) {
    return indent([
      ...lines.slice(Math.max(0, at - LINES_AROUND), at + 1),
      caret,
      ...lines.slice(at + 1, at + 1 + LINES_AROUND),
    ]);
  }
  // Of a long line, what is around the caret.
  const left = Math.max(0, column - WIDEST / 2);
  return indent([[...(lines[at] ?? '')].slice(left, left + WIDEST).join(''), caret.slice(left)]);
}

function indent(lines: readonly string[]): string {
  return lines.map((line) => `  | ${line}`).join('\n');
}
