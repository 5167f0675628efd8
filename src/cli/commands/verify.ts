import type { Command } from 'commander';
import type { Pool } from 'pg';
import { describeUrl } from '../../db/connect.ts';
import { ExitCode } from '../../engine/errors.ts';
import type { Emit } from '../../engine/events.ts';
import { asOneStep } from '../../engine/one-step.ts';
import { type VerifyResult, verify } from '../../engine/verify.ts';
import { renderPage } from '../../verify-report/page.ts';
import { assertPagePlace, writePage } from '../../verify-report/write-page.ts';
import { type PlanOptions, runOptions, withDatabase, withPlanOptions } from '../connection.ts';
import { withExamples } from '../examples.ts';
import { loadPlan } from '../load-plan.ts';
import type { RunCommand } from '../program.ts';
import { renderReport, reportDocument } from '../render-report.ts';
import { renderVerification, verificationDocument } from '../render-verification.ts';
import { withReporter } from '../reporter.ts';
import { packageVersion } from '../version.ts';

const TASK = { name: 'verify', guide: '6', title: 'Compare every column of every row, and look at every step' };

interface VerifyOptions extends PlanOptions {
  html?: string;
  refresh?: boolean;
  backupDir?: string;
  accept?: boolean;
}

export function verifyCommand(program: Command, run: RunCommand): void {
  const command = withPlanOptions(program.command('verify'))
    .summary('compare every column of every row')
    .description(
      "The whole verification, at any time after the copy: every column of every row, and every step. After the cutover also the guide's Post-Migration Verification: counts, references, enum values, common queries, materialized views, row security. Exit 1 on any difference.",
    )
    .option('--html <file>', 'write it all as one page, to be handed on')
    .option('--refresh', 'refresh the materialized views, to measure it')
    .option('--backup-dir <dir>', 'read this backup too, and compare it with its manifest')
    .option('--accept', 'what hangs on the tables now is what is meant: what is missing was taken away on purpose')
    .option('--json', 'one document');
  withExamples(command, [
    ['tandem verify'],
    ['tandem verify --backup-dir ./backup --html report.html', 'a page for a colleague'],
    ['tandem verify --accept', 'an index was dropped on purpose since the cutover'],
    ['tandem verify --json | jq .ok'],
    ["tandem verify --json | jq '.tables[].differences'", 'tables, keys and columns that differ'],
  ]).action((options: VerifyOptions) =>
    run(async (terminal) => {
      const plan = await loadPlan(options);
      if (options.html !== undefined) await assertPagePlace(options.html);
      const work = async (pool: Pool, emit: Emit): Promise<VerifyResult> => {
        const report = { refresh: options.refresh ?? false, backupDir: options.backupDir ?? null };
        const { signal } = terminal;
        const accept = options.accept ?? false;
        const result = await verify({ pool, plan, options: runOptions({}), emit, signal, report, accept });
        if (options.html !== undefined) {
          const database = describeUrl(options.databaseUrl ?? '');
          const head = { database, plan: plan.title, toolVersion: packageVersion(), now: new Date() };
          await writePage(options.html, renderPage(result, head));
        }
        return result;
      };
      return withDatabase(options, { writes: options.accept ?? false }, async (pool) => {
        if (options.json) {
          const result = await work(pool, () => undefined);
          const document = { ...verificationDocument(result), report: reportDocument(result.report) };
          terminal.line(JSON.stringify(document, null, 2));
          return result.ok ? ExitCode.done : ExitCode.failedCheck;
        }
        let ok = false;
        await withReporter(terminal, { json: false, tasks: [TASK] }, async (emit) => {
          const result = await asOneStep(emit, TASK, async () => {
            const found = await work(pool, emit);
            return { result: found, detail: found.ok ? 'everything holds' : 'not everything holds' };
          });
          ok = result.ok;
          const page = options.html === undefined ? [] : [`The page is ${options.html}.`];
          return {
            summary: [...renderReport(result.report), renderVerification(result), ...page].join('\n'),
            fields: {},
          };
        });
        return ok ? ExitCode.done : ExitCode.failedCheck;
      });
    }),
  );
}
