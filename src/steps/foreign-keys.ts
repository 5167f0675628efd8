import { cancelledBy } from '../db/cancel.ts';
import type { Queryable } from '../db/connect.ts';
import { outgoingForeignKeys } from '../db/describe-dependents.ts';
import { leafPartitions } from '../db/describe-table.ts';
import { displayName, type QualifiedName, quoteName } from '../db/identifier.ts';
import type { Finding } from '../engine/events.ts';
import { withLockRetry } from '../engine/retry-ddl.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { validateSql } from '../move/cutover.ts';
import { addForeignKeySql } from '../move/swap.ts';
import type { ForeignKey, TableMove } from '../move/table-move.ts';

/**
 * Validates the foreign keys that the cutover added NOT VALID: SHARE UPDATE EXCLUSIVE on the referencing table and ROW
 * SHARE on the referenced one, so that nobody waits while rows are read. A partitioned table's key was put on each
 * partition; once they are valid, the parent's adopts them in an instant.
 */
export function foreignKeysStep(guide: string): Step {
  return {
    name: 'foreign-keys',
    guide,
    title: 'Validate the foreign keys',
    phase: 'baking',
    plan: async ({ moves }) =>
      moves.flatMap((move) =>
        move.targetForeignKeys.map((key) => ({
          sql: validateSql(move.source, key.name),
          lock: `SHARE UPDATE EXCLUSIVE on ${displayName(move.source)}, ROW SHARE on ${displayName(key.references)}`,
          cost: `one read of ${displayName(move.source)}`,
        })),
      ),
    apply: async (context) => {
      for (const move of context.moves) {
        for (const key of move.targetForeignKeys) await validateWithPartitions(context, move.source, key);
        for (const { after } of move.incoming)
          if (after.validated) await validateWithPartitions(context, after.table, after);
      }
      return undefined;
    },
    verify: ({ pool, moves }) => missingForeignKeys(pool, moves),
    revert: 'nothing to revert',
  };
}

/** Foreign keys of the moved tables, and of others that point at them, which are gone or say something else. */
export async function missingForeignKeys(client: Queryable, moves: readonly TableMove[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const move of moves) {
    for (const key of [...move.targetForeignKeys, ...move.incoming.map((i) => i.after)]) {
      const table = move.targetForeignKeys.includes(key) ? move.source : key.table;
      const now = (await outgoingForeignKeys(client, table)).find((k) => k.name === key.name);
      const wrong = now === undefined ? 'missing' : !saysTheSame(now, key) ? 'altered' : null;
      const problem = wrong ?? (key.validated && now?.validated === false ? 'not validated' : null);
      if (problem === null) continue;
      findings.push({
        severity: 'blocks',
        subject: displayName(table),
        message: `foreign key ${key.name} on ${displayName(table)} is ${problem}`,
        hint: `It is to be: ${addForeignKeySql(key, table, { notValid: false })}`,
      });
    }
  }
  return findings;
}

function saysTheSame(now: ForeignKey, expected: ForeignKey): boolean {
  const said = ({ columns, references, referencedColumns, rules, comment }: ForeignKey) =>
    JSON.stringify([columns, references.schema, references.name, referencedColumns, rules, comment]);
  return said(now) === said(expected);
}

/** Validates one that stands NOT VALID on the table, or on each of its partitions, whose parent then adopts them. */
export async function validateWithPartitions(
  context: StepContext,
  table: QualifiedName,
  key: ForeignKey,
): Promise<void> {
  const partitions = await leafPartitions(context.pool, table);
  if (partitions === null) await validateForeignKey(context, table, key);
  else await validatePartitioned(context, table, partitions, key);
}

/** Validates one that stands NOT VALID; one that somebody has dropped meanwhile is not missed here. */
async function validateForeignKey(context: StepContext, table: QualifiedName, key: ForeignKey): Promise<void> {
  if ((await constraintState(context.pool, table, key.name)) !== 'not valid') return;
  const { pool, signal } = context;
  await withLockRetry(
    pool,
    `Validating ${key.name}`,
    // It reads the whole table, and what it has read is lost with it: nobody who stops the run waits for its end.
    (client) => cancelledBy(pool, client, signal, () => client.query(validateSql(table, key.name))),
    { ...context.options.cutover, emit: context.emit, signal },
  );
}

async function validatePartitioned(
  context: StepContext,
  parent: QualifiedName,
  partitions: readonly QualifiedName[],
  key: ForeignKey,
): Promise<void> {
  if ((await constraintState(context.pool, parent, key.name)) === 'valid') return;
  for (const partition of partitions) await validateForeignKey(context, partition, key);
  await withLockRetry(
    context.pool,
    `Adopting ${key.name}`,
    (client) => client.query(addForeignKeySql(key, parent, { notValid: false })),
    {
      ...context.options.cutover,
      emit: context.emit,
      signal: context.signal,
    },
  );
}

async function constraintState(
  pool: StepContext['pool'],
  table: QualifiedName,
  name: string,
): Promise<'valid' | 'not valid' | 'absent'> {
  const { rows } = await pool.query<{ valid: boolean }>(
    'SELECT convalidated AS valid FROM pg_catalog.pg_constraint WHERE conrelid = pg_catalog.to_regclass($1) AND conname = $2',
    [quoteName(table), name],
  );
  return rows[0] === undefined ? 'absent' : rows[0].valid ? 'valid' : 'not valid';
}
