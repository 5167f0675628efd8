import type { Pool } from 'pg';
import { inTransaction } from '../db/connect.ts';
import { displayName, quoteName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import { backlog, hasTruncateEntry } from './change-log.ts';
import type { TableMove } from './table-move.ts';

/**
 * Before the swap back, by number: the retired tables look like a backup, and somebody may have emptied one. Rows whose
 * change waits in the log make a difference that is none. Each row is compared afterwards, while nobody waits for it.
 *
 * @throws TD030 with the numbers
 */
export async function assertAsMany(pool: Pool, moves: readonly TableMove[]): Promise<void> {
  for (const move of moves) {
    const { live, retired, waiting } = await inTransaction(
      pool,
      async (client) => {
        await client.query('SET LOCAL row_security = off');
        const count = async (name: string) =>
          Number((await client.query<{ n: string }>(`SELECT count(*)::text AS n FROM ${name}`)).rows[0]?.n);
        return {
          live: await count(quoteName(move.source)),
          retired: await count(quoteName(move.retired)),
          // A TRUNCATE is one entry, whatever there was.
          waiting: (await hasTruncateEntry(client, move)) ? null : await backlog(client, move),
        };
      },
      'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    );
    if (waiting === null || Math.abs(live - retired) <= waiting) continue;
    const [have, has] = [live, retired].map((n) => n.toLocaleString('en'));
    throw new TandemError(
      'TD030',
      `${displayName(move.source)} has ${have} rows, and ${displayName(move.retired)}, which would take its place, ${has}.`,
      {
        hint: '`tandem verify` names the rows. Somebody wrote to the retired table: each row is taken over once it is written again in the live one.',
      },
    );
  }
}
