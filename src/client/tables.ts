import { type SessionsConfig, sessionsConfigSchema } from '../../plans/sessions/config.ts';
import { type LiveNames, liveNames } from '../../plans/sessions/live-names.ts';
import { quoteIdent, quoteName } from '../db/identifier.ts';
import { parseInput } from './inputs.ts';
import { feedback, message, searchMatch, session, sessionStats } from './rows.ts';

/** The tables by their names in this database, and what is selected from them under the guide's names. */
export interface Tables {
  readonly sessions: string;
  readonly messages: string;
  readonly feedback: string;
  readonly stats: string;
  readonly ownStats: string;
  readonly searchFunction: string;
  /** Columns of `sessions` under an alias: `s."owner_id" AS "user_id", …`. */
  sessionColumns(alias: string): string;
  messageColumns(alias: string): string;
  readonly feedbackColumns: string;
  readonly searchColumns: string;
  readonly statsColumns: string;
  /** Without the column that says whose they are. */
  readonly ownStatsColumns: string;
  /** One of the enums, for a cast. */
  type(name: string): string;
  /** The name of one of the guide's columns in this database, quoted. */
  session(column: string): string;
  message(column: string): string;
}

/** @param config what the plan file says, where tables or columns have names of their own */
export function tablesOf(config: unknown): Tables {
  const parsed: SessionsConfig = parseInput(sessionsConfigSchema, config ?? {});
  const names: LiveNames = liveNames(parsed);
  const beside = (name: string) => quoteName({ schema: names.sessions.schema, name });
  const ofSession = (column: string) => quoteIdent(names.sessionsColumns[column] ?? column);
  const ofMessage = (column: string) => quoteIdent(names.messagesColumns[column] ?? column);
  const list = (shape: object) => Object.keys(shape).map(quoteIdent);
  const stats = Object.keys(sessionStats.shape);
  return {
    sessions: quoteName(names.sessions),
    messages: quoteName(names.messages),
    feedback: beside('message_feedback'),
    stats: beside('session_stats'),
    ownStats: beside('my_session_stats'),
    searchFunction: beside('search_messages'),
    sessionColumns: (alias) => aliased(alias, Object.keys(session.shape), ofSession),
    messageColumns: (alias) => aliased(alias, Object.keys(message.shape), ofMessage),
    feedbackColumns: aliased('f', Object.keys(feedback.shape), quoteIdent),
    searchColumns: list(searchMatch.shape).join(', '),
    statsColumns: stats.map(quoteIdent).join(', '),
    ownStatsColumns: stats
      .filter((column) => column !== 'user_id')
      .map(quoteIdent)
      .join(', '),
    type: beside,
    session: ofSession,
    message: ofMessage,
  };
}

function aliased(alias: string, columns: readonly string[], nameOf: (column: string) => string): string {
  return columns.map((column) => `${alias}.${nameOf(column)} AS ${quoteIdent(column)}`).join(', ');
}
