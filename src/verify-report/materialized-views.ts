import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow, ReportSection } from '../engine/report.ts';
import { errorAsFinding, makeSection, VERDICT, verdictOf } from './section.ts';

/** A time of a refresh that somebody else has measured, and who. */
export interface KnownRefresh {
  readonly milliseconds: number;
  readonly source: string;
}

export interface ViewToReport {
  readonly view: QualifiedName;
  readonly known: KnownRefresh | null;
  /**
   * Where the view reads what is kept ahead of the tables: that relation, one that counts it from them, and the statement
   * that brings it up to date before a refresh.
   */
  readonly ahead?: { readonly kept: string; readonly counted: string; readonly update: string };
}

const HEAD = {
  key: 'materialized_views',
  title: 'Materialized view refresh',
  guide: 'Performance',
  columns: [
    { key: 'view', title: 'View', kind: 'code' },
    { key: 'rows', title: 'Rows', kind: 'count' },
    { key: 'behind', title: 'Rows behind the tables', kind: 'count' },
    { key: 'bytes', title: 'Size', kind: 'bytes' },
    { key: 'refresh_milliseconds', title: 'Refresh', kind: 'milliseconds' },
    { key: 'measured', title: 'Measured', kind: 'text' },
    VERDICT,
  ],
} as const;

const TIMEOUT = '30s';

/**
 * Size of each view, by how many rows it is behind its own definition, and how long a `REFRESH … CONCURRENTLY` takes: run
 * now where `refresh` is set, else the mean in pg_stat_statements, else what `known` says.
 */
export function materializedViews(
  pool: Pool,
  views: readonly ViewToReport[],
  options: { refresh: boolean },
): Promise<ReportSection> {
  return makeSection(HEAD, async () => {
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    for (const { view, known, ahead } of views) {
      const own: Finding[] = [];
      const state = await stateOf(pool, view, own);
      const time =
        state &&
        (options.refresh ? await refresh(pool, view, ahead, own) : ((await fromStatistics(pool, view)) ?? known));
      const seen = state && (await lookAt(pool, view, ahead, own));
      findings.push(...own);
      rows.push({
        view: displayName(view),
        rows: seen?.rows ?? null,
        behind: seen?.behind ?? null,
        bytes: state?.bytes ?? null,
        refresh_milliseconds: time?.milliseconds ?? null,
        measured: time?.source ?? 'not known; --refresh measures it',
        verdict: verdictOf(own),
      });
    }
    return { rows, findings };
  });
}

async function stateOf(pool: Pool, view: QualifiedName, findings: Finding[]): Promise<{ bytes: number } | null> {
  const { rows } = await pool.query<{ populated: boolean; unique: boolean; bytes: number }>(
    `SELECT c.relispopulated AS populated, pg_catalog.pg_total_relation_size(c.oid)::float8 AS bytes,
            EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
                      AND i.indpred IS NULL AND i.indexprs IS NULL) AS unique
       FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind = 'm'`,
    [quoteName(view)],
  );
  const [found] = rows;
  const subject = displayName(view);
  if (!found) findings.push({ severity: 'blocks', subject, message: 'there is no such materialized view' });
  if (found && !found.populated) findings.push({ severity: 'blocks', subject, message: 'was never filled' });
  if (found && !found.unique) {
    findings.push({
      severity: 'blocks',
      subject,
      message: 'has no unique index: it cannot be refreshed CONCURRENTLY, and readers would wait',
    });
  }
  return found?.populated && found.unique ? found : null;
}

async function refresh(
  pool: Pool,
  view: QualifiedName,
  ahead: ViewToReport['ahead'],
  findings: Finding[],
): Promise<KnownRefresh | null> {
  try {
    return await inTransaction(pool, async (client) => {
      // Readers go on; another refresh would be waited for.
      await client.query("SET LOCAL lock_timeout = '5s'");
      const startedAt = performance.now();
      if (ahead) await client.query(ahead.update);
      await client.query(`REFRESH MATERIALIZED VIEW CONCURRENTLY ${quoteName(view)}`);
      return { milliseconds: performance.now() - startedAt, source: 'just now' };
    });
  } catch (error) {
    findings.push(errorAsFinding(error, displayName(view)));
    return null;
  }
}

/** Its rows, and how many of them would be others, were it made from the tables now. */
async function lookAt(pool: Pool, view: QualifiedName, ahead: ViewToReport['ahead'], findings: Finding[]) {
  const name = quoteName(view);
  try {
    return await inTransaction(
      pool,
      async (client) => {
        await client.query(`SET LOCAL statement_timeout = '${TIMEOUT}'; SET LOCAL row_security = off`);
        const { rows: counted } = await client.query<{ rows: number; definition: string }>(
          `SELECT count(*)::float8 AS rows, pg_catalog.pg_get_viewdef($1::regclass) AS definition FROM ${name}`,
          [name],
        );
        const written = counted[0]?.definition.replace(/;\s*$/, '') ?? '';
        const definition = ahead ? written.replaceAll(`${ahead.kept} `, `${ahead.counted} `) : written;
        const { rows } = await client.query<{ behind: number }>(
          `WITH fresh AS MATERIALIZED (${definition})
           SELECT greatest((SELECT count(*) FROM (TABLE fresh EXCEPT ALL TABLE ${name}) a),
                           (SELECT count(*) FROM (TABLE ${name} EXCEPT ALL TABLE fresh) b))::float8 AS behind`,
        );
        return { rows: counted[0]?.rows ?? null, behind: rows[0]?.behind ?? null };
      },
      'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    );
  } catch (error) {
    const finding = errorAsFinding(error, displayName(view));
    findings.push({ ...finding, severity: 'warning' });
    return null;
  }
}

/** What pg_stat_statements knows of refreshes of the view; null where it is not installed, not loaded or not to be read. */
async function fromStatistics(client: Queryable, view: QualifiedName): Promise<KnownRefresh | null> {
  const { rows: extension } = await client.query<{ schema: string }>(
    `SELECT n.nspname AS schema FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
      WHERE e.extname = 'pg_stat_statements' AND pg_catalog.current_setting('pg_stat_statements.max', true) IS NOT NULL`,
  );
  if (!extension[0]) return null;
  const { rows } = await client.query<{ calls: number; mean: number | null }>(
    `SELECT sum(s.calls)::float8 AS calls, (sum(s.total_exec_time) / nullif(sum(s.calls), 0))::float8 AS mean
       FROM ${quoteIdent(extension[0].schema)}.pg_stat_statements s
      WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
        AND pg_catalog.replace(s.query, '"', '') ~* ('^\\s*refresh materialized view concurrently (\\S+\\.)?' || $1 || '\\M')`,
    [view.name.replaceAll(/[^\p{L}\p{N}_]/gu, '.')],
  );
  const [found] = rows;
  if (!found || found.mean === null) return null;
  return { milliseconds: found.mean, source: `mean of ${found.calls} in pg_stat_statements` };
}
