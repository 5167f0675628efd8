import type { Pool } from 'pg';
import { type Client, inTransaction, type Queryable } from '../db/connect.ts';
import { asServerWrites, type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import { sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import { besideName, createViewSql, type DependentView, readDependentViews } from './dependent-views.ts';
import { orWithoutCasts } from './dependents.ts';
import { TablesChanged } from './references.ts';
import { renameIn } from './rename-in.ts';
import type { TableMove } from './table-move.ts';

/**
 * Makes every materialized view that reads the live tables once more, over the tables that are to take their names, and
 * fills it: as long as that takes, the live one serves. Views that it reads are made beside, too. What an earlier attempt
 * left is made anew. Takes no lock on a live table but that of a reader.
 *
 * @param side the tables that are about to become the live ones
 * @returns the materialized views that were filled
 * @throws TD017 for one that cannot be
 */
export async function standViewsBeside(
  pool: Pool,
  moves: readonly TableMove[],
  side: 'target' | 'retired',
): Promise<string[]> {
  const views = await inTransaction(pool, async (client) => {
    const standing = (await readDependentViews(client, sourcesOf(moves))).filter((view) => view.stands);
    await dropBeside(client, standing);
    for (const sql of besideSql(moves, side, standing)) await client.query(sql);
    return standing;
  });
  const filled = views.filter((view) => view.populated);
  for (const view of filled) await fill(pool, view);
  return filled.map((view) => view.name);
}

/** The statements that make the standing views over the other tables, which take the live names meanwhile: columns are written with them. */
export function besideSql(
  moves: readonly TableMove[],
  side: 'target' | 'retired',
  views: readonly DependentView[],
): string[] {
  if (views.length === 0) return [];
  const renamed = moves.map((move) => ({ from: move[side], to: { ...move[side], name: move.source.name } }));
  const rename = (from: QualifiedName, to: QualifiedName) =>
    from.name === to.name ? [] : [`ALTER TABLE ${quoteName(from)} RENAME TO ${quoteIdent(to.name)}`];
  const names = [
    ...moves.map((move, i) => ({ from: asServerWrites(move.source), to: quoteName(renamed[i]?.to ?? move[side]) })),
    ...views.flatMap((view) => [
      { from: escaped(view.name), to: besideName(view) },
      ...view.indexes.map(({ name, unqualified }) => ({ from: escaped(name), to: besideName({ unqualified }) })),
    ]),
  ];
  return [
    ...renamed.flatMap(({ from, to }) => rename(from, to)),
    ...views.flatMap((view) => createViewSql(view, besideName(view), (sql) => orWithoutCasts(renameIn(sql, names)))),
    ...renamed.flatMap(({ from, to }) => rename(to, from)),
  ];
}

/** @throws TablesChanged for a materialized view that somebody made since those were that stand beside */
export async function assertStandBeside(client: Queryable, views: readonly DependentView[]): Promise<void> {
  for (const view of views) {
    if (view.stands && (await kindOf(client, besideName(view))) === null)
      throw new TablesChanged(`${view.name} was made a moment ago.`, false);
  }
}

async function fill(pool: Pool, view: DependentView): Promise<void> {
  try {
    await pool.query(fillSql(view));
  } catch (error) {
    const state = sqlStateOf(error);
    // What the server or the connection does, and not the view.
    if (!(error instanceof Error) || state === null || /^(?:08|53|57|58)/.test(state)) throw error;
    throw new TandemError(
      'TD017',
      `Materialized view ${view.name} cannot be filled over the other tables: ${error.message}.`,
      {
        hint: 'The live one serves as before. Mend its query, or drop it, and run the same command again.',
        cause: error,
      },
    );
  }
}

export function fillSql(view: DependentView): string {
  return `REFRESH MATERIALIZED VIEW ${besideName(view)}`;
}

async function dropBeside(client: Client, views: readonly DependentView[]): Promise<void> {
  for (const view of [...views].reverse()) {
    const kind = await kindOf(client, besideName(view));
    if (kind !== null) await client.query(`DROP ${kind} ${besideName(view)} CASCADE`);
  }
}

async function kindOf(client: Queryable, name: string): Promise<string | null> {
  const { rows } = await client.query<{ kind: string | null }>(
    `SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' END AS kind
       FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)`,
    [name],
  );
  return rows[0]?.kind ?? null;
}

const sourcesOf = (moves: readonly TableMove[]) => moves.map((move) => move.source);
const escaped = (name: string) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
