import type { Queryable } from '../db/connect.ts';
import { TandemError } from '../engine/errors.ts';
import { isOpen, maybeLatestRun, type Run } from '../engine/run-state.ts';

/** The run that is neither finished nor rolled back. @throws TD012 where there is none */
export async function openRun(client: Queryable): Promise<Run> {
  const run = await maybeLatestRun(client);
  if (isOpen(run)) return run;
  throw new TandemError('TD012', 'No run is open in this database.', { hint: '`tandem migrate` begins one.' });
}
