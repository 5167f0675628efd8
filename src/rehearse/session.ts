import type { Client, Pool } from '../db/connect.ts';
import { isConnectionLoss, sqlStateOf } from '../db/sqlstate.ts';
import { type Description, describeStatement } from './describe-statement.ts';
import { indexOfPosition } from './sql-parser.ts';
import { isRecord } from './syntax.ts';

/** What the server answered instead of taking a statement. */
export interface Refusal {
  readonly sqlstate: string;
  readonly message: string;
  /** The server's own hint. */
  readonly hint: string | null;
  /** Offset in the text that was sent; null where the server names no place. */
  readonly index: number | null;
}

export type Attempt =
  | { readonly ok: true; readonly description: Description }
  | { readonly ok: false; readonly refusal: Refusal };
export type Planned = { readonly ok: true; readonly cost: number } | { readonly ok: false; readonly refusal: Refusal };

/** One connection on which statements are parsed and planned, and none is executed. */
export interface RehearsalSession {
  readonly client: Client;
  /** The names of later statements are looked up along this path. */
  setSearchPath(path: string): Promise<void>;
  /** Parses and analyses; `types` are OIDs, 0 where the server is to infer. */
  parse(text: string, types?: readonly number[]): Promise<Attempt>;
  /** Runs `work`; a refusal of the server's is answered, and takes nothing else with it. */
  attempt<T>(work: () => Promise<T>): Promise<{ readonly value: T } | { readonly refusal: Refusal }>;
  /** Plans for any parameters, as a prepared statement is in the long run. The total cost is the planner's estimate. */
  plan(text: string, parameters: readonly number[]): Promise<Planned>;
}

// Read-only: planning runs functions that are not volatile, and they are the user's. The limits keep a rehearsal from
// waiting behind somebody's lock while others wait behind its own. Policies apply to whom they apply.
const LIMITS = "SET lock_timeout = '1s'; SET statement_timeout = '5s'";
const SETTINGS = `SET row_security = on; SET plan_cache_mode = force_generic_plan; ${LIMITS}`;
// New objects have no lock that anybody waits for, but for their names, of which somebody may be making the same.
const UNHURRIED = "SET LOCAL lock_timeout = '30s'; SET LOCAL statement_timeout = '60s'";

/**
 * Runs `work` on a connection of its own, which is closed afterwards. Each statement is a transaction of its own, and
 * read-only, so that no lock outlives it; where `prepare` is given, its changes stand before the others' eyes in one
 * transaction with them all, which is rolled back.
 */
export async function withRehearsalSession<T>(
  pool: Pool,
  prepare: ((client: Client) => Promise<void>) | null,
  work: (session: RehearsalSession) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query(SETTINGS);
    if (prepare === null) {
      await client.query('SET default_transaction_read_only = on');
    } else {
      await client.query(`BEGIN; ${UNHURRIED}`);
      await prepare(client);
      await client.query(`${LIMITS.replaceAll('SET ', 'SET LOCAL ')}; SET TRANSACTION READ ONLY`);
    }
    return await work(createSession(client, { inTransaction: prepare !== null }));
  } finally {
    // Its settings are not those that the pool gives out, and what it may have in a transaction ends with it.
    client.release(true);
  }
}

function createSession(client: Client, options: { inTransaction: boolean }): RehearsalSession {
  const attempt = async <T>(work: () => Promise<T>): Promise<{ value: T } | { refusal: RawRefusal }> => {
    if (options.inTransaction) await client.query('SAVEPOINT rehearsal');
    try {
      return { value: await work() };
    } catch (error) {
      const sqlstate = sqlStateOf(error);
      if (sqlstate === null || isConnectionLoss(error)) throw error;
      return { refusal: refusalOf(error, sqlstate) };
    } finally {
      if (options.inTransaction) await client.query('ROLLBACK TO SAVEPOINT rehearsal').catch(() => undefined);
    }
  };
  return {
    client,
    attempt,
    setSearchPath: async (path) => {
      await client.query("SELECT pg_catalog.set_config('search_path', $1, false)", [path]);
    },
    parse: async (text, types = []) => {
      const result = await attempt(() => describeStatement(client, text, types));
      if ('value' in result) return { ok: true, description: result.value };
      return { ok: false, refusal: placed(result.refusal, text, 0) };
    },
    plan: async (text, parameters) => {
      const nulls = parameters.map(() => 'NULL').join(', ');
      const declared = parameters.length === 0 ? '' : ` (${await typeNames(client, parameters)})`;
      // In one message, and so in one transaction. Prepared statements outlive a transaction: the last one goes first.
      const before = `DEALLOCATE ALL; PREPARE tandem_rehearsal${declared} AS `;
      const explain = `EXPLAIN (FORMAT JSON) EXECUTE tandem_rehearsal${nulls === '' ? '' : ` (${nulls})`}`;
      const result = await attempt(() => client.query(`${before}${text}\n; ${explain}`));
      if (!('value' in result))
        return { ok: false, refusal: placed(result.refusal, `${before}${text}`, before.length) };
      return { ok: true, cost: totalCost(result.value) };
    },
  };
}

interface RawRefusal extends Refusal {
  readonly position?: string | undefined;
}

function refusalOf(error: unknown, sqlstate: string): RawRefusal {
  const fields = isRecord(error) ? error : {};
  return {
    sqlstate,
    message: error instanceof Error ? error.message : String(error),
    hint: typeof fields.hint === 'string' ? fields.hint : null,
    index: null,
    position: typeof fields.position === 'string' ? fields.position : undefined,
  };
}

function placed({ position, ...refusal }: RawRefusal, text: string, prefix: number): Refusal {
  const index = indexOfPosition(text, position);
  return { ...refusal, index: index === null || index < prefix ? null : index - prefix };
}

async function typeNames(client: Client, oids: readonly number[]): Promise<string> {
  const { rows } = await client.query<{ names: string }>(
    `SELECT pg_catalog.string_agg(pg_catalog.format_type(t.oid, NULL), ', ' ORDER BY t.place) AS names
       FROM pg_catalog.unnest($1::oid[]) WITH ORDINALITY AS t (oid, place)`,
    [oids],
  );
  return rows[0]?.names ?? '';
}

/** Out of the results of several commands, that of EXPLAIN is the one with rows. */
function totalCost(results: unknown): number {
  for (const result of Array.isArray(results) ? results : [results]) {
    const rows: unknown[] = isRecord(result) && Array.isArray(result.rows) ? result.rows : [];
    const plans = rows.filter(isRecord).map((row) => row['QUERY PLAN']);
    const [plan] = plans.flatMap((value) => (Array.isArray(value) ? value : [])).filter(isRecord);
    const node = plan?.Plan;
    if (isRecord(node) && typeof node['Total Cost'] === 'number') return node['Total Cost'];
  }
  return 0;
}
