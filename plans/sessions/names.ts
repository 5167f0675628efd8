import { type QualifiedName, quoteIdent, quoteName } from '../../src/db/identifier.ts';
import { suffixed } from '../../src/db/suffixed-name.ts';
import type { SessionsConfig } from './config.ts';
import { type LiveNames, liveNames } from './live-names.ts';

/** Every name that the plan's SQL uses, resolved from the plan file. */
export interface SessionsNames extends LiveNames {
  /** Where targets and retired tables stand. */
  readonly sessionsTarget: QualifiedName;
  readonly messagesTarget: QualifiedName;
  readonly sessionsRetired: QualifiedName;
  readonly messagesRetired: QualifiedName;
  readonly registry: QualifiedName;
  readonly partitions: Readonly<Record<'active' | 'archived' | 'deleted', string>>;
}

export function sessionsNames(config: SessionsConfig): SessionsNames {
  const live = liveNames(config);
  const { sessions, messages } = live;
  return {
    ...live,
    sessionsTarget: { schema: 'tandem', name: suffixed(sessions.name, '_partitioned') },
    messagesTarget: { schema: 'tandem', name: suffixed(messages.name, '_target') },
    sessionsRetired: { schema: 'tandem', name: suffixed(sessions.name, '_backup') },
    messagesRetired: { schema: 'tandem', name: suffixed(messages.name, '_backup') },
    registry: { schema: 'private', name: 'session_keys' },
    partitions: {
      active: suffixed(sessions.name, '_active'),
      archived: suffixed(sessions.name, '_archived'),
      deleted: suffixed(sessions.name, '_deleted'),
    },
  };
}

/** The placeholders of the plan's SQL templates, quoted. `stage` says where the targets stand while they are filled. */
export function placeholders(names: SessionsNames, stage: 'beside' | 'live'): Record<string, string> {
  const [sessionsTarget, messagesTarget] =
    stage === 'beside' ? [names.sessionsTarget, names.messagesTarget] : [names.sessions, names.messages];
  const result: Record<string, string> = {
    schema: quoteIdent(names.sessions.schema),
    sessions: quoteName(names.sessions),
    messages: quoteName(names.messages),
    sessions_target: quoteName(sessionsTarget),
    messages_target: quoteName(messagesTarget),
    target_schema: quoteIdent(sessionsTarget.schema),
  };
  for (const [status, name] of Object.entries(names.partitions)) result[`partition.${status}`] = quoteIdent(name);
  for (const [column, name] of Object.entries(names.sessionsColumns)) result[`sessions.${column}`] = quoteIdent(name);
  for (const [column, name] of Object.entries(names.messagesColumns)) result[`messages.${column}`] = quoteIdent(name);
  return result;
}
