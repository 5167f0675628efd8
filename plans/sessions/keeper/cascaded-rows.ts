import type { Queryable } from '../../../src/db/connect.ts';
import { type QualifiedName, quoteName } from '../../../src/db/identifier.ts';
import type { SessionsNames } from '../names.ts';
import { type Cascade, type CascadeTable, purgedOids, readCascades } from './cascades.ts';
import { type ArchivedColumn, readColumns } from './purge-rows.ts';
import { keeperNames } from './transitions.ts';

/** Where a row is, and with which session it goes. */
interface Place {
  readonly rel: number;
  readonly tid: string;
  readonly session: string;
}

/** Rows of one table that go with sessions, by their places: nobody moves them while they are locked. */
export interface CascadedTable {
  readonly table: QualifiedName;
  readonly columns: readonly ArchivedColumn[];
  readonly places: readonly Place[];
}

export interface CascadedRows {
  readonly tables: readonly CascadedTable[];
  /** Sessions with a row that somebody else has locked: they are not to be purged now. */
  readonly busy: ReadonlySet<string>;
}

/**
 * Finds every row outside of the sessions' own messages and feedback that the deletion of the sessions would delete with
 * them, and, with `lock`, locks it. The sessions, their keys, messages and feedback are locked by the caller: nobody adds
 * a row to them, nor, from then on, to what is found here.
 *
 * A row that goes with several of the sessions stands with the last of them, by which the others are back.
 *
 * @throws 42501 where the role may not read such a table, or only some rows of it: what is not written must not be deleted
 */
export async function findCascadedRows(
  client: Queryable,
  names: SessionsNames,
  ids: readonly string[],
  { lock }: { lock: boolean },
): Promise<CascadedRows> {
  const cascades = await readCascades(client, names);
  if (cascades.length === 0) return { tables: [], busy: new Set() };
  await client.query("SELECT pg_catalog.set_config('row_security', 'off', true)");
  const { registry } = await purgedOids(client, names);
  const seeds = await seedPlaces(client, names, ids);
  const own = new Set(seeds.map(rowOf));
  const seen = new Set(seeds.map(({ rel, tid, session }) => `${rel} ${tid} ${session}`));
  const busy = new Set<string>();
  const found = new Map<string, { readonly table: CascadeTable; readonly places: Place[] }>();
  const steps = [...cascades.map((key) => ({ key, sql: stepSql(key) })), ...registryStep(cascades, names)];

  for (let places = seeds; places.length > 0; ) {
    const next: Place[] = [];
    for (const { key, sql } of steps) {
      const from = places.filter(({ rel }) => key.parent.members.includes(rel));
      if (from.length === 0) continue;
      const values = [from.map((p) => p.rel), from.map((p) => p.tid), from.map((p) => p.session)];
      const there = (await client.query<Place>(sql, values)).rows.filter(
        (p) => !seen.has(`${p.rel} ${p.tid} ${p.session}`),
      );
      if (there.length === 0) continue;
      const locked = lock ? (await client.query<Place>(`${sql} FOR UPDATE OF c SKIP LOCKED`, values)).rows : there;
      const taken = new Set(locked.map(rowOf));
      for (const place of there) {
        if (!taken.has(rowOf(place))) busy.add(place.session);
        seen.add(`${place.rel} ${place.tid} ${place.session}`);
        next.push(place);
        if (own.has(rowOf(place)) || place.rel === registry) continue;
        const entry = found.get(rowOf(place));
        if (entry) entry.places.push(place);
        else found.set(rowOf(place), { table: key.child, places: [place] });
      }
    }
    places = next;
  }
  return { tables: await byTable(client, [...found.values()], busy), busy };
}

const rowOf = ({ rel, tid }: Place) => `${rel} ${tid}`;

async function seedPlaces(client: Queryable, names: SessionsNames, ids: readonly string[]): Promise<Place[]> {
  const k = keeperNames(names);
  const place = (alias: string, session: string) =>
    `SELECT ${alias}.tableoid::int8::float8 AS rel, ${alias}.ctid::text AS tid, ${session}::text AS session`;
  const { rows } = await client.query<Place>(
    `${place('s', `s.${k.id}`)} FROM ${k.sessions} s WHERE s.${k.id} = ANY ($1::uuid[])
     UNION ALL ${place('r', 'r.id')} FROM ${quoteName(names.registry)} r WHERE r.id = ANY ($1::uuid[])
     UNION ALL ${place('m', `m.${k.messageSession}`)} FROM ${k.messages} m WHERE m.${k.messageSession} = ANY ($1::uuid[])
     UNION ALL ${place('f', `m.${k.messageSession}`)} FROM ${k.feedback} f JOIN ${k.messages} m ON m.${k.messageId} = f.message_id
       WHERE m.${k.messageSession} = ANY ($1::uuid[])`,
    [ids],
  );
  return rows;
}

function stepSql({ parent, child, pairs }: Cascade): string {
  const from = (t: CascadeTable) => `${t.partitioned ? '' : 'ONLY '}${quoteName(t)}`;
  const on = pairs.map((pair) => `p.${pair.parent} ${pair.operator} c.${pair.child}`).join(' AND ');
  return `SELECT c.tableoid::int8::float8 AS rel, c.ctid::text AS tid, f.session::text AS session
    FROM unnest($1::oid[], $2::tid[], $3::uuid[]) f (rel, tid, session)
    JOIN ${from(parent)} p ON p.tableoid = f.rel AND p.ctid = f.tid
    JOIN ${from(child)} c ON ${on}`;
}

/** A session that goes takes its key in the registry with it, by a trigger, and so whatever refers to that one. */
function registryStep(cascades: readonly Cascade[], names: SessionsNames) {
  const sessions = cascades.find(({ child }) => isTable(child, names.sessions))?.child;
  const registry = cascades.find(({ parent }) => isTable(parent, names.registry))?.parent;
  if (sessions === undefined || registry === undefined) return [];
  const id = keeperNames(names).id;
  const key: Cascade = {
    parent: sessions,
    child: registry,
    pairs: [{ parent: id, child: 'id', operator: 'OPERATOR(pg_catalog.=)' }],
  };
  return [{ key, sql: stepSql(key) }];
}

const isTable = (table: QualifiedName, { schema, name }: QualifiedName) =>
  table.schema === schema && table.name === name;

async function byTable(
  client: Queryable,
  found: readonly { readonly table: CascadeTable; readonly places: readonly Place[] }[],
  busy: ReadonlySet<string>,
): Promise<CascadedTable[]> {
  const tables = new Map<number, { readonly table: QualifiedName; readonly places: Place[] }>();
  for (const { table, places } of found) {
    const [last] = places
      .filter(({ session }) => !busy.has(session))
      .toSorted((a, b) => (a.session < b.session ? 1 : -1));
    if (last === undefined) continue;
    const { schema, name } = table;
    const entry = tables.get(table.oid) ?? { table: { schema, name }, places: [] };
    entry.places.push(last);
    tables.set(table.oid, entry);
  }
  const result: CascadedTable[] = [];
  for (const entry of tables.values())
    result.push({ ...entry, columns: await readColumns(client, quoteName(entry.table)) });
  return result;
}
