import { foreignKeysBetween, loadOrder } from '../../../src/backup/load-order.ts';
import type { Queryable } from '../../../src/db/connect.ts';
import { displayName, type QualifiedName, quoteName } from '../../../src/db/identifier.ts';
import { TandemError } from '../../../src/engine/errors.ts';
import type { SessionsNames } from '../names.ts';
import { type ArchivedColumn, archivedTables, readColumns } from './purge-rows.ts';
import type { Header, Rows } from './read-purge-file.ts';

export interface RestoredTable {
  /** As the lines of the file name it. */
  readonly key: string;
  readonly name: QualifiedName;
  readonly oid: number;
  /** The columns that it has now. */
  readonly now: readonly ArchivedColumn[];
  readonly isCascaded: boolean;
}

/**
 * The tables that a session of a file has rows of, each after those that it refers to: its own three, then those of the
 * application's. `deferred`: some keys can only be checked once all are there.
 *
 * @throws TD044 where a table is gone, or they refer to each other in a circle
 */
export async function restoreOrder(
  client: Queryable,
  names: SessionsNames,
  head: Header,
  rows: Rows,
): Promise<{ tables: RestoredTable[]; deferred: boolean }> {
  const feedback = { schema: names.sessions.schema, name: 'message_feedback' };
  const nameOf = { sessions: names.sessions, messages: names.messages, feedback };
  const own: RestoredTable[] = [];
  for (const key of archivedTables) if (rows.has(key)) own.push(await present(client, key, nameOf[key], false));
  const cascaded: RestoredTable[] = [];
  for (const [i, { schema, name }] of head.cascaded.entries())
    if (rows.has(String(i))) cascaded.push(await present(client, String(i), { schema, name }, true));
  const { tables, deferred } = loadOrder(cascaded, await foreignKeysBetween(client, cascaded));
  return { tables: [...own, ...inPlan(names, tables)], deferred };
}

/** Other sessions that went with this one come before their messages, which refer to the registry and not to them. */
function inPlan(names: SessionsNames, tables: readonly RestoredTable[]): RestoredTable[] {
  const isSessions = ({ name }: RestoredTable) =>
    name.schema === names.sessions.schema && name.name === names.sessions.name;
  return [...tables.filter(isSessions), ...tables.filter((table) => !isSessions(table))];
}

async function present(
  client: Queryable,
  key: string,
  name: QualifiedName,
  isCascaded: boolean,
): Promise<RestoredTable> {
  const { rows } = await client.query<{ oid: number | null }>(
    'SELECT pg_catalog.to_regclass($1)::oid::int8::float8 AS oid',
    [quoteName(name)],
  );
  const oid = rows[0]?.oid ?? null;
  if (oid === null)
    throw new TandemError('TD044', `There is no table ${displayName(name)} any more, of which it had rows.`, {
      hint: 'Make the table again, restore, and drop it again.',
    });
  return { key, name, oid, now: await readColumns(client, quoteName(name)), isCascaded };
}
