import { quoteIdent, quoteName } from '../../../src/db/identifier.ts';
import type { SessionsNames } from '../names.ts';
import type { ArchivePolicy } from './policy.ts';

/** A status that sessions leave when they have been idle in it for long enough. */
export interface Transition {
  readonly name: 'archived' | 'deleted' | 'purged';
  /** Since the last access. */
  readonly days: number;
  /** Since the session came into its status, where that is known. */
  readonly restDays: number;
}

/** The transitions that the policy has switched on, the last status first: a session takes one step in a run. */
export function transitions({
  archiveAfterDays,
  deleteAfterDays,
  purgeAfterDays,
  graceDays,
}: ArchivePolicy): Transition[] {
  const all = [
    { name: 'purged', days: purgeAfterDays, least: graceDays },
    { name: 'deleted', days: deleteAfterDays, least: 0 },
    { name: 'archived', days: archiveAfterDays, least: 0 },
  ] as const;
  return all.flatMap(({ name, days, least }) =>
    days === null ? [] : [{ name, days, restDays: Math.max(days, least) }],
  );
}

/**
 * What is due, to be selected from: `session_id`, `last_accessed`, the longest idle first. It is the condition that a batch
 * locks by, without the locks; its values are `dueValues`.
 */
export const DUE_SESSIONS =
  "keeper.due($1, $2::float8 * interval '1 day', $3::float8 * interval '1 day', null, null, $4, false)";

/** @param most of them at most; null: all */
export function dueValues({ name, days, restDays }: Transition, most: number | null = null): unknown[] {
  return [name, days, restDays, most];
}

/** The quoted names that the keeper's statements are made of. */
export function keeperNames(names: SessionsNames) {
  const column = (name: string) => quoteIdent(names.sessionsColumns[name] ?? name);
  const message = (name: string) => quoteIdent(names.messagesColumns[name] ?? name);
  const schema = quoteIdent(names.sessions.schema);
  return {
    sessions: quoteName(names.sessions),
    messages: quoteName(names.messages),
    feedback: `${schema}.message_feedback`,
    stats: `${schema}.session_stats`,
    statusType: `${schema}.session_status`,
    id: column('id'),
    userId: column('user_id'),
    status: column('status'),
    lastAccessed: column('last_accessed'),
    messageId: message('id'),
    messageSession: message('session_id'),
  };
}
