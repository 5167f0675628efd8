import { sessionsConfigSchema } from '../../../plans/sessions/config.ts';
import { liveNames } from '../../../plans/sessions/live-names.ts';
import { parseInput } from '../inputs.ts';
import { feedback, message, searchMatch, session, sessionStats } from '../rows.ts';

/** The tables and columns as PostgREST is asked for them, under the guide's names: `id,user_id:owner_id,…`. */
export interface Names {
  readonly schema: string;
  readonly sessions: string;
  readonly messages: string;
  readonly sessionColumns: string;
  readonly messageColumns: string;
  readonly feedbackColumns: string;
  readonly searchColumns: string;
  readonly statsColumns: string;
  readonly ownStatsColumns: string;
  /** The name of one of the guide's columns in this database, for a condition or an order. */
  session(column: string): string;
  message(column: string): string;
  /** What is sent of a row, under its columns' names in this database. */
  sessionRow(values: Values): Values;
  messageRow(values: Values): Values;
}

export type Values = Readonly<Record<string, unknown>>;

/** @param config what the plan file says, where tables or columns have names of their own */
export function restNames(config: unknown): Names {
  const names = liveNames(parseInput(sessionsConfigSchema, config ?? {}));
  const ofSession = (column: string) => names.sessionsColumns[column] ?? column;
  const ofMessage = (column: string) => names.messagesColumns[column] ?? column;
  const own = (column: string) => column;
  const stats = Object.keys(sessionStats.shape);
  return {
    schema: names.sessions.schema,
    sessions: names.sessions.name,
    messages: names.messages.name,
    sessionColumns: selected(Object.keys(session.shape), ofSession),
    messageColumns: selected(Object.keys(message.shape), ofMessage),
    feedbackColumns: selected(Object.keys(feedback.shape), own),
    searchColumns: selected(Object.keys(searchMatch.shape), own),
    statsColumns: selected(stats, own),
    ownStatsColumns: selected(
      stats.filter((column) => column !== 'user_id'),
      own,
    ),
    session: (column) => asName(ofSession(column)),
    message: (column) => asName(ofMessage(column)),
    sessionRow: (values) => renamed(values, ofSession),
    messageRow: (values) => renamed(values, ofMessage),
  };
}

function renamed(values: Values, nameOf: (column: string) => string): Values {
  return Object.fromEntries(Object.entries(values).map(([column, value]) => [nameOf(column), value]));
}

function selected(columns: readonly string[], nameOf: (column: string) => string): string {
  return columns
    .map((column) => (nameOf(column) === column ? column : `${column}:${asName(nameOf(column))}`))
    .join(',');
}

/** What a request says of itself, and not of a column, unless it is quoted. */
const RESERVED = new Set(['select', 'order', 'limit', 'offset', 'columns', 'on_conflict', 'and', 'or', 'not']);

function asName(name: string): string {
  return /^\w+$/.test(name) && !RESERVED.has(name) ? name : quoted(name);
}

/** A name or value that may hold what PostgREST's lists are made of: commas, dots, parentheses. */
export function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
