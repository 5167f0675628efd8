import { createState } from '../../src/engine/run-state.ts';
import type { TestDatabase } from '../support/database.ts';
import type { Place } from './gate.ts';
import { untilWaiting } from './gate.ts';

const FIRST_LOCK = 4_712_000;

/**
 * Holds a command at writes of its own, each the first time that it comes there: `at` is called with the name of the
 * place, and the command goes on once that has returned. Places that the command does not come by are passed over.
 */
export async function withCheckpoints<Name extends string, T>(
  database: TestDatabase,
  places: Readonly<Record<Name, Place>>,
  command: () => Promise<T>,
  at: (name: Name) => Promise<void>,
): Promise<T> {
  await createState(database.pool);
  const names = Object.keys(places) as Name[];
  const keeper = await database.connect();
  const closed = new Map<number, Name>();
  for (const [i, name] of names.entries()) {
    const [place, lock, trigger] = [places[name], FIRST_LOCK + i, `checkpoint_${i}`];
    await keeper.query(`
      CREATE OR REPLACE FUNCTION tandem.${trigger}() RETURNS trigger LANGUAGE plpgsql AS $checkpoint$
      BEGIN
        IF ${place.when} THEN PERFORM pg_catalog.pg_advisory_xact_lock_shared(${lock}); END IF;
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
      END $checkpoint$;
      CREATE OR REPLACE TRIGGER ${trigger} BEFORE ${place.on} ON ${place.table} FOR EACH ROW EXECUTE FUNCTION tandem.${trigger}();
      SELECT pg_catalog.pg_advisory_lock(${lock})`);
    closed.set(lock, name);
  }
  let ended = false;
  const running = command().finally(() => {
    ended = true;
  });
  // What it throws is the caller's, who awaits it below.
  running.catch(() => undefined);
  try {
    while (!ended && closed.size > 0) {
      const lock = await untilWaiting(keeper, [...closed.keys()], () => ended);
      const name = lock === null ? undefined : closed.get(lock);
      if (lock === null || name === undefined) break;
      await at(name);
      closed.delete(lock);
      await keeper.query('SELECT pg_catalog.pg_advisory_unlock($1)', [lock]);
    }
  } finally {
    await keeper.query('SELECT pg_catalog.pg_advisory_unlock_all()');
    await running.catch(() => undefined);
    for (const i of names.keys()) await keeper.query(`DROP FUNCTION IF EXISTS tandem.checkpoint_${i} CASCADE`);
    await keeper.end();
  }
  return running;
}
