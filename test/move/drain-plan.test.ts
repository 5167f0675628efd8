import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { backward, type Direction, forward } from '../../src/move/direction.ts';
import { drainKeysSql, drainSql, PLAN_BY_KEY } from '../../src/move/drain-sql.ts';
import { useDatabase } from '../support/database.ts';
import { Moving, newColumn, sameColumn, writeMove } from './moving.ts';

const database = useDatabase();
const ROWS = 12_000;
const BATCH = 600;

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string | undefined;
  'CTE Name'?: string | undefined;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number | undefined;
  'Rows Removed by Join Filter'?: number | undefined;
  'Rows Removed by Index Recheck'?: number | undefined;
  Plans?: PlanNode[] | undefined;
}
const planNode: z.ZodType<PlanNode> = z.lazy(() =>
  z.object({
    'Node Type': z.string(),
    'Relation Name': z.string().optional(),
    'CTE Name': z.string().optional(),
    'Actual Rows': z.number(),
    'Actual Loops': z.number(),
    'Rows Removed by Filter': z.number().optional(),
    'Rows Removed by Join Filter': z.number().optional(),
    'Rows Removed by Index Recheck': z.number().optional(),
    Plans: z.array(planNode).optional(),
  }),
);

/** Every node of a plan with what it read in all: rows that it gave and rows that it threw away, in all of its rounds. */
function readBy(node: PlanNode): { node: string; on: string; rows: number }[] {
  const each =
    node['Actual Rows'] +
    (node['Rows Removed by Filter'] ?? 0) +
    (node['Rows Removed by Join Filter'] ?? 0) +
    (node['Rows Removed by Index Recheck'] ?? 0);
  return [
    {
      node: node['Node Type'],
      on: node['Relation Name'] ?? node['CTE Name'] ?? '',
      rows: Math.round(each * node['Actual Loops']),
    },
    ...(node.Plans ?? []).flatMap(readBy),
  ];
}

/** Runs the statement as a drain would, and takes it back. */
async function explain(sql: string, parameters: unknown[]): Promise<{ node: string; on: string; rows: number }[]> {
  const client = await database.pool.connect();
  try {
    await client.query(`BEGIN; ${PLAN_BY_KEY}`);
    const { rows } = await client.query<{ 'QUERY PLAN': unknown }>(`EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`, parameters);
    const [plan] = z.array(z.object({ Plan: planNode })).parse(rows[0]?.['QUERY PLAN']);
    return plan ? readBy(plan.Plan) : [];
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

/** Parents in two partitions and children that look at them; ids of two columns; a column that is written once. */
async function families(statistics: 'fresh' | 'none'): Promise<Moving> {
  const { pool } = database;
  const none = statistics === 'none' ? 'WITH (autovacuum_enabled = off)' : '';
  await pool.query(`CREATE SCHEMA tandem;
    CREATE TABLE public.parents (id uuid PRIMARY KEY, kind text NOT NULL, language text) ${none};
    CREATE TABLE public.children (region text, nr integer, parent uuid, body text, PRIMARY KEY (region, nr)) ${none};
    CREATE TABLE public.notes (id integer PRIMARY KEY, parent uuid, body text) ${none};
    INSERT INTO public.parents SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, (ARRAY['a', 'b'])[1 + n % 2], 'en' FROM generate_series(1, ${ROWS}) AS n;
    INSERT INTO public.children SELECT 'r' || n % 3, n, ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'body' FROM generate_series(1, ${ROWS}) AS n;
    INSERT INTO public.notes SELECT n, ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'note' FROM generate_series(1, ${ROWS}) AS n;
    CREATE INDEX ON public.notes (parent)`);
  const parents = await writeMove(pool, {
    name: 'parents',
    source: { schema: 'public', name: 'parents' },
    targetKey: ['id', 'kind'],
    columns: [sameColumn('id', 'uuid'), sameColumn('kind', 'text'), sameColumn('language', 'text', { lossy: true })],
    other: {
      dependents: [
        {
          move: 'notes',
          source: { schema: 'public', name: 'notes' },
          sourceKey: 'id',
          column: 'parent',
          when: ['language'],
        },
      ],
    },
  });
  const children = await writeMove(pool, {
    name: 'children',
    source: { schema: 'public', name: 'children' },
    columns: [
      ...['region', 'body'].map((c) => sameColumn(c, 'text')),
      sameColumn('nr', 'integer'),
      sameColumn('parent', 'uuid'),
      newColumn('place', 'integer', '0', { once: true }),
    ],
  });
  const notes = await writeMove(pool, {
    name: 'notes',
    source: { schema: 'public', name: 'notes' },
    columns: [
      sameColumn('id', 'integer'),
      sameColumn('parent', 'uuid'),
      sameColumn('body', 'text'),
      newColumn('language', 'text', 'p.language', { fits: 'p.language IS NOT NULL' }),
    ],
    other: { joins: 'LEFT JOIN public.parents p ON p.id = s.parent' },
  });
  const moving = new Moving(pool, [parents, children, notes], {
    parents: {
      create: [
        'CREATE TABLE tandem.parents_target (id uuid, kind text, language text) PARTITION BY LIST (kind)',
        `CREATE TABLE tandem.parents_a PARTITION OF tandem.parents_target FOR VALUES IN ('a') ${none}`,
        `CREATE TABLE tandem.parents_b PARTITION OF tandem.parents_target FOR VALUES IN ('b') ${none}`,
      ],
      build: ['ALTER TABLE tandem.parents_target ADD PRIMARY KEY (id, kind)'],
    },
    children: {
      create: [
        `CREATE TABLE tandem.children_target (region text, nr integer, parent uuid, body text, place integer) ${none}`,
      ],
      build: ['ALTER TABLE tandem.children_target ADD PRIMARY KEY (region, nr)'],
    },
    notes: {
      create: [`CREATE TABLE tandem.notes_target (id integer, parent uuid, body text, language text) ${none}`],
      build: ['ALTER TABLE tandem.notes_target ADD PRIMARY KEY (id)'],
    },
  });
  await moving.prepare();
  if (statistics === 'fresh') await pool.query('ANALYZE');
  // Of what is in quarantine the server knows nothing yet: those rows may be many, too.
  await pool.query(
    `ALTER TABLE tandem.quarantine SET (autovacuum_enabled = off);
     INSERT INTO tandem.quarantine (table_name, key, reason)
     SELECT t, jsonb_build_array('none', n::text), 'put there' FROM unnest(ARRAY['parents', 'children', 'notes']) AS t, generate_series(1, 5000) AS n`,
  );
  // The log's own statistics are of a moment at which it was empty, as they are after every drain.
  for (const move of moving.moves) await pool.query(`VACUUM (ANALYZE, TRUNCATE off) tandem.changes_${move.name}`);
  return moving;
}

async function write(): Promise<void> {
  await database.pool.query(`
    UPDATE public.parents SET language = 'de', kind = CASE kind WHEN 'a' THEN 'b' ELSE 'a' END WHERE id < '00000000-0000-4000-8000-000000000064';
    UPDATE public.parents SET language = language WHERE id > '00000000-0000-4000-8000-000000002a00' AND id < '00000000-0000-4000-8000-000000002e00';
    UPDATE public.children SET body = 'new' WHERE nr <= 500; DELETE FROM public.children WHERE nr BETWEEN 600 AND 800;
    UPDATE public.notes SET body = 'new' WHERE id <= 500; DELETE FROM public.notes WHERE id BETWEEN 600 AND 800`);
}

async function expectProbes(direction: Direction): Promise<void> {
  const { rows: keys } = await database.pool.query<Record<string, string>>(
    `SELECT ${direction.key.map((k) => `${k.log}::text AS ${k.log}`).join(', ')} FROM tandem.changes_${direction.name} ORDER BY seq LIMIT ${BATCH}`,
  );
  expect(keys).toHaveLength(BATCH);
  const arrays = direction.key.map((k) => keys.map((key) => key[k.log]));
  for (const read of [
    await explain(drainSql(direction), [direction.name, BATCH]),
    await explain(drainKeysSql(direction), [direction.name, ...arrays]),
  ]) {
    const tables = /^(parents|children|notes)/;
    expect(read.filter((r) => tables.test(r.on)).length).toBeGreaterThan(2);
    expect(read.filter((r) => tables.test(r.on) && /Seq Scan/.test(r.node))).toEqual([]);
    expect(read.filter((r) => /Hash Join|Merge Join/.test(r.node))).toEqual([]);
    // Nothing is read more than a few times a key, be it a table or the batch itself.
    expect(read.filter((r) => r.rows > 3 * BATCH)).toEqual([]);
  }
}

describe.each(['fresh', 'none'] as const)('with %s statistics', (statistics) => {
  test('a drain probes an index once a key, and reads nothing else, neither way', async () => {
    const moving = await families(statistics);
    await write();
    for (const move of moving.moves) await expectProbes(forward(move, moving.moves));
    await moving.drain();
    await database.pool.query("DELETE FROM tandem.quarantine WHERE reason = 'put there'");
    expect(await moving.compare()).toMatchObject(Array(3).fill({ differences: [], leftOut: 0 }));
    await moving.swap();
    await write();
    for (const move of moving.moves.slice(1)) {
      await database.pool.query(
        `UPDATE public.${move.name} SET body = 'newer' WHERE body = 'new'; UPDATE public.${move.name} SET body = 'newest' WHERE body = 'newer'`,
      );
      await expectProbes(backward(move));
    }
    await moving.drain();
    expect(await moving.compare()).toMatchObject(Array(3).fill({ differences: [], leftOut: 0 }));
  });
});
