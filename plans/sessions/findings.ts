import type { Client } from '../../src/db/connect.ts';
import { displayName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import { forward } from '../../src/move/direction.ts';
import { findUnfitRows } from '../../src/move/quarantine.ts';
import type { TableMove } from '../../src/move/table-move.ts';
import type { SessionsConfig } from './config.ts';

/** Rows that would not fit the new shape, counted, with sample keys, before anything is changed. */
export async function unfitFindings(
  client: Client,
  moves: readonly TableMove[],
  config: SessionsConfig,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const move of moves) {
    for (const unfit of await findUnfitRows(client, forward(move))) {
      const values = unfit.values.map((value) => (value === 'NULL' ? 'NULL' : `'${value}'`)).join(', ');
      findings.push({
        severity: 'blocks',
        subject: displayName(move.source),
        message: `${unfit.rows.toLocaleString('en')} ${unfit.rows === 1 ? 'row has' : 'rows have'} a ${unfit.column} that does not fit (${values}), for example ${unfit.keys.join(', ')}`,
        hint: `Mend them, or map them in the plan file: { "${move.name}": { "values": { "${guideName(config, move.name, unfit.column)}": { "<their value>": "<label>" } } } }, or for NULLs { "columns": { … "whenNull": "…" } }.`,
      });
    }
  }
  return findings;
}

function guideName(config: SessionsConfig, table: string, column: string): string {
  const columns = table === 'sessions' ? config.sessions.columns : config.messages.columns;
  for (const [guide, source] of Object.entries(columns)) {
    if ((typeof source === 'string' ? source : source.column) === column) return guide;
  }
  return column;
}
