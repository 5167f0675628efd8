import { TandemError } from '../engine/errors.ts';

/** What was typed is what was asked for. @throws TD013 */
export function assertConfirmed(typed: string, wanted: string): void {
  if (typed.trim() === wanted) return;
  throw new TandemError('TD013', 'Nothing was done: what was typed is something else.', {
    hint: `Type ${wanted} to go ahead.`,
  });
}
