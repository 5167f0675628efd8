import { displayName, quoteName } from '../db/identifier.ts';
import { withLockRetry } from '../engine/retry-ddl.ts';
import type { Step } from '../engine/step.ts';
import {
  attachChangeLogSql,
  changeLogFunctionSql,
  createChangeLogSql,
  detachChangeLogSql,
  hasChangeLog,
} from '../move/change-log.ts';
import { changeLogName } from '../move/direction.ts';

/** Puts the change log on every source: from here on, no write is missed. */
export function changeLogStep(guide: string): Step {
  return {
    name: 'change-log',
    guide,
    title: 'Log the keys of rows that are written from now on',
    phase: 'preparing',
    plan: async ({ moves }) =>
      moves.flatMap((move) => [
        ...[
          ...createChangeLogSql(move),
          ...changeLogFunctionSql(move, 'source'),
          ...changeLogFunctionSql(move, 'target'),
        ].map((sql) => ({
          sql,
          lock: null,
          cost: 'new object',
        })),
        ...attachChangeLogSql(move, move.source, 'source').map((sql) => ({
          sql,
          lock: `SHARE ROW EXCLUSIVE on ${displayName(move.source)}, for an instant`,
          cost: 'catalog only',
        })),
      ]),
    apply: async ({ pool, moves, options, emit, signal }) => {
      for (const move of moves) {
        for (const sql of [
          ...createChangeLogSql(move),
          ...changeLogFunctionSql(move, 'source'),
          ...changeLogFunctionSql(move, 'target'),
        ]) {
          await pool.query(sql);
        }
        if (await hasChangeLog(pool, move.source)) continue;
        await withLockRetry(
          pool,
          `The change log of ${displayName(move.source)}`,
          async (client) => {
            for (const sql of attachChangeLogSql(move, move.source, 'source')) await client.query(sql);
          },
          { ...options.cutover, emit, signal },
        );
      }
      return undefined;
    },
    verify: async ({ pool, moves }) => {
      const missing = [];
      for (const move of moves) if (!(await hasChangeLog(pool, move.source))) missing.push(move);
      return missing.map((move) => ({
        severity: 'blocks',
        subject: displayName(move.source),
        message: 'its writes are not being logged',
        hint: 'Somebody dropped or disabled the trigger tandem_log: go back with `tandem rollback` and start again.',
      }));
    },
    revert: async ({ pool, moves, options, emit, signal }) => {
      for (const move of moves) {
        await withLockRetry(
          pool,
          `Taking the change log off ${displayName(move.source)}`,
          async (client) => {
            for (const sql of detachChangeLogSql(move.source)) await client.query(sql);
          },
          { ...options.cutover, emit, signal },
        );
        await pool.query(`DROP TABLE IF EXISTS ${quoteName(changeLogName(move))}`);
        for (const side of ['source', 'target']) {
          await pool.query(`DROP FUNCTION IF EXISTS tandem.${quoteIdentLog(move.name, side)}()`);
        }
      }
    },
  };
}

const quoteIdentLog = (name: string, side: string) => `"log_${name}_${side}"`;
