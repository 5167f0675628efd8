import { countDue, type Due } from '../../plans/sessions/keeper/due.ts';
import { type ArchivePolicy, isStricter, readPolicy, writePolicy } from '../../plans/sessions/keeper/policy.ts';
import type { Pool } from '../db/connect.ts';
import { TandemError } from '../engine/errors.ts';
import { answerTo } from './confirm.ts';
import type { Terminal } from './terminal.ts';

/**
 * Puts the plan file's policy into force. One that moves sessions on sooner than the one before is confirmed by how many
 * it moves, typed or given with --affected: the number is what a mistaken zero changes, and --yes does not know it.
 *
 * @throws TD013 where the number is not the right one
 */
export async function putPolicy(
  terminal: Terminal,
  pool: Pool,
  policy: ArchivePolicy,
  options: { due?: readonly Due[]; affected?: number; canAsk: boolean },
): Promise<void> {
  const { affected, canAsk } = options;
  if (!isStricter(policy, await readPolicy(pool))) return writePolicy(pool, policy);
  const due = options.due ?? (await countDue(pool, policy));
  const sessions = due.reduce((sum, { sessions: n }) => sum + n, 0);
  if (sessions === 0) return writePolicy(pool, policy);
  if (affected !== undefined) {
    if (sessions <= affected) return writePolicy(pool, policy, affected);
    throw refused(`The plan file is stricter than the policy in force, and moves ${sessions} sessions on.`);
  }
  if (!canAsk || !terminal.canAsk)
    throw refused(`The plan file is stricter than the policy in force: it moves ${sessions} sessions on.`);
  const answer = await answerTo(
    terminal,
    `The plan file is stricter than the policy in force. Type the number of sessions that it moves (${sessions}): `,
  );
  if (answer.trim() !== String(sessions)) throw refused('Nothing was done.');
  return writePolicy(pool, policy, sessions);
}

function refused(message: string): TandemError {
  return new TandemError('TD013', message, {
    hint: 'Look at it with `tandem archive --dry-run`; then type the number, or give it with --affected, to go ahead.',
  });
}
