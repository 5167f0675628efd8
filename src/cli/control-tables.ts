import { keeperControl } from '../../plans/sessions/keeper/control.ts';
import { isInstalled } from '../../plans/sessions/keeper/install.ts';
import type { Queryable } from '../db/connect.ts';
import type { QualifiedName } from '../db/identifier.ts';
import { runControl } from '../engine/control.ts';
import { TandemError } from '../engine/errors.ts';
import { isOpen, maybeLatestRun } from '../engine/run-state.ts';

/**
 * Where what is at work in this database reads that it is to pause, or to mind a throttle: the run that is open, the
 * keeper, or both.
 *
 * @throws TD012 where there is neither
 */
export async function controlTables(client: Queryable): Promise<{ table: QualifiedName; who: string }[]> {
  const found = [
    ...(isOpen(await maybeLatestRun(client)) ? [{ table: runControl, who: 'the run' }] : []),
    ...((await isInstalled(client)) ? [{ table: keeperControl, who: 'the keeper' }] : []),
  ];
  if (found.length > 0) return found;
  throw new TandemError('TD012', 'No run is open in this database.', {
    hint: '`tandem migrate` begins one.',
  });
}

/** `the run and the keeper` */
export function whoAll(tables: readonly { who: string }[]): string {
  return tables.map(({ who }) => who).join(' and ');
}
