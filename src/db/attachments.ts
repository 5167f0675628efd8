import { z } from 'zod';
import type { Queryable } from './connect.ts';
import { type QualifiedName, quoteName } from './identifier.ts';
import { readSqlFile } from './sql-file.ts';

export const attachmentSchema = z.object({
  kind: z.string(),
  /** As people call it: `policy own_rows`, `grant SELECT to authenticated`, `default of column title`. */
  what: z.string(),
  /** The relation or function that it hangs on; null for a view or function itself. */
  on: z.string().nullable(),
  /** Where that is one of the tables asked for: its name, quoted. */
  table: z.string().nullable(),
  /** What it says, from the catalog. Two that say the same are equal. */
  definition: z.string(),
  /** The columns that it is about, where it is about some. */
  columns: z.array(z.string()).nullable(),
  /** Of a grant: the role, or PUBLIC. */
  grantee: z.string().nullable(),
  /** Of a sequence: the last value that it gave; null where it gave none, or may not be read. */
  position: z.string().nullable(),
  countsUp: z.boolean().nullable(),
});

/** One thing that hangs on a table: it would be missed if it were gone. */
export type Attachment = z.infer<typeof attachmentSchema>;

/**
 * Everything that hangs on the given tables: owner, privileges, row security, policies, triggers, comments, defaults,
 * sequences, constraints but foreign keys, indexes, statistics, storage, publications; and the views, functions and
 * policies of other tables that read them, with all of theirs. The session's search_path is empty.
 */
export async function readAttachments(client: Queryable, tables: readonly QualifiedName[]): Promise<Attachment[]> {
  const { rows } = await client.query(readSqlFile('src/db/sql/attachments.sql'), [tables.map(quoteName)]);
  return z.array(attachmentSchema).parse(rows);
}

/** `policy own_rows on public.sessions`. */
export function describeAttachment({ what, on }: Pick<Attachment, 'what' | 'on'>): string {
  return on === null ? what : `${what} on ${on}`;
}
