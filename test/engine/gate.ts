import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { expect, vi } from 'vitest';
import { createState } from '../../src/engine/run-state.ts';
import type { TestDatabase } from '../support/database.ts';
import { startProgram } from './program.ts';

/** A place in the database that Tandem's sessions cannot pass while it is closed. */
export interface Gate {
  /** Resolves once a session of Tandem's stands before it. */
  reached(): Promise<void>;
  /** Lets everybody pass from now on. */
  open(): Promise<void>;
  /** Ends the sessions that stand before it, as their server notices in the end that nobody listens to them, and opens it. */
  endWaiting(): Promise<void>;
}

let gates = 0;

/** Writes to one of Tandem's tables: those that answer to `when`, SQL over the trigger's NEW and OLD. */
export interface Place {
  readonly table: string;
  readonly on: 'INSERT' | 'UPDATE' | 'DELETE';
  readonly when: string;
}

/** Where the run notes a step's state. */
export function step(name: string, state: 'running' | 'done' | 'reverted'): Place {
  return { table: 'tandem.step', on: 'UPDATE', when: `NEW.name = '${name}' AND NEW.state = '${state}'` };
}

/**
 * Closes a gate before such writes. With it, a test stops a run exactly where it wants, and not where it happens to be.
 * While a run stands before a gate, none can be put on the same table.
 */
export async function closeGate(database: Pick<TestDatabase, 'pool' | 'connect'>, at: Place): Promise<Gate> {
  gates += 1;
  const [gate, lock] = [`gate_${gates}`, 4_711_000 + gates];
  await createState(database.pool);
  const keeper: Client = await database.connect();
  await keeper.query('SELECT pg_advisory_lock($1)', [lock]);
  await database.pool.query(`
    CREATE FUNCTION tandem.${gate}() RETURNS trigger LANGUAGE plpgsql AS $gate$
    BEGIN
      IF ${at.when} THEN PERFORM pg_catalog.pg_advisory_xact_lock_shared(${lock}); END IF;
      RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END $gate$;
    CREATE TRIGGER ${gate} BEFORE ${at.on} ON ${at.table} FOR EACH ROW EXECUTE FUNCTION tandem.${gate}()`);
  const waiting = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = ${lock} AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  const open = async () => {
    await keeper.query('SELECT pg_advisory_unlock_all()');
    await keeper.query(`DROP TRIGGER IF EXISTS ${gate} ON ${at.table}`);
    await keeper.query(`DROP FUNCTION IF EXISTS tandem.${gate}()`);
  };
  return {
    async reached() {
      await vi.waitFor(async () => expect((await keeper.query(waiting)).rowCount).toBeGreaterThan(0), {
        timeout: 90_000,
        interval: 10,
      });
    },
    open,
    async endWaiting() {
      await keeper.query(`SELECT pg_terminate_backend(pid, 10000) FROM (${waiting}) w`);
      await open();
    },
  };
}

/** Runs a command up to a write of its own, and kills its process there, inside the statement. */
export async function killAt(database: TestDatabase, command: readonly string[], place: Place): Promise<void> {
  const gate = await closeGate(database, place);
  const program = await startProgram(database.url, command);
  await gate.reached();
  program.kill('SIGKILL');
  expect(await program.ended).toMatchObject({ exitCode: null });
  await gate.endWaiting();
}

/** Resolves to the first of these advisory locks that somebody waits for; null once `ended` says so. */
export async function untilWaiting(
  keeper: Client,
  locks: readonly number[],
  ended: () => boolean,
): Promise<number | null> {
  while (!ended()) {
    const { rows } = await keeper.query<{ lock: number }>(
      `SELECT objid::int AS lock FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND objid = ANY ($1::oid[]) AND NOT granted
          AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) LIMIT 1`,
      [locks],
    );
    if (rows[0]) return rows[0].lock;
    await sleep(5);
  }
  return null;
}
