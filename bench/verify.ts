import type { Pool } from 'pg';
import { createPool } from '../src/db/connect.ts';
import { type QualifiedName, quoteName } from '../src/db/identifier.ts';
import type { TableMove } from '../src/move/table-move.ts';
import { verifyRows } from '../src/move/verify-rows.ts';
import type { Databases } from './databases.ts';
import { median, medianRatio, milliseconds } from './measure.ts';
import { openContext } from './open-run.ts';
import type { Section } from './report.ts';

/** As many as are allowed for one verification: both then run for about as long, and feel alike what else the machine does. */
const COUNTS = 8;

/**
 * Every column of every row of both tables, against a plain count of both; in turns, everything in memory. What a target
 * has beyond that, a column that is joined from another table, is timed apart: no table had it before.
 */
export async function measureVerification(databases: Databases, name: string, repetitions: number): Promise<Section> {
  const pool = createPool(databases.urlOf(name), { max: 4 });
  try {
    const { moves } = await openContext(pool);
    const own = moves.map(withoutJoined);
    const sources = moves.map((move) => move.source);
    const targets = moves.map((move) => move.target);
    const counting: number[] = [];
    const countingBoth: number[] = [];
    const verifying: number[] = [];
    const verifyingJoined: number[] = [];
    for (let round = 0; round <= repetitions; round++) {
      const counts = await milliseconds(async () => {
        for (let i = 0; i < COUNTS; i++) await countAll(pool, sources);
      });
      const countsOfBoth = await milliseconds(async () => {
        for (let i = 0; i < COUNTS; i++) await countAll(pool, [...sources, ...targets]);
      });
      const verify = await milliseconds(() => verifyAll(pool, own));
      const verifyJoined = await milliseconds(() => verifyAll(pool, moves));
      if (round === 0) continue;
      counting.push(counts / COUNTS);
      countingBoth.push(countsOfBoth / COUNTS);
      verifying.push(verify);
      verifyingJoined.push(verifyJoined);
    }
    return {
      goals: [
        {
          what: 'verification of every column : count(*)',
          measured: medianRatio(verifying, counting),
          limit: COUNTS,
          unit: '×',
          detail: `${Math.round(median(verifying))} : ${Math.round(median(counting))} ms`,
        },
      ],
      figures: [
        {
          what: 'verification with messages.language, which each message takes from its session : count(*)',
          measured: medianRatio(verifyingJoined, counting),
          unit: '×',
        },
        {
          what: 'verification : count(*) of the old and the new tables, all of which it reads',
          measured: medianRatio(verifying, countingBoth),
          unit: '×',
        },
      ],
    };
  } finally {
    await pool.end();
  }
}

function withoutJoined(move: TableMove): TableMove {
  if (move.joins === '') return move;
  return {
    ...move,
    joins: '',
    columns: move.columns.filter((c) => c.source !== null || !/\bp\./.test(c.forward ?? '')),
  };
}

async function countAll(pool: Pool, tables: readonly QualifiedName[]): Promise<void> {
  for (const table of tables) await pool.query(`SELECT count(*) FROM ${quoteName(table)}`);
}

async function verifyAll(pool: Pool, moves: readonly TableMove[]): Promise<void> {
  const results = await verifyRows(pool, moves, 'before cutover');
  if (results.some((table) => table.differences.length > 0 || table.rows === 0))
    throw new Error(`The tables differ, or are empty: ${JSON.stringify(results)}`);
}
