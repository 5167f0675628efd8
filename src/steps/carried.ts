import { type Attachment, readAttachments } from '../db/attachments.ts';
import { displayName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import { maybeLatestRun } from '../engine/run-state.ts';
import type { StepContext } from '../engine/step.ts';
import { attachmentFindings, isReplaced, lateAttachments } from '../move/compare-attachments.ts';
import type { TableMove } from '../move/table-move.ts';

/** Once, right after the swap: what hangs on the new tables is from then on what `verify` expects. */
export async function recordCarried(context: StepContext): Promise<void> {
  const recorded = (await maybeLatestRun(context.pool))?.attachments;
  if (!recorded || recorded.carried !== null) return;
  const carried = await readAttachments(context.pool, sourcesOf(context.moves));
  await context.recordAttachments({ ...recorded, carried });
  // Told at once: it is the moment to put it right, or to go back.
  for (const lost of attachmentFindings({ ...recorded, carried }, carried, context.moves))
    context.emit({ event: 'finding', ...lost });
}

/** @throws TD016 for what was hung on a live table after its target was made, and would be lost with the cutover */
export async function assertNothingLate(
  { pool, moves }: StepContext,
  replaces: (attachment: Attachment) => boolean = () => false,
): Promise<void> {
  const live = await readAttachments(pool, sourcesOf(moves));
  const targets = await readAttachments(
    pool,
    moves.map((move) => move.target),
  );
  const expected = live.filter((a) => !isReplaced(a, moves) && !replaces(a));
  const late = lateAttachments(expected, targets, moves);
  if (late.length === 0) return;
  throw new TandemError('TD016', `Since this run began, something was hung on a live table or changed: ${late[0]}.`, {
    hint: `Do the same to the new table (${moves.map((move) => displayName(move.target)).join(', ')}) and run the same command again, or go back with \`tandem rollback\` and start again.`,
    detail: late.join('\n'),
  });
}

const sourcesOf = (moves: readonly TableMove[]) => moves.map((move) => move.source);
