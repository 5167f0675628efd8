import { parseName, type QualifiedName, quoteIdent, quoteName, suffixed } from '../../src/db/identifier.ts';
import { TandemError } from '../../src/engine/errors.ts';
import type { ColumnSource, SessionsConfig } from './config.ts';
import { messagesShape, type ShapeColumn, sessionsShape } from './shape.ts';

/** Every name that the plan's SQL uses, resolved from the plan file. */
export interface SessionsNames {
  readonly sessions: QualifiedName;
  readonly messages: QualifiedName;
  /** Where targets and retired tables stand. */
  readonly sessionsTarget: QualifiedName;
  readonly messagesTarget: QualifiedName;
  readonly sessionsRetired: QualifiedName;
  readonly messagesRetired: QualifiedName;
  readonly registry: QualifiedName;
  readonly partitions: Readonly<Record<'active' | 'archived' | 'deleted', string>>;
  /** Name of each guide's column in the live tables and so in the new ones: applications keep their statements. */
  readonly sessionsColumns: Readonly<Record<string, string>>;
  readonly messagesColumns: Readonly<Record<string, string>>;
}

export function sessionsNames(config: SessionsConfig): SessionsNames {
  const sessions = tableName(config.sessions.table, 'sessions.table');
  const messages = tableName(config.messages.table, 'messages.table');
  if (sessions.schema !== messages.schema) {
    throw new TandemError(
      'TD007',
      `${config.sessions.table} and ${config.messages.table} stand in different schemas.`,
      {
        hint: 'The plan `sessions` expects both tables in one schema.',
      },
    );
  }
  return {
    sessions,
    messages,
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
    sessionsColumns: columnNames(sessionsShape, config.sessions.columns),
    messagesColumns: columnNames(messagesShape, config.messages.columns),
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

function tableName(text: string, where: string): QualifiedName {
  const name = parseName(text);
  if (name === null) {
    throw new TandemError('TD007', `\`${where}\` is no table name: ${text}`, {
      hint: 'Write `schema.table`, quoted as in SQL where needed.',
    });
  }
  return name;
}

function columnNames(
  shape: readonly ShapeColumn[],
  sources: Readonly<Record<string, ColumnSource | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    shape.map((column) => {
      const source = sources[column.name];
      return [column.name, (typeof source === 'string' ? source : source?.column) ?? column.name];
    }),
  );
}
