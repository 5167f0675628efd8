import type { Pool } from 'pg';
import { partitionNames, relationExists } from '../../src/db/describe-table.ts';
import { type QualifiedName, quoteName } from '../../src/db/identifier.ts';
import type { ReportContext, ReportSection } from '../../src/engine/report.ts';
import { backupFiles } from '../../src/verify-report/backup-files.ts';
import { commonQueries } from '../../src/verify-report/common-queries.ts';
import { enumValues } from '../../src/verify-report/enum-values.ts';
import { type KnownRefresh, materializedViews } from '../../src/verify-report/materialized-views.ts';
import { recordCounts } from '../../src/verify-report/record-counts.ts';
import { referentialIntegrity } from '../../src/verify-report/referential-integrity.ts';
import { rowSecurity } from '../../src/verify-report/row-security.ts';
import type { RowSecurityInput } from '../../src/verify-report/row-security-input.ts';
import type { SessionsNames } from './names.ts';
import { columnOf, sessionsQueries } from './report-queries.ts';
import { enumLabels, messagesShape, sessionsShape } from './shape.ts';

/** What session_stats is made from, and the same counted from messages and feedback. */
const AHEAD = {
  kept: 'private.session_rollup',
  counted: 'private.session_counts',
  update: 'SELECT private.fold_session_changes(2147483647)',
};

/** The guide's Post-Migration Verification, for the tables of the plan `sessions`. */
export async function sessionsReport(names: SessionsNames, context: ReportContext): Promise<ReportSection[]> {
  const { pool, moves, options, signal } = context;
  const beside = (name: string): QualifiedName => ({ schema: names.sessions.schema, name });
  const feedback = beside('message_feedback');
  const tables = [names.sessions, names.messages];
  if (await relationExists(pool, feedback)) tables.push(feedback);
  tables.push(names.registry);

  const sections: (() => Promise<ReportSection>)[] = [
    () => recordCounts(pool, tables, moves),
    () => referentialIntegrity(pool, { tables, ...promises(names, feedback) }),
    () => enumValues(pool, enumColumns(names), moves),
    () => commonQueries(pool, () => sessionsQueries(pool, names, moves.length > 0)),
    () =>
      materializedViews(pool, [{ view: beside('session_stats'), known: knownRefresh(context), ahead: AHEAD }], options),
    () => rowSecurity(pool, () => securityInput(pool, names, feedback)),
    () => backupFiles(options.backupDir, signal),
  ];
  const made: ReportSection[] = [];
  for (const make of sections) {
    signal.throwIfAborted();
    made.push(await make());
  }
  return made;
}

function enumColumns(names: SessionsNames) {
  return (
    [
      [names.sessions, sessionsShape, names.sessionsColumns],
      [names.messages, messagesShape, names.messagesColumns],
    ] as const
  ).flatMap(([table, shape, columns]) =>
    shape.flatMap((column) =>
      column.enum === undefined
        ? []
        : [
            {
              table,
              column: columns[column.name] ?? column.name,
              type: { schema: names.sessions.schema, name: column.enum },
              labels: enumLabels[column.enum] ?? [],
            },
          ],
    ),
  );
}

function promises(names: SessionsNames, feedback: QualifiedName) {
  const [sessions, messages, registry] = [names.sessions, names.messages, names.registry].map(quoteName);
  const s = columnOf(names.sessionsColumns);
  const m = columnOf(names.messagesColumns);
  const plain = (columns: Readonly<Record<string, string>>, name: string) => columns[name] ?? name;
  return {
    relations: [
      {
        table: names.sessions,
        columns: [plain(names.sessionsColumns, 'id'), plain(names.sessionsColumns, 'status')],
        references: names.registry,
      },
      {
        table: names.messages,
        columns: [plain(names.messagesColumns, 'session_id')],
        references: names.registry,
      },
      { table: feedback, columns: ['message_id'], references: names.messages },
    ],
    invariants: [
      {
        title: 'every registered id is that of a session',
        subject: names.registry,
        offenders: `SELECT k.id::text AS key FROM ${registry} k
                     WHERE NOT EXISTS (SELECT FROM ${sessions} s WHERE s.${s('id')} = k.id AND s.${s('status')} = k.status)`,
      },
      {
        title: 'the registry has the language of the session',
        subject: names.registry,
        offenders: `SELECT k.id::text AS key FROM ${registry} k
                      JOIN ${sessions} s ON s.${s('id')} = k.id AND s.${s('status')} = k.status
                     WHERE s.${s('language')} <> k.language`,
      },
      {
        title: 'a message has the language of its session',
        subject: names.messages,
        offenders: `SELECT m.${m('id')}::text AS key FROM ${messages} m JOIN ${registry} k ON k.id = m.${m('session_id')}
                     WHERE m.language <> k.language`,
      },
    ],
  };
}

/** The first one was part of the run: how long the step took bounds it from above. */
function knownRefresh({ steps }: ReportContext): KnownRefresh | null {
  const step = steps.find(({ name, state }) => name === 'session-stats' && state === 'done');
  if (!step?.started_at || !step.finished_at) return null;
  return {
    milliseconds: step.finished_at.getTime() - step.started_at.getTime(),
    source: 'when it was made: creating, filling and refreshing it together',
  };
}

async function securityInput(pool: Pool, names: SessionsNames, feedback: QualifiedName): Promise<RowSecurityInput> {
  const { schema } = names.sessions;
  const [sessions, messages] = [quoteName(names.sessions), quoteName(names.messages)];
  const s = columnOf(names.sessionsColumns);
  const m = columnOf(names.messagesColumns);
  const partitions = (await partitionNames(pool, names.sessions)).map((name) => ({ schema, name }));
  // Somebody with feedback has messages and sessions too; where there is none, somebody with messages.
  const { rows } = await pool.query<{ user: string }>(
    `SELECT coalesce((SELECT m.${m('user_id')} FROM ${quoteName(feedback)} f JOIN ${messages} m ON m.${m('id')} = f.message_id LIMIT 1),
                     (SELECT ${m('user_id')} FROM ${messages} LIMIT 1), (SELECT ${s('user_id')} FROM ${sessions} LIMIT 1))::text AS user`,
  );
  const user = rows[0]?.user ?? null;
  const { rows: owned } = await pool.query<{ id: string }>(
    `SELECT ${s('id')}::text AS id FROM ${sessions} WHERE ${s('user_id')} = $1 LIMIT 1`,
    [user],
  );
  return {
    guarded: [
      { table: names.sessions, own: `t.${s('user_id')} = $1::uuid` },
      { table: names.messages, own: `t.${m('user_id')} = $1::uuid` },
      {
        table: feedback,
        own: `EXISTS (SELECT FROM ${messages} m WHERE m.${m('id')} = t.message_id AND m.${m('user_id')} = $1::uuid)`,
      },
      { table: { schema, name: 'my_session_stats' }, own: 'true', isView: true },
    ],
    closed: [
      ...partitions,
      names.registry,
      { schema: 'private', name: 'session_rollup' },
      { schema: 'private', name: 'session_changes' },
      { schema, name: 'session_stats' },
    ],
    intrusions: owned.flatMap(({ id }) => [
      {
        title: 'write a session in the name of somebody else',
        table: names.sessions,
        sql: `INSERT INTO ${sessions} (${s('user_id')}, ${s('language')}, ${s('level')}) VALUES ($1, 'en', 'beginner')`,
        values: () => [user],
      },
      {
        title: 'write a message in the name of somebody else',
        table: names.messages,
        sql: insertMessage(names),
        values: () => [id, user],
      },
      {
        title: 'write into the session of somebody else',
        table: names.messages,
        sql: insertMessage(names),
        values: (stranger: string) => [id, stranger],
      },
    ]),
    user,
  };
}

function insertMessage(names: SessionsNames): string {
  const m = columnOf(names.messagesColumns);
  return `INSERT INTO ${quoteName(names.messages)} (${['session_id', 'user_id', 'sequence_number', 'content'].map(m).join(', ')})
          VALUES ($1, $2, 2147483647, 'a trial of the policies')`;
}
