import type { Pool } from 'pg';
import { z } from 'zod';
import { type Client, inTransaction } from '../db/connect.ts';
import { isConnectionLoss, SqlState, sqlStateOf } from '../db/sqlstate.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow, ReportSection } from '../engine/report.ts';
import { type QueryPlan, readPlan } from './query-plan.ts';
import { makeSection, VERDICT, verdictOf } from './section.ts';

export interface Statement {
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** What an application asks often, and how it should be answered. */
export interface CommonQuery {
  readonly title: string;
  readonly now: Statement;
  /** The same asked of the retired tables; null where they have no answer. */
  readonly flat: Statement | null;
  /** The index that is there for it, first, and others that serve it as well; empty: not judged. */
  readonly indexes: readonly string[];
  /** Partitions that it may read; null: not judged. */
  readonly partitions: readonly string[] | null;
}

const HEAD = {
  key: 'common_queries',
  title: 'Common queries',
  guide: 'Performance',
  columns: [
    { key: 'query', title: 'Query', kind: 'text' },
    { key: 'plan', title: 'Plan', kind: 'text' },
    { key: 'pruned', title: 'Partition pruned', kind: 'text' },
    { key: 'index', title: 'Index used', kind: 'text' },
    { key: 'milliseconds', title: 'Now', kind: 'milliseconds', scale: 'time' },
    { key: 'retired_milliseconds', title: 'Retired flat table', kind: 'milliseconds', scale: 'time' },
    VERDICT,
  ],
} as const;

const RUNS = 5;
/** Slower by this factor, and by more than a person or a pool would not notice. */
const SLOWER = { factor: 10, milliseconds: 50 };

/**
 * Plans and times each query as the server does: `EXPLAIN (ANALYZE, TIMING OFF)`, a first run that warms the cache and the
 * median of five more, in a transaction that only reads, each run bounded by a statement_timeout.
 */
export function commonQueries(
  pool: Pool,
  queries: () => Promise<CommonQuery[]>,
  timeoutMs = 5_000,
): Promise<ReportSection> {
  return makeSection(HEAD, async () => {
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    const details: { title: string; text: string }[] = [];
    for (const query of await queries()) {
      const now = await measure(pool, query.now, query.indexes, timeoutMs);
      const then = query.flat ? await measure(pool, query.flat, [], timeoutMs) : null;
      const own = judge(query, now, then, timeoutMs);
      findings.push(...own);
      rows.push({
        query: query.title,
        plan: now.plan?.summary ?? null,
        pruned: query.partitions === null ? null : outside(query, now.plan).length === 0 ? 'yes' : 'no',
        index: indexWord(query, now),
        milliseconds: now.milliseconds,
        retired_milliseconds: then?.milliseconds ?? null,
        verdict: verdictOf(own),
      });
      details.push({
        title: query.title,
        text: [query.now.sql, now.text, ...(query.flat ? ['', query.flat.sql, then?.text ?? ''] : [])].join('\n'),
      });
    }
    return { rows, findings, details };
  });
}

interface Measured {
  readonly plan: QueryPlan | null;
  readonly text: string;
  /** Median of the runs; null where they did not end in time, or it could not be asked. */
  readonly milliseconds: number | null;
  /** An index that is asked for answers it once reading the table through is made dear: the table is only too small for it. */
  readonly couldUse: readonly string[];
  /** One of the application's own on the same table, which the server prefers to it; null where there is none. */
  readonly instead: string | null;
  /** Of the index that is there for it; null where none is asked for. */
  readonly present: boolean | null;
  readonly error: Error | null;
}

async function measure(
  pool: Pool,
  statement: Statement,
  indexes: readonly string[],
  timeoutMs: number,
): Promise<Measured> {
  const text: string[] = [];
  let plan: QueryPlan | null = null;
  let couldUse: readonly string[] = [];
  let instead: string | null = null;
  let present: boolean | null = null;
  try {
    const milliseconds = await inTransaction(
      pool,
      async (client) => {
        await client.query(`SET LOCAL statement_timeout = ${timeoutMs}`);
        text.push(...(await explainText(client, statement)));
        plan = await explain(client, 'FORMAT JSON', statement);
        if (indexes[0] !== undefined) {
          present = await isValid(client, indexes[0]);
          await client.query('SAVEPOINT asked');
          await client.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off');
          couldUse = (await explain(client, 'FORMAT JSON', statement)).indexes;
          instead = await onTheSameTable(client, indexes[0], couldUse);
          await client.query('ROLLBACK TO SAVEPOINT asked');
        }
        const times: number[] = [];
        for (let run = 0; run <= RUNS; run++)
          times.push((await explain(client, 'ANALYZE, TIMING OFF, FORMAT JSON', statement)).milliseconds ?? 0);
        return median(times.slice(1));
      },
      'BEGIN READ ONLY',
    );
    return { plan, text: text.join('\n'), milliseconds, couldUse, instead, present, error: null };
  } catch (error) {
    if (!(error instanceof Error) || sqlStateOf(error) === null || isConnectionLoss(error)) throw error;
    return { plan, text: [...text, error.message].join('\n'), milliseconds: null, couldUse, instead, present, error };
  }
}

async function explain(client: Client, options: string, { sql, values }: Statement): Promise<QueryPlan> {
  const { rows } = await client.query(`EXPLAIN (${options}) ${sql}`, [...values]);
  return readPlan(z.tuple([z.object({ 'QUERY PLAN': z.unknown() })]).parse(rows)[0]['QUERY PLAN']);
}

async function explainText(client: Client, { sql, values }: Statement): Promise<string[]> {
  const { rows } = await client.query(`EXPLAIN ${sql}`, [...values]);
  return z
    .array(z.object({ 'QUERY PLAN': z.string() }))
    .parse(rows)
    .map((row) => row['QUERY PLAN']);
}

async function isValid(client: Client, index: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = $1 AND n.nspname <> 'tandem' AND i.indisvalid AND i.indisready`,
    [index],
  );
  return (rowCount ?? 0) > 0;
}

/** Of the indexes that a plan has, one that stands on the same table as `index`. */
async function onTheSameTable(client: Client, index: string, used: readonly string[]): Promise<string | null> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT u.relname AS name FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'tandem'
       JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
       JOIN pg_catalog.pg_index o ON o.indrelid = i.indrelid
       JOIN pg_catalog.pg_class u ON u.oid = o.indexrelid
      WHERE c.relname = $1 AND u.relname = ANY ($2) ORDER BY 1`,
    [index, used],
  );
  return rows[0]?.name ?? null;
}

function judge(query: CommonQuery, now: Measured, then: Measured | null, timeoutMs: number): Finding[] {
  const subject = query.title;
  const findings: Finding[] = [];
  if (now.error !== null) {
    const late = sqlStateOf(now.error) === SqlState.queryCanceled;
    findings.push({
      severity: late ? 'warning' : 'blocks',
      subject,
      message: late ? `does not answer within ${timeoutMs / 1000} s` : `fails: ${now.error.message}`,
    });
  }
  const read = outside(query, now.plan);
  if (read.length > 0)
    findings.push({ severity: 'blocks', subject, message: `reads ${read.join(', ')} as well: it is not pruned` });
  const [index] = query.indexes;
  if (index !== undefined && now.present === false)
    findings.push({ severity: 'blocks', subject, message: `the index ${index} does not exist, or is not valid` });
  else if (index !== undefined && now.plan !== null && now.instead === null && !namedIn(query, now.couldUse))
    findings.push({ severity: 'blocks', subject, message: `cannot be answered by the index ${index}` });
  if (now.milliseconds !== null && then?.milliseconds != null) {
    const slower = now.milliseconds > then.milliseconds * SLOWER.factor;
    if (slower && now.milliseconds - then.milliseconds > SLOWER.milliseconds) {
      findings.push({
        severity: 'warning',
        subject,
        message: `takes ${now.milliseconds.toFixed(1)} ms, and took ${then.milliseconds.toFixed(1)} ms on the flat table`,
      });
    }
  }
  return findings;
}

/** What it reads beyond the partitions that it may. */
function outside(query: CommonQuery, plan: QueryPlan | null): readonly string[] {
  const { partitions } = query;
  return partitions === null || plan === null ? [] : plan.relations.filter((name) => !partitions.includes(name));
}

function indexWord(query: CommonQuery, now: Measured): string | null {
  if (query.indexes.length === 0 || now.plan === null) return null;
  const used = namedIn(query, now.plan.indexes) ?? now.plan.indexes.find((name) => name === now.instead);
  if (used !== undefined) return used;
  return now.instead !== null || namedIn(query, now.couldUse) ? 'not needed yet: a small table' : 'no';
}

function namedIn(query: CommonQuery, indexes: readonly string[]): string | undefined {
  return query.indexes.find((name) => indexes.includes(name));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
