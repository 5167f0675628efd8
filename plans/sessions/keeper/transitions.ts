import { quoteIdent, quoteName } from '../../../src/db/identifier.ts';
import type { SessionsNames } from '../names.ts';
import type { ArchivePolicy } from './policy.ts';

/** A status that sessions leave when they have been idle in it for long enough. */
export interface Transition {
  readonly name: 'archived' | 'deleted' | 'purged';
  readonly from: 'active' | 'archived' | 'deleted';
  /** Null: the session is deleted for good. */
  readonly to: 'archived' | 'deleted' | null;
  readonly days: number;
}

/** The transitions that the policy has switched on, the last status first: a session takes one step in a run. */
export function transitions(policy: ArchivePolicy): Transition[] {
  const all = [
    { name: 'purged', from: 'deleted', to: null, days: policy.purgeAfterDays },
    { name: 'deleted', from: 'archived', to: 'deleted', days: policy.deleteAfterDays },
    { name: 'archived', from: 'active', to: 'archived', days: policy.archiveAfterDays },
  ] as const;
  return all.flatMap(({ days, ...transition }) => (days === null ? [] : [{ ...transition, days }]));
}

/**
 * SQL over sessions `s`, with the status as $1 and the days as $2: idle since the last access, and for as long in this
 * status where the keeper itself moved the session there, or back.
 */
export function dueCondition(names: SessionsNames): string {
  const [id, status, accessed] = ['id', 'status', 'last_accessed'].map((c) =>
    quoteIdent(names.sessionsColumns[c] ?? c),
  );
  const enumType = `${quoteIdent(names.sessions.schema)}.session_status`;
  return `s.${status} = $1::${enumType} AND s.${accessed} < now() - $2::float8 * interval '1 day'
      AND NOT EXISTS (SELECT FROM keeper.session_moves m WHERE m.session_id = s.${id} AND m.to_status = $1::${enumType}
                         AND m.moved_at > now() - $2::float8 * interval '1 day')
      AND NOT EXISTS (SELECT FROM keeper.session_holds h WHERE h.session_id = s.${id})`;
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
