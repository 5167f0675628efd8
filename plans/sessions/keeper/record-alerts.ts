import type { Queryable } from '../../../src/db/connect.ts';
import type { FoundAlert } from './alert-rules.ts';

export interface AlertChange {
  readonly state: 'firing' | 'resolved';
  readonly name: string;
  readonly label: string;
  readonly severity: string;
  readonly summary: string;
}

/**
 * Notes what holds now, and returns what changed by it: what has held for long enough fires, once, and what holds no more
 * is over. A condition that was over before it fired leaves nothing. To be called in one transaction.
 */
export async function recordAlerts(client: Queryable, found: readonly FoundAlert[]): Promise<AlertChange[]> {
  const names = found.map(({ rule }) => rule.name);
  const labels = found.map(({ label }) => label);
  await client.query(
    `INSERT INTO keeper.alerts AS a (name, label, severity, summary)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
     ON CONFLICT (name, label) WHERE resolved_at IS NULL DO UPDATE SET severity = EXCLUDED.severity, summary = EXCLUDED.summary
      WHERE (a.severity, a.summary) IS DISTINCT FROM (EXCLUDED.severity, EXCLUDED.summary)`,
    [names, labels, found.map(({ rule }) => rule.severity), found.map(({ summary }) => summary)],
  );
  const { rows: fired } = await client.query<AlertChange>(
    `UPDATE keeper.alerts a SET firing_at = now(), attempts = 0, next_attempt_at = now()
       FROM unnest($1::text[], $2::text[], $3::float8[]) AS f (name, label, holds)
      WHERE a.name = f.name AND a.label = f.label AND a.resolved_at IS NULL AND a.firing_at IS NULL
        AND a.since + f.holds * interval '1 second' <= now()
     RETURNING 'firing' AS state, a.name, a.label, a.severity, a.summary`,
    [names, labels, found.map(({ rule }) => rule.holds)],
  );
  const gone = `resolved_at IS NULL AND NOT EXISTS (
        SELECT FROM unnest($1::text[], $2::text[]) AS f (name, label) WHERE f.name = a.name AND f.label = a.label)`;
  await client.query(`DELETE FROM keeper.alerts a WHERE firing_at IS NULL AND ${gone}`, [names, labels]);
  const { rows: resolved } = await client.query<AlertChange>(
    `UPDATE keeper.alerts a SET resolved_at = now(), attempts = 0, next_attempt_at = now() WHERE ${gone}
     RETURNING 'resolved' AS state, name, label, severity, summary`,
    [names, labels],
  );
  return [...fired, ...resolved];
}
