import type { Pool } from 'pg';
import { z } from 'zod';
import { type Client, inTransaction } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow, ReportSection } from '../engine/report.ts';
import { errorAsFinding, makeSection, VERDICT, verdictOf } from './section.ts';

/** A reference that the plan promises: it must stand as a foreign key, and nothing may break it. */
export interface Relation {
  readonly table: QualifiedName;
  readonly columns: readonly string[];
  readonly references: QualifiedName;
}

/** A promise that no foreign key can make. */
export interface Invariant {
  readonly title: string;
  readonly subject: QualifiedName;
  /** A query with one column `key`, of text: the rows that break it. */
  readonly offenders: string;
}

const HEAD = {
  key: 'referential_integrity',
  title: 'Referential integrity',
  guide: 'Data Integrity',
  columns: [
    { key: 'table', title: 'Table', kind: 'code' },
    { key: 'promise', title: 'Promise', kind: 'text' },
    { key: 'constraint', title: 'Held by', kind: 'code' },
    { key: 'validated', title: 'Validated', kind: 'text' },
    { key: 'orphans', title: 'Rows that break it', kind: 'count' },
    VERDICT,
  ],
} as const;

/**
 * Every foreign key from and to the tables, and what the plan promises beyond them. Each is read, row by row: a key that
 * was never validated, or whose triggers were switched off for a while, holds nothing.
 */
export function referentialIntegrity(
  pool: Pool,
  input: {
    tables: readonly QualifiedName[];
    relations: readonly Relation[];
    invariants: readonly Invariant[];
  },
): Promise<ReportSection> {
  return makeSection(HEAD, async () => {
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    const keys = await foreignKeys(pool, input.tables);
    for (const relation of input.relations) {
      if (keys.some((key) => holds(key, relation))) continue;
      const missing: Finding = {
        severity: 'blocks',
        subject: displayName(relation.table),
        message: `no foreign key holds ${relation.columns.join(', ')} to ${displayName(relation.references)}`,
        hint: 'Somebody has dropped it. `tandem plan --sql` shows how it was made.',
      };
      findings.push(missing);
      rows.push({
        table: displayName(relation.table),
        promise: `${relation.columns.join(', ')} → ${displayName(relation.references)}`,
        constraint: null,
        validated: null,
        orphans: null,
        verdict: 'blocks',
      });
    }
    for (const key of keys) {
      const own = findingsOf(key);
      const broken = await countOffenders(pool, orphansOf(key), key.table, `${key.name} is broken by`, own);
      findings.push(...own);
      rows.push({
        table: displayName(key.table),
        promise: `${key.columns.join(', ')} → ${displayName(key.references)} (${key.referencedColumns.join(', ')})`,
        constraint: key.name,
        validated: key.validated ? 'yes' : 'no',
        orphans: broken,
        verdict: verdictOf(own),
      });
    }
    for (const { title, subject, offenders } of input.invariants) {
      const own: Finding[] = [];
      const broken = await countOffenders(pool, offenders, subject, `“${title}” does not hold for`, own);
      findings.push(...own);
      rows.push({
        table: displayName(subject),
        promise: title,
        constraint: 'triggers',
        validated: null,
        orphans: broken,
        verdict: verdictOf(own),
      });
    }
    return { rows, findings };
  });
}

const name = z.object({ schema: z.string(), name: z.string() });
const keyRow = z.object({
  name: z.string(),
  table: name,
  references: name,
  columns: z.array(z.string()),
  referencedColumns: z.array(z.string()),
  equals: z.array(z.string()),
  validated: z.boolean(),
  enforced: z.boolean(),
});
type Key = z.infer<typeof keyRow>;

async function foreignKeys(pool: Pool, tables: readonly QualifiedName[]): Promise<Key[]> {
  const { rows } = await pool.query(
    `SELECT k.conname AS name, k.convalidated AS validated,
            pg_catalog.jsonb_build_object('schema', cn.nspname, 'name', c.relname) AS "table",
            pg_catalog.jsonb_build_object('schema', rn.nspname, 'name', r.relname) AS "references",
            ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS x (num, place)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.num ORDER BY x.place) AS columns,
            ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS x (num, place)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.num ORDER BY x.place) AS "referencedColumns",
            ARRAY(SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                    FROM pg_catalog.unnest(k.conpfeqop) WITH ORDINALITY AS x (op, place)
                    JOIN pg_catalog.pg_operator o ON o.oid = x.op JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
                   ORDER BY x.place) AS equals,
            coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::boolean, true)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled IN ('D', 'R')) AS enforced
       FROM pg_catalog.pg_constraint k
       JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
       JOIN pg_catalog.pg_class r ON r.oid = k.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
      WHERE k.contype = 'f' AND k.conparentid = 0 AND cn.nspname <> 'tandem'
        AND (k.conrelid = ANY ($1::regclass[]) OR k.confrelid = ANY ($1::regclass[]))
      ORDER BY c.relname, k.conname`,
    [tables.map(quoteName)],
  );
  return z.array(keyRow).parse(rows);
}

function holds(key: Key, { table, columns, references }: Relation): boolean {
  return (
    quoteName(key.table) === quoteName(table) &&
    quoteName(key.references) === quoteName(references) &&
    key.columns.length === columns.length &&
    columns.every((column) => key.columns.includes(column))
  );
}

function findingsOf(key: Key): Finding[] {
  const subject = displayName(key.table);
  const findings: Finding[] = [];
  if (!key.enforced) {
    findings.push({
      severity: 'blocks',
      subject,
      message: `${key.name} is switched off: new rows are not checked`,
      hint: `ALTER TABLE ${quoteName(key.table)} ENABLE TRIGGER ALL;`,
    });
  }
  if (!key.validated) {
    findings.push({
      severity: 'warning',
      subject,
      message: `${key.name} was never validated`,
      hint: `ALTER TABLE ${quoteName(key.table)} VALIDATE CONSTRAINT ${quoteIdent(key.name)};`,
    });
  }
  return findings;
}

function orphansOf(key: Key): string {
  const columns = key.columns.map((column) => `c.${quoteIdent(column)}`);
  const match = columns.map((c, i) => `r.${quoteIdent(key.referencedColumns[i] ?? '')} ${key.equals[i] ?? ''} ${c}`);
  return `SELECT pg_catalog.concat_ws(', ', ${columns.join(', ')}) AS key FROM ${quoteName(key.table)} c
           WHERE ${columns.map((c) => `${c} IS NOT NULL`).join(' AND ')}
             AND NOT EXISTS (SELECT FROM ${quoteName(key.references)} r WHERE ${match.join(' AND ')})`;
}

/** How many rows a query returns, with the first few as a finding; null where it could not be run. */
async function countOffenders(
  pool: Pool,
  sql: string,
  subject: QualifiedName,
  says: string,
  findings: Finding[],
): Promise<number | null> {
  const sample = async (client: Client) =>
    (await client.query<{ key: string }>(`SELECT o.key FROM (${sql}) o LIMIT 5`)).rows.map((row) => row.key);
  try {
    return await inTransaction(
      pool,
      async (client) => {
        await client.query('SET LOCAL row_security = off');
        const { rows } = await client.query<{ count: number }>(`SELECT count(*)::float8 AS count FROM (${sql}) o`);
        const count = rows[0]?.count ?? 0;
        if (count > 0) {
          const keys = await sample(client);
          findings.push({
            severity: 'blocks',
            subject: displayName(subject),
            message: `${says} ${count} ${count === 1 ? 'row' : 'rows'}: ${keys.join('; ')}${count > keys.length ? '; …' : ''}`,
          });
        }
        return count;
      },
      'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    );
  } catch (error) {
    findings.push(errorAsFinding(error, displayName(subject)));
    return null;
  }
}
