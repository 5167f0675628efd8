import type { Pool } from 'pg';
import type { Client, Queryable } from '../db/connect.ts';
import { quoteIdent } from '../db/identifier.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { errorAsFinding, type SectionBody } from './section.ts';

const TIMEOUT_MS = 30_000;

export type Claims = 'request.jwt.claims' | 'request.jwt.claim.sub';

/** Somebody who tries: a role, and the claims of a request in one of PostgREST's settings or in both. */
export interface Actor {
  readonly title: string;
  readonly role: string;
  readonly sub: string | null;
  readonly claims: readonly Claims[];
}

export const BOTH: readonly Claims[] = ['request.jwt.claims', 'request.jwt.claim.sub'];

/**
 * Runs `work` in a transaction that is rolled back, with `become` to take the actor's part after a savepoint. Where the
 * role is not there, or this one may not take it, that is a warning, and nothing is tried.
 */
export async function asActor(
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
