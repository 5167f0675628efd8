import { z } from 'zod';
import type { Queryable } from '../../../src/db/connect.ts';

/** Days that a session may lie idle in a status before it is moved on; null: it stays. */
export const archivePolicySchema = z.object({
  archiveAfterDays: z.number().positive().nullable(),
  deleteAfterDays: z.number().positive().nullable(),
  purgeAfterDays: z.number().positive().nullable(),
});
export type ArchivePolicy = z.infer<typeof archivePolicySchema>;

/** What the keeper does where nobody said otherwise: idle sessions are archived after 90 days, and nothing is deleted. */
export const defaultPolicy: ArchivePolicy = { archiveAfterDays: 90, deleteAfterDays: null, purgeAfterDays: null };

const COLUMNS: Record<keyof ArchivePolicy, string> = {
  archiveAfterDays: 'archive_after',
  deleteAfterDays: 'delete_after',
  purgeAfterDays: 'purge_after',
};
const keys = Object.keys(defaultPolicy) as (keyof ArchivePolicy)[];

export async function readPolicy(client: Queryable): Promise<ArchivePolicy> {
  const days = keys.map((key) => `(extract(epoch FROM ${COLUMNS[key]}) / 86400)::float8 AS "${key}"`);
  const { rows } = await client.query(`SELECT ${days.join(', ')} FROM keeper.archive_policy`);
  return archivePolicySchema.parse(rows[0]);
}

export async function writePolicy(client: Queryable, policy: ArchivePolicy): Promise<void> {
  const sets = keys.map((key, i) => `${COLUMNS[key]} = $${i + 1}::float8 * interval '1 day'`);
  await client.query(
    `UPDATE keeper.archive_policy SET ${sets.join(', ')}, changed_at = now(), changed_by = session_user`,
    keys.map((key) => policy[key]),
  );
}

/** True where the new policy moves sessions on sooner than the old one, in any of its steps. */
export function isStricter(next: ArchivePolicy, old: ArchivePolicy): boolean {
  const idle = (days: number | null) => days ?? Number.POSITIVE_INFINITY;
  return keys.some((key) => idle(next[key]) < idle(old[key]));
}
