import type { Pool } from 'pg';
import { displayName, type QualifiedName } from '../db/identifier.ts';
import { isConnectionLoss, SqlState, sqlStateOf } from '../db/sqlstate.ts';
import type { Finding } from '../engine/events.ts';
import type { ReportRow } from '../engine/report.ts';
import { type Actor, asActor } from './row-security-actors.ts';
import type { RowSecurityInput } from './row-security-input.ts';
import { errorAsFinding, type SectionBody, verdictOf } from './section.ts';

/** Writes that must not be: each is refused, or, where it is not, rolled back and a finding. */
export async function tryIntruder(
  pool: Pool,
  input: RowSecurityInput,
  actor: Actor,
  stranger: string,
): Promise<SectionBody> {
  return asActor(pool, actor, 'BEGIN', async (client, become) => {
    const rows: ReportRow[] = [];
    const findings: Finding[] = [];
    for (const { title, table, sql, values } of input.intrusions) {
      await client.query('SAVEPOINT trial');
      let finding: Finding | null = null;
      let found = 'was refused';
      try {
        await become();
        const { rowCount } = await client.query(sql, [...values(stranger)]);
        found = rowCount ? 'succeeded, and was rolled back' : 'changed nothing';
        if (rowCount) finding = intruded(actor, table, title);
      } catch (error) {
        const state = sqlStateOf(error);
        if (!(error instanceof Error) || state === null || isConnectionLoss(error)) throw error;
        if (state !== SqlState.insufficientPrivilege) {
          found = error.message;
          // Constraints are asked after the policies: what they refuse, the policies have let pass.
          finding = state.startsWith('23') ? intruded(actor, table, title) : errorAsFinding(error, displayName(table));
        }
      }
      await client.query('ROLLBACK TO SAVEPOINT trial');
      if (finding) findings.push(finding);
      rows.push({
        actor: actor.title,
        table: displayName(table),
        expected: `not ${title}`,
        found,
        verdict: verdictOf(finding ? [finding] : []),
      });
    }
    return { rows, findings };
  });
}

function intruded(actor: Actor, table: QualifiedName, title: string): Finding {
  return {
    severity: 'blocks',
    subject: displayName(table),
    message: `${actor.title}: can ${title}`,
    hint: 'Its policies lack a WITH CHECK, or are not there; `tandem plan --sql` shows what they should be.',
  };
}
