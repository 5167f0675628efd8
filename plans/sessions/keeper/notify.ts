import type { Pool } from 'pg';
import { inTransaction, type Queryable } from '../../../src/db/connect.ts';
import { type News, newsRow, webhookMessage } from './webhook-message.ts';

export interface Webhook {
  /** May be a secret: it is told to nobody. */
  readonly url: string;
  readonly format: 'json' | 'slack';
}

export interface NotifyOptions {
  readonly pool: Pool;
  readonly webhook: Webhook;
  /** Which database it is about, without user and password. */
  readonly database: string;
  readonly fence: (client: Queryable) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface Notified {
  readonly sent: number;
  readonly failed: number;
}

const TIMEOUT_MS = 10_000;
/** The last try is about a day after the first: then the webhook is told no more of this. */
export const MOST_ATTEMPTS = 30;
const FIRST_WAIT_SECONDS = 30;
const MOST_WAIT_SECONDS = 3600;

/**
 * Tells the webhook what it was not told yet: each alert once when it fires and once when it is over; the end of an alert
 * that it never heard of is no news. What it does not take is tried again, less and less often, and given up in the end.
 */
export async function notifyWebhook(options: NotifyOptions): Promise<Notified> {
  const { pool, webhook, database, fence, signal } = options;
  let [sent, failed] = [0, 0];
  for (const news of await pendingNews(pool)) {
    if (signal.aborted) break;
    const failure = await send(webhook, webhookMessage(webhook.format, news, database), signal);
    if (failure === null) sent += 1;
    else failed += 1;
    await inTransaction(pool, async (client) => {
      await fence(client);
      await note(client, news, failure);
    });
  }
  return { sent, failed };
}

async function pendingNews(client: Queryable): Promise<News[]> {
  const { rows } = await client.query(
    `SELECT id, CASE WHEN resolved_at IS NULL THEN 'firing' ELSE 'resolved' END AS state, name, label, severity, summary,
            since, firing_at, resolved_at
       FROM keeper.alerts
      WHERE firing_at IS NOT NULL AND next_attempt_at <= now()
        AND (resolved_at IS NULL AND notified_at IS NULL
             OR resolved_at IS NOT NULL AND notified_at IS NOT NULL AND resolution_notified_at IS NULL)
      ORDER BY id`,
  );
  return rows.map((row) => newsRow.parse(row));
}

/** Null where the webhook took it; else why not, in words that do not give its address away. */
async function send({ url }: Webhook, message: Record<string, unknown>, signal: AbortSignal): Promise<string | null> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'User-Agent': 'tandem' },
      body: JSON.stringify(message),
      // Whoever it leads to was not meant to be told.
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel();
    return response.ok ? null : `it answered ${response.status}`;
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000} s`;
  const cause = error instanceof Error ? error.cause : null;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'no connection';
  return `it cannot be reached: ${code}`;
}

async function note(client: Queryable, { id, state }: News, failure: string | null): Promise<void> {
  if (failure === null) {
    const column = state === 'firing' ? 'notified_at' : 'resolution_notified_at';
    await client.query(`UPDATE keeper.alerts SET ${column} = now(), last_error = NULL WHERE id = $1`, [id]);
    return;
  }
  await client.query(
    `UPDATE keeper.alerts SET attempts = attempts + 1, last_error = $2,
            next_attempt_at = CASE WHEN attempts + 1 < $3 THEN now() + least($4::float8 * 2 ^ attempts, $5) * interval '1 second' END
      WHERE id = $1`,
    [id, failure, MOST_ATTEMPTS, FIRST_WAIT_SECONDS, MOST_WAIT_SECONDS],
  );
}
