import type { PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { TableDescription } from '../db/describe-table.ts';
import { displayName, quoteIdent, quoteName } from '../db/identifier.ts';
import { isDataError, sqlStateOf } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import { keepColumns } from './csv-columns.ts';
import { commonFailure, serverMessage } from './failures.ts';
import type { ManifestTable } from './manifest.ts';
import { type ReadBack, readBack } from './read-back.ts';

export interface CopyIn extends ReadBack {
  readonly directory: string;
  readonly entry: ManifestTable;
  readonly target: TableDescription;
}

/**
 * Streams one file into its table. Generated columns are left out: the server computes them again. The values of
 * identity columns are loaded as they are. `HEADER MATCH` has the server compare the names of the columns.
 *
 * ```sql
 * COPY "public"."sessions" ("id", "status") FROM STDIN WITH (FORMAT csv, HEADER match)
 * ```
 *
 * @throws TD044 for a row that does not fit, with its line in the file; TD041 where the file is damaged
 */
export async function copyIn(client: PoolClient, { directory, entry, target, ...options }: CopyIn): Promise<void> {
  const generated = new Set(target.columns.filter((column) => column.generated !== '').map(({ name }) => name));
  const keep = entry.columns.map(({ name }) => !generated.has(name));
  const columns = entry.columns.filter((_, at) => keep[at]).map(({ name }) => quoteIdent(name));
  const copy = copyFrom(`COPY ${quoteName(entry)} (${columns.join(', ')}) FROM STDIN WITH (FORMAT csv, HEADER match)`);
  // It may fail once more after the pipeline has ended, when its connection is closed.
  copy.on('error', () => undefined);
  const into = () => [...(keep.includes(false) ? [keepColumns(keep)] : []), client.query(copy)];
  try {
    await readBack(directory, entry, into, options);
  } catch (error) {
    throw commonFailure(error, displayName(entry), options.signal) ?? loadFailure(error, entry);
  }
  if (copy.rowCount === entry.rows) return;
  throw new TandemError('TD044', `${displayName(entry)} took ${copy.rowCount} of ${entry.rows} rows.`, {
    hint: 'Nothing was restored. A rule or trigger of the table keeps rows out.',
  });
}

/** TD044 for what the server said of a row (with its line), of the foreign keys of all rows, or of the load itself. */
export function loadFailure(error: unknown, entry: ManifestTable | null): unknown {
  const state = sqlStateOf(error);
  if (state === null) return error;
  const subject = entry ? `The rows of ${displayName(entry)}` : 'The restored tables';
  const line = entry && lineOf(error, entry.name);
  const place = entry && line ? `, line ${line} of ${entry.file}` : '';
  const [verb, hint] = isDataError(state)
    ? ['do not fit', 'Bring the table, and the tables that it references, to what they were at the backup.']
    : ['cannot be loaded', 'The message of the server is below.'];
  return new TandemError('TD044', `${subject} ${verb}${place}.`, {
    hint: `Nothing was restored. ${hint}`,
    ...serverMessage(error),
    cause: error,
  });
}

/** The server says `COPY sessions, line 3, …` in its own language; the name is known, and the number follows it. */
function lineOf(error: unknown, table: string): string | null {
  if (typeof error !== 'object' || error === null || !('where' in error) || typeof error.where !== 'string')
    return null;
  const place = error.where.indexOf(`${table}, `);
  return place === -1 ? null : (/^\D*(\d+)/u.exec(error.where.slice(place + table.length))?.[1] ?? null);
}
