import { type Command, Option } from 'commander';
import type { Pool } from 'pg';
import { assertServer, createPool } from '../db/connect.ts';
import { assertNoPoolerPort, assertOwnSessions } from '../db/pooler.ts';
import { TandemError } from '../engine/errors.ts';
import type { RunOptions } from '../engine/step.ts';
import { defaultCutoverLimits } from '../move/cutover.ts';

export interface CommonOptions {
  databaseUrl?: string;
  debug?: boolean;
  json?: boolean;
}

export interface PlanOptions extends CommonOptions {
  plan?: string;
}

/** The options that every command on a database takes. */
export function withCommonOptions(command: Command): Command {
  return command
    .addOption(new Option('--database-url <url>', 'the database').env('DATABASE_URL'))
    .option('--debug', 'show where an error came from, with the statement');
}

/** Those, and the plan file. */
export function withPlanOptions(command: Command): Command {
  return withCommonOptions(command).option(
    '--plan <file>',
    'plan file (default: tandem.config.ts, .js, .mjs or .json in the current folder)',
  );
}

/** Connections beside those of the workers: the runner's lock, the state, a statement of each table's build. */
const BESIDE_WORKERS = 10;

/**
 * Connects, runs `work`, and disconnects, whatever happens. `writes`: a server that only reads is refused at once.
 * `readOnly`: what `work` does cannot write.
 */
export async function withDatabase<T>(
  options: CommonOptions & { workers?: number },
  needs: { writes: boolean; readOnly?: boolean },
  work: (pool: Pool, databaseUrl: string) => Promise<T>,
): Promise<T> {
  if (!options.databaseUrl) {
    throw new TandemError('TD008', 'No database is named.', {
      hint: 'Give --database-url postgres://user:password@host:5432/database, or set DATABASE_URL.',
    });
  }
  assertNoPoolerPort(options.databaseUrl);
  const pool = createPool(options.databaseUrl, {
    max: (options.workers ?? 2) + BESIDE_WORKERS,
    readOnly: needs.readOnly ?? false,
  });
  try {
    await assertServer(pool, options.databaseUrl, needs);
    await assertOwnSessions(pool, options.databaseUrl);
    return await work(pool, options.databaseUrl);
  } finally {
    await pool.end();
  }
}

export function runOptions(options: {
  workers?: number;
  backupDir?: string;
  gzip?: boolean;
  createAuth?: boolean;
  lockTimeout?: number;
  diskFree?: number;
  terminateBlockers?: boolean;
}): RunOptions {
  return {
    workers: options.workers ?? 2,
    backupDir: options.backupDir ?? null,
    gzip: options.gzip ?? false,
    createAuth: options.createAuth ?? false,
    ...(options.diskFree === undefined ? {} : { diskFree: options.diskFree }),
    cutover: {
      ...defaultCutoverLimits,
      ...(options.lockTimeout === undefined ? {} : { lockTimeoutMs: options.lockTimeout }),
      ...(options.terminateBlockers === true ? { terminateBlockers: true } : {}),
    },
  };
}

/** For commands that swap the names. */
export function terminateBlockersOption(): Option {
  return new Option(
    '--terminate-blockers',
    'from the second attempt on, end backends that hold a lock which the cutover waits for',
  );
}

/** `--disk-free 20GB`: bytes, for commands that tell what a run needs. */
export function diskFreeOption(): Option {
  return new Option('--disk-free <bytes>', 'what is free on the server, such as 20GB').argParser((text: string) => {
    const match = /^(\d+(?:\.\d+)?)\s*(|kB|MB|GB|TB)$/.exec(text);
    const place = ['', 'kB', 'MB', 'GB', 'TB'].indexOf(match?.[2] ?? '');
    if (match) return Number(match[1]) * 1024 ** place;
    throw new TandemError('TD008', `--disk-free takes bytes, not \`${text}\`.`, {
      hint: 'For example --disk-free 20GB.',
    });
  });
}

/** Parses an option's whole number, at least `least`. */
export function wholeNumber(name: string, least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new TandemError(
      'TD008',
      `${name} takes a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? ' up' : ` to ${most}`}, not \`${text}\`.`,
      { hint: `For example ${name} ${Math.max(least, 2)}.` },
    );
  };
}
