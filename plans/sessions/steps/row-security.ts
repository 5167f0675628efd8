import { inTransaction } from '../../../src/db/connect.ts';
import { displayName, quoteName } from '../../../src/db/identifier.ts';
import type { Finding } from '../../../src/engine/events.ts';
import type { Step } from '../../../src/engine/step.ts';
import { guardHeld } from '../keeper/holds.ts';
import type { SessionsNames } from '../names.ts';
import { planStatements } from '../templates.ts';

const FILES = ['security-sessions', 'security-messages'];
const POLICY_COUNT = 4;

/**
 * Policies and privileges of the targets, and the guard of sessions that the keeper of an earlier migration holds: they
 * stand before anybody can reach the tables.
 */
export function rowSecurityStep(names: SessionsNames): Step {
  const statements = () => FILES.flatMap((file) => planStatements(file, names, 'beside'));
  return {
    name: 'row-security',
    guide: '8',
    title: 'Set up row security',
    phase: 'copying',
    beforeCutoverOnly: true,
    plan: async () => statements().map((sql) => ({ sql, lock: null, cost: 'catalog only, on the target' })),
    apply: async ({ pool }) => {
      await inTransaction(pool, async (client) => {
        for (const sql of statements()) await client.query(sql);
        await guardHeld(client, names, 'tables');
      });
      return undefined;
    },
    verify: async ({ pool }) => {
      const findings: Finding[] = [];
      for (const table of [names.sessionsTarget, names.messagesTarget]) {
        const { rows } = await pool.query<{ on: boolean; policies: number }>(
          `SELECT c.relrowsecurity AS on, (SELECT count(*)::int FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) AS policies
             FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1)`,
          [quoteName(table)],
        );
        if (rows[0]?.on !== true || rows[0].policies < POLICY_COUNT) {
          findings.push({
            severity: 'blocks',
            subject: displayName(table),
            message: 'row security or one of its policies is missing',
          });
        }
      }
      return findings;
    },
    revert: 'nothing to revert',
  };
}
