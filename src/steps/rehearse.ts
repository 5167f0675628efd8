import { displayName } from '../db/identifier.ts';
import { isConnectionLoss } from '../db/sqlstate.ts';
import { TandemError } from '../engine/errors.ts';
import type { Step, StepContext } from '../engine/step.ts';
import { rehearsalFindings } from '../rehearse/findings.ts';
import { rehearseMoves } from '../rehearse/rehearse.ts';
import type { Rehearsal } from '../rehearse/result.ts';

/**
 * Tells, before the names are swapped, which of the application's statements would not hold afterwards. What it finds
 * are warnings, and where it cannot be done it says so: the run goes on. With `blocking`, statements that would break
 * stop it (TD011).
 */
export function rehearseStep(input: { guide: string; blocking?: boolean }): Step {
  return {
    name: 'rehearse',
    guide: input.guide,
    title: "Rehearse the application's statements",
    phase: 'draining',
    repeats: true,
    beforeCutoverOnly: true,
    plan: async ({ moves }) => [
      {
        sql: '-- each statement of pg_stat_statements, and of functions, views and policies, parsed and planned on both shapes, not executed',
        lock: `ACCESS SHARE or ROW EXCLUSIVE on ${moves.map((move) => displayName(move.source)).join(', ')}, for each statement`,
        cost: 'planning only',
      },
    ],
    apply: async (context) => {
      const rehearsal = await attempt(context);
      if (rehearsal === null) return 'not rehearsed';
      const findings = rehearsalFindings(rehearsal, input.blocking ? 'blocks' : 'warning');
      for (const finding of findings) context.emit({ event: 'finding', ...finding });
      context.emit({ event: 'note', message: rehearsal.sources.join(' ') });
      const { counts } = rehearsal;
      if (input.blocking && !rehearsal.ok) {
        throw new TandemError(
          'TD011',
          `${counts.breaks + counts.changes} of the application’s statements would not survive the cutover.`,
          {
            hint: 'Mend them: `tandem rehearse` lists each with its mend. Then run the same command again.',
            detail: findings.map((finding) => `${finding.subject}: ${finding.message}`).join('\n'),
          },
        );
      }
      return `${counts.rehearsed} statements: ${counts.breaks} would break, ${counts.changes} would change`;
    },
    verify: async () => [],
    revert: 'nothing to revert',
  };
}

/** A rehearsal that fails is no reason to stop a run; an interrupted one is. */
async function attempt({ pool, moves, emit, signal }: StepContext): Promise<Rehearsal | null> {
  try {
    return await rehearseMoves({ pool, moves, signal });
  } catch (error) {
    if (signal.aborted || isConnectionLoss(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    emit({ event: 'note', message: `The application’s statements could not be rehearsed: ${reason}` });
    return null;
  }
}
