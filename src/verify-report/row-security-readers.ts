import type { Pool } from 'pg';
import type { Queryable } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow } from '../engine/report.ts';
import { type Actor, asActor } from './row-security-actors.ts';
import type { RowSecurityInput } from './row-security-input.ts';
import type { SectionBody } from './section.ts';

export type Expectation = 'own' | 'nothing' | 'everything';

/** What an actor sees of each table, beside what they should. */
export async function tryReader(
  pool: Pool,
  input: RowSecurityInput,
  actor: Actor,
  sees: Expectation,
): Promise<SectionBody> {
  const closed = sees === 'everything' ? [] : input.closed.map((table) => ({ table, own: null, isView: false }));
  const relations = [
    // What a view of one's own rows shows to a role that sees everything is nothing that could be expected.
    ...input.guarded
      .filter((g) => !g.isView || sees !== 'everything')
      .map((g) => ({ ...g, isView: g.isView === true })),
    ...closed,
  ];
  return asActor(pool, actor, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', async (client, become) => {
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    for (const { table, own, isView } of relations) {
      const wanted: Expectation = own === null ? 'nothing' : sees;
      const sql = countSql(table, wanted === 'own' ? own : null, 'aside');
      const there =
        wanted === 'nothing' || isView
          ? null
          : await countOf(client, countSql(table, wanted === 'own' ? own : null, 'only'), input.user);
      await client.query('SAVEPOINT trial');
      let found: Counts | 'refused';
      try {
        await become();
        found = await countOf(client, sql, input.user);
      } catch (error) {
        if (sqlStateOf(error) !== SqlState.insufficientPrivilege) throw error;
        found = 'refused';
      }
      await client.query('ROLLBACK TO SAVEPOINT trial');
      const problem = problemOf(wanted, there, found);
      if (problem !== null) {
        findings.push({
          severity: 'blocks',
          subject: displayName(table),
          message: `${actor.title}: ${problem}`,
          hint: 'Look at its policies and grants, `\\d+` and `\\dp` in psql; `tandem plan --sql` shows what they should be.',
        });
      }
      rows.push({
        actor: actor.title,
        table: displayName(table),
        expected: expectationWords(wanted, there),
        found: found === 'refused' ? 'was refused' : `saw ${found.visible} rows`,
        verdict: problem === null ? 'ok' : 'blocks',
      });
    }
    return { rows, findings };
  });
}

interface Counts {
  readonly visible: number;
  readonly own: number;
}

/**
 * Rows that are seen, and how many of them are the user's own: counted `aside` from all that is seen, which is what a trial
 * is about, or `only` these, for which there is an index.
 */
function countSql(table: QualifiedName, own: string | null, count: 'aside' | 'only'): string {
  const condition = own ?? 'true';
  const [filter, where] = count === 'aside' ? [condition, 'true'] : ['true', condition];
  return `SELECT count(*)::float8 AS visible, count(*) FILTER (WHERE ${filter})::float8 AS own
            FROM ${quoteName(table)} t WHERE ${where} AND ($1::uuid IS NOT NULL OR $1::uuid IS NULL)`;
}

async function countOf(client: Queryable, sql: string, user: string | null): Promise<Counts> {
  const { rows } = await client.query<Counts>(sql, [user]);
  return rows[0] ?? { visible: 0, own: 0 };
}

function expectationWords(wanted: Expectation, there: Counts | null): string {
  if (wanted === 'nothing') return 'see nothing';
  if (there === null) return 'see own rows only';
  return `see ${wanted === 'own' ? there.own : there.visible} rows`;
}

/** What is wrong with what was found; `there`: what the session's own role counts, null where that is no measure. */
function problemOf(wanted: Expectation, there: Counts | null, found: Counts | 'refused'): string | null {
  if (wanted === 'nothing')
    return found === 'refused' || found.visible === 0 ? null : `sees ${found.visible} rows, and should see none`;
  if (found === 'refused') return 'is refused, and should see rows';
  if (wanted === 'everything')
    return there !== null && found.visible < there.visible ? `sees ${found.visible} of ${there.visible} rows` : null;
  if (found.visible > found.own) return `sees ${found.visible - found.own} rows of others`;
  return there !== null && found.own < there.own ? `sees ${found.own} of ${there.own} rows of their own` : null;
}

/** Each table's owner sees all of it, unless row security is forced upon owners too. */
export async function tryOwners(pool: Pool, input: RowSecurityInput): Promise<SectionBody> {
  const tables = input.guarded.filter((g) => !g.isView).map((g) => g.table);
  const { rows: owners } = await pool.query<{ name: string; owner: string; forced: boolean }>(
    `SELECT g.name, r.rolname AS owner, c.relforcerowsecurity AND NOT r.rolbypassrls AND NOT r.rolsuper AS forced
       FROM pg_catalog.unnest($1::text[]) AS g (name)
       JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(g.name) JOIN pg_catalog.pg_roles r ON r.oid = c.relowner`,
    [tables.map(quoteName)],
  );
  const rows: ReportRow[] = [];
  const findings: Finding[] = [];
  for (const { name, owner, forced } of owners) {
    const guarded = input.guarded.filter((g) => quoteName(g.table) === name);
    if (forced) {
      rows.push({
        actor: `its owner, ${owner}`,
        table: displayName(guarded[0]?.table ?? { schema: '', name }),
        expected: 'obey the policies, which are forced',
        found: 'was not tried',
        verdict: 'ok',
      });
      continue;
    }
    const actor: Actor = { title: `its owner, ${owner}`, role: owner, sub: null, claims: [] };
    const tried = await tryReader(pool, { ...input, guarded, closed: [] }, actor, 'everything');
    rows.push(...tried.rows);
    findings.push(...tried.findings);
  }
  return { rows, findings };
}
