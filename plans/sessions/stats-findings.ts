import type { Queryable } from '../../src/db/connect.ts';
import { quoteName } from '../../src/db/identifier.ts';
import type { Finding } from '../../src/engine/events.ts';
import type { SessionsNames } from './names.ts';
import { planStatements } from './templates.ts';

/** On messages and on message_feedback; and one that only messages has. */
const TRIGGERS = [
  'session_changes_insert',
  'session_changes_update',
  'session_changes_delete',
  'session_changes_truncate',
];
const MOVE_TRIGGER = 'zz_session_changes_move';

/** Which of the triggers are not there, or do not fire for everybody. */
export async function triggerFindings(client: Queryable, names: SessionsNames): Promise<Finding[]> {
  const feedback = quoteName({ schema: names.sessions.schema, name: 'message_feedback' });
  const wanted = [
    ...TRIGGERS.map((name) => ({ table: feedback, name })),
    ...[...TRIGGERS, MOVE_TRIGGER].map((name) => ({ table: quoteName(names.messages), name })),
  ];
  const { rows } = await client.query<{ table: string; name: string; state: string | null }>(
    `SELECT w.table, w.name, t.tgenabled AS state
       FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS w ("table", name)
       LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = pg_catalog.to_regclass(w.table) AND t.tgname = w.name
      WHERE t.tgenabled IS DISTINCT FROM 'A'`,
    [wanted.map(({ table }) => table), wanted.map(({ name }) => name)],
  );
  return rows.map(({ table, name, state }) => {
    const fires = state === 'O';
    return {
      severity: fires ? 'warning' : 'blocks',
      subject: 'private.session_rollup',
      message: fires
        ? `trigger ${name} on ${table} does not note what replica sessions write`
        : `trigger ${name} on ${table} ${state === null ? 'is missing' : 'is switched off'}: writes are not counted`,
      hint:
        state === null
          ? 'It stands in supabase/migrations, with the statements that make it.'
          : `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${name}; then \`tandem refresh --recount\`.`,
    };
  });
}

/** Rollup and queue against the rows that they speak of, all of them, in one snapshot. */
export async function driftFindings(client: Queryable, names: SessionsNames): Promise<Finding[]> {
  let drifted = 0;
  for (const sql of planStatements('session-stats-drift', names, 'live')) {
    const { rows } = await client.query<{ drifted: number }>(sql);
    drifted += rows[0]?.drifted ?? 0;
  }
  if (drifted === 0) return [];
  return [
    {
      severity: 'blocks',
      subject: 'private.session_rollup',
      message: `${drifted} sessions have other figures there than their messages and feedback give`,
      hint: '`tandem refresh --recount` counts every session anew.',
    },
  ];
}
