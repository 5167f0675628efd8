import type { Pool } from 'pg';
import { type Client, inTransaction } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow, ReportSection } from '../engine/report.ts';
import { changeLogName } from '../move/direction.ts';
import type { TableMove } from '../move/table-move.ts';
import { makeSection, VERDICT, verdictOf } from './section.ts';

const HEAD = {
  key: 'record_counts',
  title: 'Record counts',
  guide: 'Data Integrity',
  columns: [
    { key: 'table', title: 'Table', kind: 'code' },
    { key: 'partition', title: 'Partition', kind: 'code' },
    { key: 'rows', title: 'Rows', kind: 'count', scale: 'rows' },
    { key: 'retired_rows', title: 'In the retired table', kind: 'count', scale: 'rows' },
    { key: 'waiting', title: 'Just written', kind: 'count' },
    { key: 'bytes', title: 'Size with indexes', kind: 'bytes' },
    VERDICT,
  ],
} as const;

/**
 * Rows of each table and of each of its partitions, beside those of the retired table, each pair in one snapshot. The two
 * may differ by the keys that wait in the change log of that snapshot, or stand in quarantine, and by no more.
 */
export function recordCounts(
  pool: Pool,
  tables: readonly QualifiedName[],
  moves: readonly TableMove[],
): Promise<ReportSection> {
  return makeSection(HEAD, async () => {
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    for (const table of tables) {
      const move = moves.find((m) => quoteName(m.source) === quoteName(table));
      const counted = await inTransaction(
        pool,
        async (client) => {
          // A policy that would hide rows raises instead.
          await client.query('SET LOCAL row_security = off');
          return { ...(await countTable(client, table)), ...(move ? await countRetired(client, move) : NOT_MOVED) };
        },
        'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
      );
      const own: Finding[] = [];
      const { retired, waiting } = counted;
      if (retired !== null && Math.abs(counted.rows - retired) > (waiting ?? 0)) {
        own.push({
          severity: 'blocks',
          subject: displayName(table),
          message: `has ${counted.rows} rows, and the retired table ${retired}; only ${waiting ?? 0} were just written`,
          hint: 'The comparison of rows names the keys. Keep the retired tables until it is explained.',
        });
      }
      findings.push(...own);
      rows.push({
        table: displayName(table),
        partition: null,
        rows: counted.rows,
        retired_rows: retired,
        waiting,
        bytes: counted.bytes,
        verdict: verdictOf(own),
      });
      for (const part of counted.partitions)
        rows.push({ ...part, table: displayName(table), retired_rows: null, waiting: null, verdict: 'ok' });
    }
    return { rows, findings };
  });
}

const NOT_MOVED: { retired: number | null; waiting: number | null } = { retired: null, waiting: null };

async function countTable(client: Client, table: QualifiedName) {
  const { rows } = await client.query<{ partition: string; bytes: number; rows: number; is_leaf: boolean }>(
    `SELECT c.relname AS partition, pg_catalog.pg_total_relation_size(c.oid)::float8 AS bytes, coalesce(n.rows, 0) AS rows,
            c.relispartition AS is_leaf
       FROM (SELECT relid AS oid FROM pg_catalog.pg_partition_tree($1::regclass) WHERE isleaf
              UNION SELECT $1::regclass::oid) p
       JOIN pg_catalog.pg_class c ON c.oid = p.oid AND c.relkind <> 'p'
       LEFT JOIN (SELECT tableoid, count(*)::float8 AS rows FROM ${quoteName(table)} GROUP BY tableoid) n ON n.tableoid = c.oid
      ORDER BY c.oid`,
    [quoteName(table)],
  );
  const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0);
  return {
    rows: sum((row) => row.rows),
    bytes: sum((row) => row.bytes),
    partitions: rows
      .filter((row) => row.is_leaf)
      .map(({ partition, bytes, rows: count }) => ({ partition, bytes, rows: count })),
  };
}

async function countRetired(client: Client, move: TableMove) {
  const keys = move.key.map((_, i) => quoteIdent(`k${i + 1}`)).join(', ');
  const { rows } = await client.query<{ retired: number; waiting: number }>(
    `SELECT (SELECT count(*)::float8 FROM ${quoteName(move.retired)}) AS retired,
            (SELECT count(*)::float8 FROM (SELECT DISTINCT ${keys} FROM ${quoteName(changeLogName(move))}) l)
            + (SELECT count(*)::float8 FROM tandem.quarantine WHERE table_name = $1) AS waiting`,
    [move.name],
  );
  return { retired: rows[0]?.retired ?? null, waiting: rows[0]?.waiting ?? null };
}
