import { z } from 'zod';
import type { Queryable } from '../../../src/db/connect.ts';

const alertRow = z.object({
  id: z.coerce.number(),
  name: z.string(),
  /** What of: a status, a language; '' where there is only one. */
  label: z.string(),
  severity: z.enum(['warning', 'critical']),
  summary: z.string(),
  since: z.date(),
  /** Null: the condition holds, but not for long enough yet. */
  firing_at: z.date().nullable(),
  resolved_at: z.date().nullable(),
  notified_at: z.date().nullable(),
  last_error: z.string().nullable(),
});
export type AlertRow = z.infer<typeof alertRow>;

const COLUMNS = 'id, name, label, severity, summary, since, firing_at, resolved_at, notified_at, last_error';

/** What is wrong now, the critical first, then the oldest. */
export async function listFiring(client: Queryable): Promise<AlertRow[]> {
  const { rows } = await client.query(
    `SELECT ${COLUMNS} FROM keeper.alerts WHERE firing_at IS NOT NULL AND resolved_at IS NULL
      ORDER BY severity = 'critical' DESC, firing_at, id`,
  );
  return z.array(alertRow).parse(rows);
}

/** What fired lately, the newest first. */
export async function listAlerts(client: Queryable, limit: number): Promise<AlertRow[]> {
  const { rows } = await client.query(
    `SELECT ${COLUMNS} FROM keeper.alerts WHERE firing_at IS NOT NULL ORDER BY firing_at DESC, id DESC LIMIT $1`,
    [limit],
  );
  return z.array(alertRow).parse(rows);
}
