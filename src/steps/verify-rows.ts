import { displayName, quoteIdent, quoteName } from '../db/identifier.ts';
import type { Finding } from '../engine/events.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { backlog } from '../move/change-log.ts';
import { isProven } from '../move/orphans.ts';
import { readFilenodes, recordCompared } from '../move/references.ts';
import { addForeignKeySql } from '../move/swap.ts';
import type { ForeignKey } from '../move/table-move.ts';
import { differencesAsFindings, verifyRows } from '../move/verify-rows.ts';
import { catchUp } from './drain.ts';

/** Compares every column of every row, and the references between them, before the names are swapped. */
export function verifyRowsStep(guide: string): Step {
  return {
    name: 'verify-rows',
    guide,
    title: 'Compare every column of every row',
    phase: 'draining',
    repeats: true,
    plan: async ({ moves }) =>
      moves.map((move) => ({
        sql: `-- digests of ${displayName(move.source)} and ${displayName(move.target)}, in one snapshot`,
        lock: `ACCESS SHARE on ${displayName(move.source)}`,
        cost: 'one read of both',
      })),
    apply: async (context) => {
      await catchUp(context);
      return undefined;
    },
    verify: async (context) => {
      const findings = await compareRows(context);
      if (findings.length === 0) await context.setPhase('ready');
      return findings;
    },
    revert: 'nothing to revert',
  };
}

/** Compares the tables row by row, and remembers of which file of theirs that is true. */
export async function compareRows(context: StepContext): Promise<Finding[]> {
  const { pool, moves, emit } = context;
  const filenodes = await readFilenodes(pool, moves);
  const results = await verifyRows(pool, moves, 'before cutover');
  const findings = [...differencesAsFindings(results), ...(await orphanFindings(context))];
  for (const table of results) {
    emit({
      event: 'verified',
      table: table.table,
      rows: table.rows,
      left_out: table.leftOut,
      differences: table.differences.length,
      elapsed_ms: table.elapsedMs,
    });
  }
  if (findings.length === 0) await recordCompared(pool, filenodes);
  return findings;
}

/**
 * Rows that the target's foreign keys would refuse after cutover, found before it. A key that the source already has,
 * validated, needs no look. Rows whose change is still in a log may point at a row that is about to be drained: where
 * there is any, the logs are drained and the look is taken again.
 */
export async function orphanFindings(context: StepContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const move of context.moves) {
    for (const key of move.targetForeignKeys) {
      if (isProven(key, move)) continue;
      for (let tries = 0; ; tries++) {
        const orphans = await findOrphans(context, { ...key, table: move.target });
        if (orphans.length === 0) break;
        const waiting = await Promise.all(context.moves.map((m) => backlog(context.pool, m, 1)));
        if (tries < 20 && waiting.some((n) => n > 0)) {
          await catchUp(context);
          continue;
        }
        findings.push({
          severity: 'blocks',
          subject: displayName(move.source),
          message: `${key.columns.join(', ')} points at no row of ${displayName(key.references)}, for example ${orphans.join('; ')}`,
          hint: `Mend the rows in ${displayName(move.source)}; what the run would do later is: ${addForeignKeySql(key, move.source, { notValid: false })}`,
        });
        break;
      }
    }
  }
  return findings;
}

async function findOrphans(context: StepContext, key: ForeignKey): Promise<string[]> {
  const match = key.columns
    .map((c, i) => `r.${quoteIdent(key.referencedColumns[i] ?? '')} = t.${quoteIdent(c)}`)
    .join(' AND ');
  const present = key.columns.map((c) => `t.${quoteIdent(c)} IS NOT NULL`).join(' AND ');
  const { rows } = await context.pool.query<{ value: string }>(
    `SELECT concat_ws(',', ${key.columns.map((c) => `t.${quoteIdent(c)}::text`).join(', ')}) AS value
       FROM ${quoteName(key.table)} t
      WHERE ${present} AND NOT EXISTS (SELECT FROM ${quoteName(key.references)} r WHERE ${match}) LIMIT 5`,
  );
  return rows.map((row) => row.value);
}
