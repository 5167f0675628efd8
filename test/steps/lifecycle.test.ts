import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { sessionsPlan } from '../../plans/sessions/plan.ts';
import { catalogDifference } from '../../src/db/catalog-snapshot.ts';
import { createPool, type Pool } from '../../src/db/connect.ts';
import { quoteIdent } from '../../src/db/identifier.ts';
import { maybeLatestRun } from '../../src/engine/run-state.ts';
import type { RunOptions, Step, StepContext } from '../../src/engine/step.ts';
import { stepContext } from '../../src/engine/step-context.ts';
import { type ConnectionCutter, cutConnections } from '../engine/cut-connections.ts';
import { flatWithRows } from '../engine/flat-database.ts';
import { catalogOf, rowsOf } from '../engine/snapshot.ts';
import { runOptions, tandemOn } from '../engine/tandem.ts';
import { createTestDatabase, type OwnedDatabase } from '../support/database.ts';
import { urlOf, withClient } from '../support/template.ts';

/**
 * The contract of a step, kept by every step of the plan. One run goes through the plan; before each step, clones of
 * its database are taken, and the step is tried on them in every way.
 */
const { steps } = sessionsPlan(sessionsConfigSchema.parse({}));
/** Where it is killed, as a share of its statements. */
const POINTS = [0, 0.6, 1];
/** They write files, or only look. */
const WORK_ELSEWHERE = ['backup', 'drain', 'rehearse', 'verify-rows', 'indexes'];

let base: OwnedDatabase;
let directory: string;

beforeAll(async () => {
  base = await createTestDatabase(flatWithRows('variants', { sessions: 60, messages: 300 }));
  directory = await mkdtemp(join(tmpdir(), 'tandem-lifecycle-'));
  await withClient(base.url, async (client) => {
    // So that the step `auth` has something to stand in for, too.
    await client.query('DROP FUNCTION auth.uid()');
    // So that the Supabase CLI keeps a history.
    await client.query(`CREATE SCHEMA supabase_migrations;
      CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text)`);
    await client.query("COMMENT ON COLUMN public.sessions.title IS 'As the user sees it'");
  });
});
afterAll(async () => {
  await base.drop();
  await rm(directory, { recursive: true, force: true });
});

describe.each(steps)('$name', (step) => {
  beforeAll(async () => {
    const pool = createPool(base.url);
    await tandemOn({ pool }, {}, options('base')).migrateUpTo(step.name);
    await pool.end();
  });

  test('is applied, verifies, and changes nothing when it is applied again', async () => {
    await onClone(async (attempt) => {
      const before = await attempt.state();
      await attempt.apply();
      await attempt.expectToHold();
      const after = await attempt.state();
      expect(catalogDifference(before, after).length > 0).toBe(!WORK_ELSEWHERE.includes(step.name));
      await attempt.apply();
      await attempt.expectState(after);
      await attempt.expectToHold();
    });
  });

  test.runIf(typeof step.revert === 'function')('is taken back without a trace, killed or not', async () => {
    await onClone(async (attempt) => {
      const before = await attempt.state();
      await attempt.apply();
      const after = await attempt.state();
      attempt.cutter.arm(null);
      await attempt.revert();
      const statements = attempt.cutter.count;
      await attempt.expectState(before);
      await attempt.revert();
      await attempt.expectState(before);
      for (const at of killPoints(statements)) {
        await attempt.apply();
        await attempt.expectState(after);
        await attempt.expectToHold();
        attempt.cutter.arm(at);
        await attempt.revert().catch(() => undefined);
        expectKilled(attempt, at);
        await attempt.reconnect();
        await attempt.revert();
        await attempt.expectState(before);
      }
    });
  });

  test('is completed by applying it again where it was killed', async () => {
    // A step that can be taken back is tried over and over on one clone, any other on one for each time.
    if (typeof step.revert === 'function') {
      await onClone(async (attempt) => {
        await attempt.apply();
        await attempt.revert();
        const { statements, after } = await undisturbed(attempt);
        await attempt.revert();
        for (const at of killPoints(statements)) {
          await killAndApply(attempt, at, after);
          await attempt.revert();
        }
      });
    } else {
      const { statements, after } = await onClone(undisturbed);
      for (const at of killPoints(statements)) await onClone((attempt) => killAndApply(attempt, at, after));
    }
  });

  async function undisturbed(attempt: Attempt) {
    attempt.cutter.arm(null);
    await attempt.apply();
    return { statements: attempt.cutter.count, after: await attempt.state() };
  }

  async function killAndApply(attempt: Attempt, at: number, after: readonly string[]) {
    attempt.cutter.arm(at);
    // What the killed one was told does not matter: a step may survive it.
    await attempt.apply().catch(() => undefined);
    expectKilled(attempt, at);
    await attempt.reconnect();
    await attempt.apply();
    await attempt.expectToHold();
    await attempt.expectState(after);
  }

  /** One clone of the base's database, on which the step is tried. */
  async function onClone<T>(work: (attempt: Attempt) => Promise<T>): Promise<T> {
    const name = `test_${step.name.replaceAll('-', '_')}_${randomBytes(4).toString('hex')}`;
    const server = inject('serverUrl');
    const source = new URL(base.url).pathname.slice(1);
    await withClient(server, (admin) =>
      admin.query(`CREATE DATABASE ${quoteIdent(name)} TEMPLATE ${quoteIdent(source)}`),
    );
    const attempt = await openAttempt(step, urlOf(server, name), options(name));
    try {
      return await work(attempt);
    } finally {
      await attempt.close();
      await withClient(server, (admin) => admin.query(`DROP DATABASE ${quoteIdent(name)} WITH (FORCE)`));
    }
  }
});

function options(name: string): RunOptions {
  // One worker: the same statements in the same order every time.
  return { ...runOptions, workers: 1, createAuth: true, backupDir: join(directory, name) };
}

/** The first statement, the last one, and some between; none twice. */
function killPoints(statements: number): number[] {
  return [...new Set(POINTS.map((share) => Math.max(1, Math.round(statements * share))))].filter(
    (at) => at <= statements,
  );
}

/** How often a lock is asked for, and what a drain finds, may take a statement more or less. */
const UNSTEADY = 2;

function expectKilled({ cutter }: Attempt, at: number): void {
  expect(cutter.fired || cutter.count >= at - UNSTEADY, `killed at statement ${at} of ${cutter.count}`).toBe(true);
}

interface Attempt {
  readonly cutter: ConnectionCutter;
  apply(): Promise<void>;
  revert(): Promise<void>;
  /** The catalog and the rows, as lines. */
  state(): Promise<string[]>;
  expectState(expected: readonly string[]): Promise<void>;
  /** The step's own `verify` finds nothing that blocks. */
  expectToHold(): Promise<void>;
  /** A new process: nothing but the database is left of the old one. */
  reconnect(): Promise<void>;
  close(): Promise<void>;
}

async function openAttempt(step: Step, url: string, settings: RunOptions): Promise<Attempt> {
  const admin = await openAdmin(url);
  let { pool, context, cutter } = await connect();

  async function connect(): Promise<{ pool: Pool; context: StepContext; cutter: ConnectionCutter }> {
    const opened = createPool(url, { max: 6 });
    const counting = cutConnections(opened, admin);
    const run = await maybeLatestRun(opened);
    if (run === null) throw new Error('No run was begun.');
    const never = new AbortController().signal;
    return { pool: opened, context: stepContext(opened, run, settings, () => undefined, never), cutter: counting };
  }
  const attempt: Attempt = {
    get cutter() {
      return cutter;
    },
    async apply() {
      await step.apply(context);
    },
    async revert() {
      if (typeof step.revert === 'function') await step.revert(context);
    },
    state: async () => [...(await catalogOf(pool)), ...(await rowsOf(pool))],
    async expectState(expected) {
      expect(catalogDifference(expected, await attempt.state())).toEqual([]);
    },
    async expectToHold() {
      expect((await step.verify(context)).filter((finding) => finding.severity === 'blocks')).toEqual([]);
    },
    async reconnect() {
      await cutter.settled();
      await pool.end();
      ({ pool, context, cutter } = await connect());
    },
    async close() {
      await pool.end();
      await admin.end();
    },
  };
  return attempt;
}

async function openAdmin(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'test' });
  await client.connect();
  return client;
}
