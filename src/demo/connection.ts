import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { isConnectionLoss, sqlStateOf } from '../db/sqlstate.ts';
import type { LatencyRecorder } from './latency.ts';
import { SAME_TIMESTAMP_TEXT } from './ledger-rows.ts';
import { type StatementName, statements } from './statements.ts';

type Row = Readonly<Record<string, unknown>>;

/** What became of a statement: an answer, a refusal by the server, or no answer, so that nobody knows. */
export type Outcome =
  | { readonly kind: 'done'; readonly rows: readonly Row[]; readonly rowCount: number }
  | { readonly kind: 'refused'; readonly sqlState: string }
  | { readonly kind: 'unknown' };

export interface Connection {
  /** Sends one statement of the application's, and times it. Never throws. */
  run(name: StatementName, values?: readonly unknown[]): Promise<Outcome>;
  /** Connects again after an `unknown`, as often as it takes; returns at once if the connection stands. */
  restore(signal: AbortSignal): Promise<void>;
  /** Closes the socket, also under a statement that does not end. */
  close(): Promise<void>;
}

const TIMESTAMPTZ = pg.types.builtins.TIMESTAMPTZ;
const RETRY_MS = 100;

/** A connection as an application holds it: its own session, named prepared statements, reconnecting when it is lost. */
export async function openConnection(databaseUrl: string, latency: LatencyRecorder): Promise<Connection> {
  let client = await connect(databaseUrl);
  let lost = false;
  return {
    async run(name, values = []) {
      const end = latency.begin(name);
      try {
        const { rows, rowCount } = await client.query<Record<string, unknown>>({
          name,
          text: statements[name],
          values: [...values],
        });
        return { kind: 'done', rows, rowCount: rowCount ?? 0 };
      } catch (error) {
        const sqlState = sqlStateOf(error);
        if (sqlState !== null && !isConnectionLoss(error)) return { kind: 'refused', sqlState };
        lost = true;
        return { kind: 'unknown' };
      } finally {
        end();
      }
    },
    async restore(signal) {
      while (lost && !signal.aborted) {
        await client.end().catch(() => undefined);
        try {
          client = await connect(databaseUrl);
          lost = false;
        } catch {
          await wait(RETRY_MS, undefined, { signal }).catch(() => undefined);
        }
      }
    },
    async close() {
      await client.end().catch(() => undefined);
    },
  };
}

async function connect(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'tandem demo client',
    connectionTimeoutMillis: 10_000,
    // A Date would drop the microseconds, and the ledger would not notice if the migration did too.
    types: { getTypeParser: (oid, format) => (oid === TIMESTAMPTZ ? String : pg.types.getTypeParser(oid, format)) },
  });
  // A connection lost between two statements shows at the next one.
  client.on('error', () => undefined);
  await client.connect();
  await client.query(SAME_TIMESTAMP_TEXT);
  await prepareAll(client);
  return client;
}

/**
 * Prepares every statement at once, with values that change nothing, as drivers and object-relational mappers do: from then
 * on all of them are older than whatever happens to the tables. One that was prepared on the new tables would, after a
 * rollback, still name their types.
 */
async function prepareAll(client: pg.Client): Promise<void> {
  await client.query('BEGIN');
  for (const [name, text] of Object.entries(statements)) {
    if (!text.includes('$1')) continue;
    const parameters = new Set(text.match(/\$\d+/g)).size;
    await client.query('SAVEPOINT prepared');
    // An INSERT of nothing but NULL is refused, once it has been prepared.
    await client.query({ name, text, values: Array(parameters).fill(null) }).catch(() => undefined);
    await client.query('ROLLBACK TO SAVEPOINT prepared');
  }
  await client.query('ROLLBACK');
}
