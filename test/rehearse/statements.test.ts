import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { beforeAll, describe, expect, test } from 'vitest';
import { sqlStateOf } from '../../src/db/sqlstate.ts';
import type { Rehearsal } from '../../src/rehearse/result.ts';
import { tandemOn } from '../engine/tandem.ts';
import { useDatabase } from '../support/database.ts';
import { flatRows, rehearseOn, reportOf } from './rehearsing.ts';
import { type StatementCase, statementCases } from './statement-cases.ts';

/** What an execution came to: its rows, or the SQLSTATE with which it was refused. */
interface Outcome {
  readonly rows: readonly unknown[] | null;
  readonly count: number | null;
  readonly refused: string | null;
}

const cases = statementCases.map((statement, i) => ({ ...statement, number: i + 1 }));

describe('each verdict, and what happens when the statement is executed for real after a real cutover', () => {
  const database = useDatabase(flatRows, { per: 'suite' });
  let rehearsal: Rehearsal;
  const before = new Map<string, Outcome>();
  const fresh = new Map<string, Outcome>();
  const kept = new Map<string, Outcome>();

  beforeAll(async () => {
    const t = tandemOn(database, {}, { createAuth: true });
    await t.migrate({ stopBefore: 'cutover' });
    rehearsal = await rehearseOn(
      database,
      statementCases.map(({ sql }) => sql),
    );
    const old = await database.connect();
    for (const statement of cases) before.set(statement.sql, await execute(old, statement, { prepared: true }));
    await t.migrate();
    const young = await database.connect();
    for (const statement of cases) {
      fresh.set(statement.sql, await execute(young, statement, { prepared: false }));
      kept.set(statement.sql, await execute(old, statement, { prepared: true }));
    }
  });

  test.each(cases)('$verdict: $sql', (statement) => {
    const report = reportOf(rehearsal, statement.number);
    const [problem] = report.problems;
    expect(report.verdict, JSON.stringify(report, null, 2)).toBe(statement.verdict);
    if (statement.sqlstate) expect(problem?.sqlstate ?? report.obstacle?.sqlstate).toBe(statement.sqlstate);
    if (statement.at) expect(report.sql.slice((problem?.place?.position ?? 0) - 1)).toSatisfy(startsWith(statement.at));
    if (statement.mended !== undefined) expect(problem?.mended?.sql ?? null).toBe(statement.mended);
    if (problem?.mended) expect(problem.mended.holdsToday).toBe(statement.onlyAfterwards !== true);

    const [today, now, old] = [before, fresh, kept].map((outcomes) => outcomes.get(statement.sql));
    switch (statement.verdict) {
      case 'holds':
        expect([now?.refused, old?.refused]).toEqual([null, null]);
        if (!statement.volatile) expect([now, old]).toEqual([today, today]);
        break;
      case 'breaks':
        expect(today?.refused).toBeNull();
        expect([now?.refused, old?.refused]).toEqual([problem?.sqlstate, problem?.sqlstate]);
        break;
      case 'changes':
        expect(today?.refused).toBeNull();
        expect(now).not.toEqual(today);
        break;
      case 'reconnect':
        expect([today?.refused, now?.refused]).toEqual([null, null]);
        expect(old?.refused).toBe(problem?.sqlstate);
        break;
      default:
        expect(today?.refused).not.toBeNull();
    }
  });

  test('what was mended is taken by both shapes, and says the same', async () => {
    const young = await database.connect();
    const mended = cases.flatMap((statement) => {
      const sql = reportOf(rehearsal, statement.number).problems[0]?.mended?.sql;
      return sql && !statement.volatile && !statement.onlyAfterwards
        ? [{ ...statement, sql, original: statement.sql }]
        : [];
    });
    expect(mended.length).toBeGreaterThan(25);
    for (const statement of mended) {
      const today = before.get(statement.original);
      expect(await execute(young, statement, { prepared: false }), statement.sql).toEqual(today);
    }
  });
});

const startsWith = (beginning: string) => (text: string) => text.startsWith(beginning);

/** Executes a statement with its deferred constraints, and takes back what it did. */
async function execute(
  client: pg.Client,
  { sql, values, number }: StatementCase & { number: number },
  options: { prepared: boolean },
): Promise<Outcome> {
  await client.query('BEGIN');
  try {
    if (sql.startsWith('COPY')) return { rows: [await copied(client, sql)], count: null, refused: null };
    const query = { text: sql, values: [...(values ?? [])], ...(options.prepared && { name: `case_${number}` }) };
    const { rows, rowCount } = await client.query<Record<string, unknown>>(query);
    await client.query('SET CONSTRAINTS ALL IMMEDIATE');
    return { rows, count: rowCount, refused: null };
  } catch (error) {
    const refused = sqlStateOf(error);
    if (refused === null) throw error;
    return { rows: null, count: null, refused };
  } finally {
    await client.query('ROLLBACK');
  }
}

async function copied(client: pg.Client, sql: string): Promise<string> {
  let text = '';
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  await pipeline(client.query(copyTo(sql)), sink);
  return text;
}
