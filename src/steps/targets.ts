import { type Client, inTransaction } from '../db/connect.ts';
import { leafPartitions, relationExists } from '../db/describe-table.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import { SqlState, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import type { Step } from '../engine/step.ts';
import type { TableMove } from '../move/table-move.ts';
import { tryDependentsSql } from '../move/try-dependents.ts';
import { assertNamesFree } from './current-tables.ts';

/**
 * Creates the empty targets, without keys or indexes, with everything they carry over from their sources: what the new
 * shape refuses (a policy, a check) is refused here, before a row is copied.
 */
export function targetsStep(input: {
  guide: string;
  title: string;
  statements: (moves: readonly TableMove[], carry: (move: TableMove) => Promise<string[]>) => Promise<string[]>;
  carry: (client: Parameters<typeof relationExists>[0], move: TableMove) => Promise<string[]>;
  /** What is built after the copy: in an instant here, so that its names are known. */
  build: (move: TableMove) => string[];
  dropSql: (moves: readonly TableMove[]) => string[];
}): Step {
  return {
    name: 'targets',
    guide: input.guide,
    title: input.title,
    phase: 'preparing',
    beforeCutoverOnly: true,
    plan: async ({ client, moves }) =>
      (await input.statements(moves, (move) => input.carry(client, move))).map((sql) => ({
        sql,
        lock: null,
        cost: 'new table',
      })),
    apply: async ({ pool, moves }) =>
      inTransaction(pool, async (client) => {
        // All targets are made in one transaction: where one stands, they all do.
        const first = moves[0];
        if (first && (await relationExists(client, first.target))) return 'they stand already';
        for (const sql of await input.statements(moves, (move) => input.carry(client, move)))
          await accepted(client, sql);
        const partitioned: TableMove[] = [];
        for (const move of moves) if ((await leafPartitions(client, move.target)) !== null) partitioned.push(move);
        for (const sql of await tryDependentsSql(client, moves, partitioned)) await accepted(client, sql);
        await client.query('SAVEPOINT names');
        for (const sql of moves.flatMap(input.build)) await accepted(client, sql);
        await assertNamesFree(client, moves);
        await client.query('ROLLBACK TO SAVEPOINT names');
        return moves.map((move) => displayName(move.target)).join(', ');
      }),
    verify: async ({ pool, moves }) => {
      const missing = [];
      for (const move of moves) if (!(await relationExists(pool, move.target))) missing.push(move);
      return missing.map((move) => ({
        severity: 'blocks',
        subject: displayName(move.target),
        message: 'the target was not created',
      }));
    },
    revert: async ({ pool, moves }) => {
      await inTransaction(pool, async (client) => {
        for (const sql of input.dropSql(moves)) await client.query(sql);
        for (const move of moves) await client.query(`DROP TABLE IF EXISTS ${quoteName(move.target)} CASCADE`);
      });
    },
  };
}

/** Runs one statement; what the new shape refuses is the user's to change, and is said with the statement. */
async function accepted(client: Client, sql: string): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    const state = sqlStateOf(error);
    // 22: a constant that is no value of the new type. 0A: a condition of a publication on an enum.
    const refused = /^(?:0A|22|42)/.test(state ?? '') && state !== SqlState.insufficientPrivilege;
    if (!refused || !(error instanceof Error)) throw error;
    throw new TandemError('TD017', `Something that hangs on the live table cannot be carried over: ${error.message}.`, {
      hint: 'Drop or change it before the move (a condition on a column that becomes an enum must not cast it to text), and make it again afterwards.',
      detail: sql.trim(),
      cause: error,
    });
  }
}
