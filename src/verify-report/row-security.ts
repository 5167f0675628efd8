import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { Client, Queryable } from '../db/connect.ts';
import { displayName, type QualifiedName, quoteIdent, quoteName } from '../db/identifier.ts';
import { isConnectionLoss, SqlState, sqlStateOf } from '../db/sqlstate.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow, ReportSection } from '../engine/report.ts';
import { errorAsFinding, makeSection, type SectionBody, VERDICT, verdictOf } from './section.ts';

/** A relation that signed-in users reach, each with their own rows. */
export interface GuardedTable {
  readonly table: QualifiedName;
  /** Boolean SQL over the row `t`: it belongs to the user whose id is `$1`. */
  readonly own: string;
  /** A view asks the policies of what it reads; all others need their own. */
  readonly isView?: true;
}

/** An INSERT in somebody else's place, which the policies must refuse. */
export interface Intrusion {
  readonly title: string;
  readonly table: QualifiedName;
  readonly sql: string;
  /** The parameters, given the id of a user who is a stranger to it. */
  readonly values: (stranger: string) => readonly unknown[];
}

export interface RowSecurityInput {
  readonly guarded: readonly GuardedTable[];
  /** Partitions, registries, materialized views: no row of them may reach an API role. */
  readonly closed: readonly QualifiedName[];
  readonly intrusions: readonly Intrusion[];
  /** Id of a user who has rows in as many of the tables as can be; null where there is none. */
  readonly user: string | null;
}

const HEAD = {
  key: 'row_security',
  title: 'Row security',
  guide: 'Security',
  columns: [
    { key: 'actor', title: 'Who', kind: 'text' },
    { key: 'table', title: 'Table', kind: 'code' },
    { key: 'expected', title: 'Should', kind: 'text' },
    { key: 'found', title: 'Did', kind: 'text' },
    VERDICT,
  ],
} as const;

const TIMEOUT_MS = 30_000;

type Claims = 'request.jwt.claims' | 'request.jwt.claim.sub';

interface Actor {
  readonly title: string;
  readonly role: string;
  readonly sub: string | null;
  readonly claims: readonly Claims[];
}

const BOTH: readonly Claims[] = ['request.jwt.claims', 'request.jwt.claim.sub'];

/**
 * Tries the policies as those whom they are for: in a transaction that is rolled back, with row security on, with the
 * role of each, and with the claims of the request as PostgREST sets them today and as it did before. The session's own
 * role sees every row, and would prove nothing.
 */
export function rowSecurity(pool: Pool, read: () => Promise<RowSecurityInput>): Promise<ReportSection> {
  return makeSection(HEAD, async () => {
    const input = await read();
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    const add = (body: SectionBody) => {
      rows.push(...body.rows);
      findings.push(...body.findings);
    };
    add(await switches(pool, input));
    const stranger = randomUUID();
    const signedIn = (title: string, sub: string | null, claims: readonly Claims[]): Actor => ({
      title: `authenticated, ${title}`,
      role: 'authenticated',
      sub,
      claims,
    });
    const readers: { actor: Actor; sees: Expectation }[] = [
      ...(input.user === null
        ? []
        : BOTH.map((claim) => ({ actor: signedIn(`own rows (${claim})`, input.user, [claim]), sees: 'own' as const }))),
      { actor: signedIn('a stranger', stranger, BOTH), sees: 'nothing' },
      { actor: signedIn('no subject', null, []), sees: 'nothing' },
      { actor: { title: 'anon', role: 'anon', sub: input.user, claims: BOTH }, sees: 'nothing' },
      { actor: { title: 'service_role', role: 'service_role', sub: null, claims: [] }, sees: 'everything' },
    ];
    for (const { actor, sees } of readers) add(await tryReader(pool, input, actor, sees));
    add(await tryOwners(pool, input));
    if (input.user === null) {
      findings.push({
        severity: 'note',
        subject: 'row security',
        message: 'no user has a row yet: nobody could be tried with rows of their own',
      });
    } else {
      add(await tryIntruder(pool, input, signedIn('a stranger', stranger, BOTH), stranger));
    }
    return { rows, findings };
  });
}

type Expectation = 'own' | 'nothing' | 'everything';

/** A switch that is off is found by the trials too, but not on a partition that nobody was granted yet. */
async function switches(pool: Queryable, { guarded, closed }: RowSecurityInput): Promise<SectionBody> {
  const tables = [...guarded.filter((g) => !g.isView).map((g) => g.table), ...closed];
  const { rows } = await pool.query<{ name: string; policies: number; guarded: boolean }>(
    `SELECT g.name, (SELECT count(*)::int FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) AS policies, g.at <= $2 AS guarded
       FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY AS g (name, at)
       JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(g.name)
      WHERE c.relkind IN ('r', 'p')
        AND (NOT c.relrowsecurity OR g.at <= $2 AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid))`,
    [tables.map(quoteName), tables.length - closed.length],
  );
  return {
    rows: [],
    findings: rows.map(({ name, guarded: hasPolicies, policies }) => ({
      severity: 'blocks',
      subject: displayName(tables.find((table) => quoteName(table) === name) ?? { schema: '', name }),
      message: hasPolicies && policies === 0 ? 'has no policy' : 'row security is off',
      hint: `ALTER TABLE ${name} ENABLE ROW LEVEL SECURITY;`,
    })),
  };
}

async function tryReader(pool: Pool, input: RowSecurityInput, actor: Actor, sees: Expectation): Promise<SectionBody> {
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
async function tryOwners(pool: Pool, input: RowSecurityInput): Promise<SectionBody> {
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

/** Writes that must not be: each is refused, or, where it is not, rolled back and a finding. */
async function tryIntruder(pool: Pool, input: RowSecurityInput, actor: Actor, stranger: string): Promise<SectionBody> {
  return asActor(pool, actor, 'BEGIN', async (client, become) => {
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    for (const { title, table, sql, values } of input.intrusions) {
      await client.query('SAVEPOINT trial');
      let finding: Finding | null = null;
      let found = 'was refused';
      try {
        await become();
        const { rowCount } = await client.query(sql, [...values(stranger)]);
        found = rowCount ? 'succeeded, and was rolled back' : 'changed nothing';
        if (rowCount) finding = intruded(actor, table, title);
      } catch (error) {
        const state = sqlStateOf(error);
        if (!(error instanceof Error) || state === null || isConnectionLoss(error)) throw error;
        if (state !== SqlState.insufficientPrivilege) {
          found = error.message;
          // Constraints are asked after the policies: what they refuse, the policies have let pass.
          finding = state.startsWith('23') ? intruded(actor, table, title) : errorAsFinding(error, displayName(table));
        }
      }
      await client.query('ROLLBACK TO SAVEPOINT trial');
      if (finding) findings.push(finding);
      rows.push({
        actor: actor.title,
        table: displayName(table),
        expected: `not ${title}`,
        found,
        verdict: verdictOf(finding ? [finding] : []),
      });
    }
    return { rows, findings };
  });
}

function intruded(actor: Actor, table: QualifiedName, title: string): Finding {
  return {
    severity: 'blocks',
    subject: displayName(table),
    message: `${actor.title}: can ${title}`,
    hint: 'Its policies lack a WITH CHECK, or are not there; `tandem plan --sql` shows what they should be.',
  };
}

/**
 * Runs `work` in a transaction that is rolled back, with `become` to take the actor's part after a savepoint. Where the
 * role is not there, or this one may not take it, that is a warning, and nothing is tried.
 */
async function asActor(
  pool: Pool,
  actor: Actor,
  begin: string,
  work: (client: Client, become: () => Promise<void>) => Promise<SectionBody>,
): Promise<SectionBody> {
  const take = async (client: Queryable) => {
    for (const claim of actor.claims) {
      const value = claim === 'request.jwt.claims' ? JSON.stringify({ sub: actor.sub, role: actor.role }) : actor.sub;
      await client.query('SELECT pg_catalog.set_config($1, $2, true)', [claim, value]);
    }
    await client.query(`SET LOCAL row_security = on; SET LOCAL ROLE ${quoteIdent(actor.role)}`);
  };
  const unsaid = (message: string, hint: string): SectionBody => ({
    rows: [{ actor: actor.title, table: null, expected: null, found: message, verdict: 'warning' }],
    findings: [{ severity: 'warning', subject: `role ${actor.role}`, message, hint }],
  });
  let body: SectionBody = { rows: [], findings: [] };
  const client = await pool.connect();
  try {
    await client.query(begin);
    await client.query(
      `SET LOCAL row_security = off; SET LOCAL statement_timeout = ${TIMEOUT_MS}; SET LOCAL lock_timeout = '1s'`,
    );
    await client.query('SAVEPOINT trial');
    try {
      await take(client);
    } catch (error) {
      const state = sqlStateOf(error);
      if (state === SqlState.insufficientPrivilege)
        return unsaid(
          'was not tried: the connecting role may not SET ROLE to it',
          `GRANT ${quoteIdent(actor.role)} TO the role that Tandem connects as, or connect as one that may.`,
        );
      // 22023: SET ROLE says "invalid parameter value" of a role that does not exist.
      if (state === '22023' || state === '42704')
        return unsaid('was not tried: there is no such role', 'The policies of the guide name it.');
      throw error;
    }
    await client.query('ROLLBACK TO SAVEPOINT trial');
    body = await work(client, () => take(client));
  } catch (error) {
    body = { rows: body.rows, findings: [errorAsFinding(error, `row security as ${actor.title}`)] };
  } finally {
    // The connection may be what failed: then the transaction is gone anyway.
    await client.query('ROLLBACK').catch(() => undefined);
    client.release();
  }
  return body;
}
