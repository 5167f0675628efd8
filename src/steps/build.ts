import type { Pool } from 'pg';
import { cancelledBy } from '../db/cancel.ts';
import { inRepeatableTransaction } from '../db/connect.ts';
import { quoteName } from '../db/identifier.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import type { Step } from '../engine/step.ts';
import { forward } from '../move/direction.ts';
import { deleteLoggedKeys } from '../move/logged-keys.ts';
import type { TableMove } from '../move/table-move.ts';

/** Builds keys and indexes on the filled targets, the tables side by side. */
export function buildStep(input: { guide: string; statements: (move: TableMove) => string[] }): Step {
  return {
    name: 'build',
    guide: input.guide,
    title: 'Build keys and indexes',
    phase: 'copying',
    beforeCutoverOnly: true,
    plan: async ({ moves }) =>
      moves.flatMap((move) => [
        ...input.statements(move).map((sql) => ({ sql, lock: null, cost: 'on the target only' })),
        { sql: vacuumSql(move), lock: null, cost: 'on the target only', alone: true as const },
      ]),
    apply: async ({ pool, moves, emit, signal }) => {
      const startedAt = Date.now();
      const total = moves.reduce((sum, move) => sum + input.statements(move).length + 1, 0);
      let done = 0;
      const built = () => {
        done += 1;
        emit({
          event: 'progress',
          step: 'build',
          subject: 'keys and indexes',
          done,
          total,
          unit: 'statements',
          elapsedMs: Date.now() - startedAt,
        });
      };
      const results = await Promise.allSettled(
        moves.map((move) => buildTable(pool, move, input.statements(move), signal, built)),
      );
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      return `${total} statements`;
    },
    verify: async () => [],
    revert: 'nothing to revert',
  };
}

async function buildTable(
  pool: Pool,
  move: TableMove,
  statements: string[],
  signal: AbortSignal,
  built: () => void,
): Promise<void> {
  const { rows } = await pool.query<{ built: number }>('SELECT built FROM tandem.moved_table WHERE name = $1', [
    move.name,
  ]);
  const done = rows[0]?.built ?? 0;
  for (let i = 0; i < done && i < statements.length; i++) built();
  for (const [i, sql] of statements.entries()) {
    if (i < done) continue;
    if (signal.aborted)
      throw new TandemError('TD022', 'Stopped between two index builds.', {
        hint: 'Run the same command again to go on.',
      });
    // The count moves with the statement: after a stop, none is made twice and none is left out.
    await inRepeatableTransaction(pool, async (client) => {
      await client.query(
        "SELECT set_config('maintenance_work_mem', '256MB', true) WHERE pg_size_bytes(current_setting('maintenance_work_mem')) < 268435456",
      );
      // The key is what duplicates would offend: rows copied twice or half go first. Nothing drains before the key stands.
      // An index may take hours, and it is made anew anyway where its transaction does not commit: it is not waited for.
      await cancelledBy(pool, client, signal, async () => {
        if (i === 0) await deleteLoggedKeys(client, forward(move));
        await client.query(sql);
        await client.query('UPDATE tandem.moved_table SET built = $2 WHERE name = $1', [move.name, i + 1]);
      });
    }).catch((error: unknown) => {
      if (!signal.aborted || sqlStateOf(error) !== SqlState.queryCanceled) throw error;
      throw new TandemError('TD022', 'Stopped in the midst of an index build, which begins anew.', {
        hint: 'Run the same command again to go on.',
        cause: error,
      });
    });
    built();
  }
  await pool.query(vacuumSql(move));
  built();
}

/**
 * Sets the hint bits and the visibility map, which nobody has yet: the first readers would, and would read no index
 * alone before. It cannot run in a transaction, and does no harm where it runs twice.
 */
function vacuumSql(move: TableMove): string {
  return `VACUUM ${quoteName(move.target)}`;
}
