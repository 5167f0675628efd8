import { z } from 'zod';
import type { Queryable } from './connect.ts';
import { type QualifiedName, quoteName } from './identifier.ts';
import { readSqlFile } from './sql-file.ts';

const partSchema = z.object({
  kind: z.enum(['column', 'constraint', 'index', 'privileges', 'owner', 'row security']),
  /** Empty where a table has one of the kind. */
  name: z.string(),
  /** A column's place in the table, which no other column ever has; 0 for other parts. */
  number: z.number(),
  /** Rows stand and are refused as before without it: an index that is not unique. */
  optional: z.boolean(),
  definition: z.string(),
});
type Part = z.infer<typeof partSchema>;

/** What a table is made of, as far as a new version of it is made from that. */
export const tableShapeSchema = z.array(partSchema);
export type TableShape = z.infer<typeof tableShapeSchema>;

/** @throws the server's 42P01 where there is no such table */
export async function readTableShape(client: Queryable, table: QualifiedName): Promise<TableShape> {
  return tableShapeSchema.parse(
    (await client.query(readSqlFile('src/db/sql/table-shape.sql'), [quoteName(table)])).rows,
  );
}

export interface ShapeDifference {
  /** `column mood was added`: what happened to it, to be read after the table's name. */
  readonly what: string;
  /** The name of an index that is no more, or is new, and that no row depends on; null for anything else. */
  readonly optionalIndex: { readonly name: string; readonly change: 'added' | 'dropped' } | null;
  /** The table can be made again what it was. The values of a column that was dropped are gone. */
  readonly undoable: boolean;
}

/** What somebody changed between two looks at a table. */
export function shapeDifferences(before: TableShape, now: TableShape): ShapeDifference[] {
  const [then, today] = [byPart(before), byPart(now)];
  const differences: ShapeDifference[] = [];
  for (const [id, old] of then) {
    const current = today.get(id);
    if (current === undefined) {
      const renamed =
        old.kind === 'column' ? now.find((p) => p.kind === 'column' && p.number === old.number) : undefined;
      differences.push(renamed ? changed(`${label(old)} was renamed to ${renamed.name}`) : gone(old, 'dropped'));
    } else if (old.number !== current.number) {
      differences.push({ ...changed(`${label(old)} was dropped and added again`), undoable: false });
    } else if (old.definition !== current.definition) {
      const from = old.kind === 'index' || old.kind === 'constraint' ? '' : ` from ${old.definition}`;
      differences.push(changed(`${label(old)} was changed${from} to ${current.definition}`));
    }
  }
  for (const [id, current] of today) {
    const renamed = current.kind === 'column' && before.some((p) => p.kind === 'column' && p.number === current.number);
    if (!then.has(id) && !renamed) differences.push(gone(current, 'added'));
  }
  return differences;
}

function byPart(shape: TableShape): Map<string, Part> {
  return new Map(shape.map((p) => [`${p.kind} ${p.name}`, p]));
}

function label({ kind, name }: Part): string {
  return name === '' ? kind : `${kind} ${name}`;
}

function changed(what: string): ShapeDifference {
  return { what, optionalIndex: null, undoable: true };
}

function gone(part: Part, change: 'added' | 'dropped'): ShapeDifference {
  return {
    what: `${label(part)} was ${change}`,
    optionalIndex: part.kind === 'index' && part.optional ? { name: part.name, change } : null,
    undoable: part.kind !== 'column' || change === 'added',
  };
}
