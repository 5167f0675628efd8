import { describeAttachment, readAttachments } from '../db/attachments.ts';
import { quoteName } from '../db/identifier.ts';
import { maybeLatestRun } from '../engine/run-state.ts';
import type { StepContext } from '../engine/step.ts';

/** What is a table's own, and is not made again on the one that comes back; what reads the table is. */
const OWN = ['policy', 'trigger', 'index', 'check', 'unique', 'exclusion', 'grant'];

/** Tells what the live tables were given since the cutover, and leave with: to be asked before the swap. */
export async function tellLeftBehind({ pool, moves, emit }: StepContext): Promise<void> {
  const carried = (await maybeLatestRun(pool))?.attachments?.carried ?? null;
  if (carried === null) return;
  const known = new Set(carried.map(describeAttachment));
  const now = await readAttachments(
    pool,
    moves.map((move) => move.source),
  );
  for (const move of moves) {
    const added = now.filter(
      (a) => a.table === quoteName(move.source) && OWN.includes(a.kind) && !known.has(describeAttachment(a)),
    );
    for (const attachment of added)
      emit({
        event: 'finding',
        severity: 'warning',
        subject: attachment.on ?? '',
        message: `${attachment.what} came since the cutover, and leaves with the new table`,
        hint: 'Make it again on the table that is live then.',
      });
  }
}
