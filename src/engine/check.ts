import type { Client } from '../db/connect.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import type { TableMove } from '../move/table-move.ts';
import { diskFindings } from './disk.ts';
import type { Finding } from './events.ts';
import type { MissingPrivilege } from './privileges.ts';
import { serverFindings } from './server-findings.ts';
import type { Plan, RunOptions } from './step.ts';

/**
 * What stands in the way of a run that has not begun, or is worth knowing before it does: of the server, and of every
 * step. Reads only, in the caller's transaction.
 */
export async function collectFindings(
  client: Client,
  plan: Plan,
  moves: readonly TableMove[],
  options: RunOptions,
  missing: readonly MissingPrivilege[] = [],
): Promise<Finding[]> {
  const findings: Finding[] = [
    ...(await serverFindings(client, moves)),
    ...(await diskFindings(client, moves, options.diskFree ?? null)),
  ];
  for (const step of plan.steps) {
    const { check } = step;
    if (!check) continue;
    findings.push(...(await permitted(client, missing, () => check({ client, moves, options }), [])));
  }
  return findings;
}

/**
 * Where the role lacks a privilege, which is a finding of its own, what cannot be read for want of it is left out; the
 * rest of the plan can still be told.
 */
export async function permitted<T>(
  client: Client,
  missing: readonly MissingPrivilege[],
  work: () => Promise<T>,
  otherwise: T,
): Promise<T> {
  if (missing.length === 0) return work();
  await client.query('SAVEPOINT permitted');
  try {
    return await work();
  } catch (error) {
    if (sqlStateOf(error) !== SqlState.insufficientPrivilege) throw error;
    await client.query('ROLLBACK TO SAVEPOINT permitted');
    return otherwise;
  }
}
