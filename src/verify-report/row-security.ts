import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { Queryable } from '../db/connect.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow, ReportSection } from '../engine/report.ts';
import { type Actor, BOTH, type Claims } from './row-security-actors.ts';
import type { RowSecurityInput } from './row-security-input.ts';
import { tryIntruder } from './row-security-intruders.ts';
import { type Expectation, tryOwners, tryReader } from './row-security-readers.ts';
import { makeSection, type SectionBody, VERDICT } from './section.ts';

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
