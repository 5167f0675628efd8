import { z } from 'zod';
import { StoreError } from './store-error.ts';

/** Some rows, and the cursor that `after` takes for the next ones; null on the last page. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next: string | null;
}

const position = z.tuple([z.string(), z.guid()]);

/** Where a page ends: the value that rows are ordered by, as the server spells it, and an id for rows that share it. */
export type Position = z.infer<typeof position>;

/**
 * The page of `limit` rows out of one row more, by which it is known that there is a next one. A timestamp goes into the
 * cursor as text: a `Date` has milliseconds, and would skip or repeat rows of the same one.
 */
export function pageOf<Row extends { id: string }>(
  rows: readonly Row[],
  positions: readonly string[],
  limit: number,
): Page<Row> {
  if (rows.length <= limit) return { rows, next: null };
  const last = rows[limit - 1];
  const cursor: Position = [positions[limit - 1] ?? '', last?.id ?? ''];
  return { rows: rows.slice(0, limit), next: encoded(JSON.stringify(cursor)) };
}

/** @throws StoreError `invalid_value` for what no page gave out */
export function positionOf(cursor: string | null | undefined): Position | null {
  if (cursor === null || cursor === undefined) return null;
  try {
    return position.parse(JSON.parse(decoded(cursor)));
  } catch (cause) {
    throw new StoreError('invalid_value', '`after` is no cursor of a page.', { cause });
  }
}

// Both are in Node and in browsers. What a cursor is made of has no letters beyond ASCII.
function encoded(text: string): string {
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function decoded(cursor: string): string {
  return atob(cursor.replaceAll('-', '+').replaceAll('_', '/'));
}
