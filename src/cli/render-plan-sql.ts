import { stripVTControlCharacters } from 'node:util';
import type { PlanDescription } from '../engine/describe-plan.ts';
import { colors as pc } from './colors.ts';
import { describeFinding } from './describe-event.ts';
import { verdict } from './render-plan.ts';

/** Every statement in full, and all else as comments: a file that an editor takes for SQL. To be read, not to be run. */
export function renderPlanSql(plan: PlanDescription): string {
  const comment = (text: string) => pc.dim(`-- ${stripVTControlCharacters(text).trimEnd()}`);
  const lines = [comment(plan.title)];
  for (const { guide, title, statements } of plan.steps) {
    lines.push('', comment(`guide ${guide}: ${title}`));
    let said = '';
    for (const { sql, lock, cost } of statements) {
      const about = `${cost}; ${lock ?? 'no lock on a live table'}`;
      if (about !== said) lines.push(comment(about));
      said = about;
      lines.push(sql.trim().startsWith('--') ? comment(sql.trim().slice(2).trim()) : `${sql.trim()};`);
    }
  }
  return [...lines, '', ...plan.findings.flatMap(describeFinding).map(comment), comment(verdict(plan))].join('\n');
}
