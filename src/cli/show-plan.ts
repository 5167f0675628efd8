import { describePlan } from '../engine/describe-plan.ts';
import { ExitCode } from '../engine/errors.ts';
import { type PlanOptions, runOptions, withDatabase } from './connection.ts';
import { loadPlan } from './load-plan.ts';
import { renderPlan } from './render-plan.ts';
import { renderPlanSql } from './render-plan-sql.ts';
import type { Terminal } from './terminal.ts';

export interface ShowPlanOptions extends PlanOptions {
  workers: number;
  createAuth?: boolean;
  backupDir?: string;
  diskFree?: number;
  sql?: boolean;
}

/** What `tandem plan` and `tandem migrate --dry-run` do: they read, and tell. */
export async function showPlan(terminal: Terminal, options: ShowPlanOptions): Promise<ExitCode> {
  const plan = await loadPlan(options);
  return withDatabase(options, { writes: false }, async (pool) => {
    const described = await describePlan(pool, plan, runOptions(options));
    if (options.json) terminal.line(JSON.stringify(described, null, 2));
    else terminal.line(options.sql ? renderPlanSql(described) : renderPlan(described));
    return described.ok ? ExitCode.done : ExitCode.failedCheck;
  });
}
