import { z } from 'zod';
import type { Queryable } from '../../../src/db/connect.ts';
import { SqlState, sqlStateOf } from '../../../src/db/sqlstate.ts';
import { TandemError } from '../../../src/engine/errors.ts';

const days = z.number().positive().nullable();

/** Days that a session may lie idle in a status before it is moved on; null: it stays. */
export const archivePolicySchema = z.object({
  archiveAfterDays: days,
  deleteAfterDays: days,
  purgeAfterDays: days,
  /** For so long a run can be undone, and what was soft-deleted is not purged. */
  graceDays: z.number().nonnegative(),
  /** Where purged sessions are written to before they are deleted, on the machine that runs `tandem`; null: nowhere. */
  archiveDirectory: z.string().min(1).nullable(),
});
export type ArchivePolicy = z.infer<typeof archivePolicySchema>;

/** What the keeper does where nobody said otherwise: idle sessions are archived after 90 days, and nothing is deleted. */
export const defaultPolicy: ArchivePolicy = {
  archiveAfterDays: 90,
  deleteAfterDays: null,
  purgeAfterDays: null,
  graceDays: 7,
  archiveDirectory: null,
};

const INTERVALS = {
  archiveAfterDays: 'archive_after',
  deleteAfterDays: 'delete_after',
  purgeAfterDays: 'purge_after',
  graceDays: 'grace',
} as const;
const intervals = Object.entries(INTERVALS) as [keyof typeof INTERVALS, string][];

export async function readPolicy(client: Queryable): Promise<ArchivePolicy> {
  const columns = intervals.map(([key, column]) => `(extract(epoch FROM ${column}) / 86400)::float8 AS "${key}"`);
  const { rows } = await client.query(
    `SELECT ${columns.join(', ')}, archive_directory AS "archiveDirectory" FROM keeper.archive_policy`,
  );
  return archivePolicySchema.parse(rows[0]);
}

/**
 * @param affected how many sessions somebody said that the policy moves on, where it is stricter than the one in force
 * @throws TD013 where it is more than that
 */
export async function writePolicy(client: Queryable, policy: ArchivePolicy, affected = 0): Promise<void> {
  const sets = intervals.map(([, column], i) => `${column} = $${i + 3}::float8 * interval '1 day'`);
  try {
    await client.query(
      `WITH known AS MATERIALIZED (SELECT pg_catalog.set_config('keeper.affected', $1, true) AS sessions)
       UPDATE keeper.archive_policy SET ${sets.join(', ')}, archive_directory = $2, changed_at = now(), changed_by = session_user
         FROM known WHERE known.sessions IS NOT NULL`,
      [String(affected), policy.archiveDirectory, ...intervals.map(([key]) => policy[key])],
    );
  } catch (error) {
    if (sqlStateOf(error) !== SqlState.objectNotInPrerequisiteState || !(error instanceof Error)) throw error;
    throw new TandemError('TD013', error.message, {
      hint: 'Run `tandem archive` on a terminal and type the number, or give it with --affected.',
      cause: error,
    });
  }
}

/** True where the new policy moves sessions on sooner than the old one, in any of its steps. */
export function isStricter(next: ArchivePolicy, old: ArchivePolicy): boolean {
  const idle = (value: number | null) => value ?? Number.POSITIVE_INFINITY;
  return intervals.some(([key]) => idle(next[key]) < idle(old[key]));
}
