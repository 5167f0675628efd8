import type { Pool } from 'pg';
import type { Client } from '../db/connect.ts';
import { inTransaction } from '../db/connect.ts';
import { displayName } from '../db/identifier.ts';
import { TandemError } from '../engine/errors.ts';
import type { Phase } from '../engine/events.ts';
import { assertNotBlocked } from '../engine/migrate.ts';
import { isOpen, maybeLatestRun } from '../engine/run-state.ts';
import type { Plan, RunOptions } from '../engine/step.ts';
import type { TableMove } from '../move/table-move.ts';
import { readLandscape } from './landscape.ts';
import { rehearseFile, rehearseStatistics, type Work } from './rehearse-statements.ts';
import { rehearseDefinitions, rehearseFunctions } from './rehearse-stored.ts';
import { type Rehearsal, type Verdict, verdicts } from './result.ts';
import { readSearchPaths } from './search-paths.ts';
import { type RehearsalSession, withRehearsalSession } from './session.ts';
import { loadParser, type SqlParser } from './sql-parser.ts';
import { standTargets } from './stand-targets.ts';
import { readStatementsFile, type StatementsFile } from './statements-from-file.ts';
import { type MovedTable, readMovedTable } from './tables.ts';

export interface RehearseOptions {
  readonly pool: Pool;
  readonly plan: Plan;
  readonly options: RunOptions;
  /** A file of statements beside those of pg_stat_statements. */
  readonly statementsFile: string | null;
  readonly signal: AbortSignal;
  /** How many statements of pg_stat_statements are looked at, the most-called first. */
  readonly limit?: number;
}

export const DEFAULT_LIMIT = 500;

/**
 * Which of the application's statements hold today and would not after cutover. Statements are parsed and planned on
 * today's tables and on the new ones, and none is executed.
 *
 * @throws TD012 after the cutover, while the targets are being filled, and where no targets can be made
 */
export async function rehearse(input: RehearseOptions): Promise<Rehearsal> {
  const { pool, plan, options } = input;
  const parser = await loadParser();
  const file = input.statementsFile === null ? null : await readStatementsFile(parser, input.statementsFile);
  const run = await maybeLatestRun(pool);
  if (run?.phase === 'baking' || (!isOpen(run) && (await plan.isFinished(pool)))) {
    throw new TandemError('TD012', 'The cutover has been: there is nothing to rehearse any more.', {
      hint: '`tandem status` shows the run; `tandem rollback` goes back.',
    });
  }
  if (isOpen(run)) {
    assertBuilt(run.phase);
    return withRehearsalSession(pool, null, (session) =>
      rehearseOn({ ...input, file }, session, parser, run.settings.moves, 'run'),
    );
  }
  const moves = await inTransaction(
    pool,
    async (client) => {
      const resolved = await plan.resolve(client, options);
      assertNotBlocked(
        resolved.findings.filter((finding) => finding.severity === 'blocks' && resolved.moves.length === 0),
      );
      return resolved.moves;
    },
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  );
  const prepare = (client: Client) => standTargets(client, plan, moves, options);
  return withRehearsalSession(pool, prepare, (session) =>
    rehearseOn({ ...input, file }, session, parser, moves, 'made'),
  );
}

/** Without their keys, the targets would refuse every ON CONFLICT. */
function assertBuilt(phase: Phase): void {
  if (phase === 'draining' || phase === 'ready') return;
  throw new TandemError('TD012', `The new tables are not built yet: the run is ${phase}.`, {
    hint: 'Let `tandem migrate --stop-before cutover` get as far as its drain, and rehearse then.',
  });
}

/** Rehearses on the targets of the run that is under way. */
export async function rehearseMoves(
  input: Pick<RehearseOptions, 'pool' | 'signal' | 'limit'> & { moves: readonly TableMove[] },
): Promise<Rehearsal> {
  const parser = await loadParser();
  return withRehearsalSession(input.pool, null, (session) =>
    rehearseOn({ ...input, file: null }, session, parser, input.moves, 'run'),
  );
}

async function rehearseOn(
  input: Pick<RehearseOptions, 'signal' | 'limit'> & { file: StatementsFile | null },
  session: RehearsalSession,
  parser: SqlParser,
  moves: readonly TableMove[],
  targets: Rehearsal['targets'],
): Promise<Rehearsal> {
  const tables: MovedTable[] = [];
  await session.setSearchPath('');
  for (const move of moves) {
    const table = await readMovedTable(session.client, move);
    if (table === null || !table.after.hasPrimaryKey) {
      throw new TandemError('TD012', `${displayName(move.target)} is not built yet.`, {
        hint: 'Let `tandem migrate --stop-before cutover` get as far as its drain, and rehearse then.',
      });
    }
    tables.push(table);
  }
  const landscape = await readLandscape(session, parser, tables);
  const work: Work = {
    session,
    parser,
    landscape,
    paths: await readSearchPaths(session.client),
    serverVersion: await versionOf(session.client),
    comparesCosts:
      targets === 'run' && tables.every((t) => (t.today.estimatedRows ?? 0) > 0 && (t.after.estimatedRows ?? 0) > 0),
    signal: input.signal,
    reports: [],
    notes: [],
  };
  if (input.file !== null) await rehearseFile(work, input.file);
  await rehearseStatistics(work, input.limit ?? DEFAULT_LIMIT);
  await rehearseFunctions(work);
  await rehearseDefinitions(work);

  const counts = Object.fromEntries(
    verdicts.map((verdict) => [verdict, work.reports.filter((report) => report.verdict === verdict).length]),
  );
  const count = (verdict: Verdict) => counts[verdict] ?? 0;
  return {
    version: 1,
    ok: count('breaks') + count('changes') === 0,
    targets,
    tables: moves.map((move) => ({ source: displayName(move.source), target: displayName(move.target) })),
    counts: {
      rehearsed: work.reports.length - count('not understood'),
      breaks: count('breaks'),
      changes: count('changes'),
      reconnect: count('reconnect'),
      slower: count('slower'),
      'not understood': count('not understood'),
      holds: count('holds'),
    },
    sources: work.notes,
    statements: work.reports,
  };
}

async function versionOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int AS version",
  );
  return rows[0]?.version ?? 0;
}
