import type { Queryable } from '../db/connect.ts';
import { countQuarantined, listQuarantined } from '../move/quarantine.ts';
import { TandemError } from './errors.ts';

/**
 * While a run bakes, quarantine holds the rows that the retired tables refuse (a value that is longer, a check that the
 * new table does not have): with the new tables they would be lost.
 *
 * @throws TD031 with their keys
 */
export async function assertHeldByRetired(client: Queryable): Promise<void> {
  const count = await countQuarantined(client);
  if (count === 0) return;
  const rows = await listQuarantined(client, 20);
  throw new TandemError(
    'TD031',
    `${count} ${count === 1 ? 'row does' : 'rows do'} not fit the tables to go back to, and would be lost.`,
    {
      hint: 'Change them in the live tables, or widen what refuses them in the tables `tandem.…_backup`; then run the same command again.',
      detail: rows.map((row) => `${row.table_name}: row ${row.key.join(',')}: ${row.reason}`).join('\n'),
    },
  );
}
