import { createPool } from '../src/db/connect.ts';
import { forward } from '../src/move/direction.ts';
import { drainUntil } from '../src/move/drain.ts';
import type { Databases } from './databases.ts';
import { milliseconds } from './measure.ts';
import { openContext } from './open-run.ts';
import type { Section } from './report.ts';

const KEYS = 50_000;

/** What of the change log is brought over in a second, when nobody writes. */
export async function measureDrain(databases: Databases, name: string): Promise<Section> {
  const pool = createPool(databases.urlOf(name), { max: 4 });
  try {
    const { moves } = await openContext(pool);
    const figures = [];
    for (const move of moves) {
      const table = `public.${move.source.name}`;
      await pool.query(
        `UPDATE ${table} SET created_at = created_at + interval '1 second'
          WHERE id IN (SELECT id FROM ${table} ORDER BY id LIMIT ${KEYS})`,
      );
      let taken = 0;
      const elapsed = await milliseconds(async () => {
        taken = (await drainUntil(pool, forward(move), { rest: 1 })).taken;
      });
      figures.push({ what: `drain of ${move.name}`, measured: (taken * 1000) / elapsed, unit: 'keys/s' });
    }
    return { goals: [], figures };
  } finally {
    await pool.end();
  }
}
