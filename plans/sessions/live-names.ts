import { parseName, type QualifiedName } from '../../src/db/identifier.ts';
import { TandemError } from '../../src/engine/errors.ts';
import type { ColumnSource, SessionsConfig } from './config.ts';
import { messagesShape, type ShapeColumn, sessionsShape } from './shape.ts';

/** The names that applications use. Apart from the others, so that the client can be loaded in a browser. */
export interface LiveNames {
  readonly sessions: QualifiedName;
  readonly messages: QualifiedName;
  /** Name of each guide's column in the live tables and so in the new ones: applications keep their statements. */
  readonly sessionsColumns: Readonly<Record<string, string>>;
  readonly messagesColumns: Readonly<Record<string, string>>;
}

/** @throws TD007 for what is no table name, and for tables in different schemas */
export function liveNames(config: SessionsConfig): LiveNames {
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
    sessionsColumns: columnNames(sessionsShape, config.sessions.columns),
    messagesColumns: columnNames(messagesShape, config.messages.columns),
  };
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
