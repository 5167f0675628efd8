import type { PoolClient } from 'pg';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';

/** What `auto_explain` is told: everything, the statements inside functions, too, to this session and not to the log. */
const SETTINGS = `SET LOCAL auto_explain.log_min_duration = 0; SET LOCAL auto_explain.log_analyze = on;
  SET LOCAL auto_explain.log_timing = on; SET LOCAL auto_explain.log_nested_statements = on;
  SET LOCAL auto_explain.log_level = 'notice'; SET LOCAL client_min_messages = 'notice'`;

/**
 * In a transaction: has the server tell the plans of statements within functions, which EXPLAIN does not show. Only a
 * superuser may ask for them; for others nothing is told. Returns the plans so far, to be read after the statement.
 */
export async function listenForPlans(client: PoolClient): Promise<() => string[]> {
  const plans: string[] = [];
  await client.query('SAVEPOINT asking');
  try {
    await client.query("LOAD 'auto_explain'");
    await client.query(SETTINGS);
    await client.query('RELEASE SAVEPOINT asking');
  } catch (error) {
    const state = sqlStateOf(error);
    if (state !== SqlState.insufficientPrivilege && state !== SqlState.undefinedFile) throw error;
    // EXPLAIN's own plan is shown alone.
    await client.query('ROLLBACK TO SAVEPOINT asking');
    return () => [];
  }
  client.on('notice', ({ message }) => {
    const plan = /plan:\n([\s\S]*)$/.exec(message ?? '')?.[1];
    if (plan !== undefined) plans.push(plan);
  });
  return () => plans;
}
