import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionsConfig } from '../../plans/sessions/config.ts';
import { installKeeper, isMigrated } from '../../plans/sessions/keeper/install.ts';
import { writePolicy } from '../../plans/sessions/keeper/policy.ts';
import { writeStatsPolicy } from '../../plans/sessions/keeper/stats-policy.ts';
import type { SessionsNames } from '../../plans/sessions/names.ts';
import { TandemError } from '../engine/errors.ts';
import { type KeeperOptions, runKeeper } from '../keeper/keeper.ts';

const LOOK_EVERY_MS = 2_000;

/**
 * Runs the keeper from the cutover on, and stops it where a rollback has brought the flat tables back: so a server may
 * be started before the migration, and be there for all of it.
 *
 * @throws TD013 where the plan file's policy is stricter than the one in force when it is started
 */
export async function keepWhileMigrated(
  options: KeeperOptions & {
    readonly names: SessionsNames;
    readonly config: SessionsConfig;
    /** How many sessions the plan file's policy may move on, where it is stricter than the one in force. */
    readonly affected: number;
  },
): Promise<void> {
  const { pool, names, config, signal, log } = options;
  const migrated = async () => {
    try {
      return await isMigrated(pool, names);
    } catch (error) {
      log({ event: 'error', task: 'keeper', message: error instanceof Error ? error.message : String(error) });
      return null;
    }
  };
  const until = async (wanted: boolean, ended: AbortSignal) => {
    while (!ended.aborted && (await migrated()) !== wanted)
      await sleep(LOOK_EVERY_MS, undefined, { signal: ended }).catch(() => undefined);
  };
  let first = (await migrated()) === true;
  while (!signal.aborted) {
    await until(true, signal);
    if (signal.aborted) return;
    const gone = new AbortController();
    const ended = AbortSignal.any([signal, gone.signal]);
    await installKeeper(pool, names);
    if (config.archiving) {
      await writePolicy(pool, config.archiving, options.affected).catch((error: unknown) => {
        // A server that somebody is just starting is told; one that was there for the migration is not given up for it.
        if (first || !(error instanceof TandemError && error.code === 'TD013')) throw error;
        log({ event: 'error', task: 'policy', message: error.message, hint: error.hint });
      });
    }
    first = false;
    if (config.statistics) await writeStatsPolicy(pool, config.statistics);
    const watching = until(false, ended).then(() => gone.abort());
    await runKeeper({ ...options, signal: ended });
    await watching;
    if (!signal.aborted) log({ event: 'rolled back' });
  }
}
