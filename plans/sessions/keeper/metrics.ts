import type { Pool } from 'pg';
import { forgetDatabase, registerMetrics } from '../../../src/keeper/metric-set.ts';
import type { Metrics } from '../../../src/keeper/metrics.ts';
import type { SessionsNames } from '../names.ts';
import { createFigureReader } from './figures.ts';
import { sessionsMetricDefinitions } from './metric-definitions.ts';
import { createRefreshReader } from './refresh-durations.ts';
import type { Probe } from './search-probe.ts';
import { type MetricsSettings, showFigures } from './show-figures.ts';

export interface SessionsMetrics {
  /** Reads the figures from the database; to be awaited before the registry is asked. Several at once read once. */
  collect(): Promise<void>;
  /** Notes a probe of the search. */
  probed(probe: Probe): void;
}

/** Adds the series of the plan `sessions` to the keeper's. `onError` is told why the database could not be read. */
export function addSessionsMetrics(input: {
  readonly metrics: Metrics;
  readonly pool: Pool;
  readonly names: SessionsNames;
  readonly settings: MetricsSettings;
  readonly onError: (error: unknown) => void;
}): SessionsMetrics {
  const { metrics, pool, names, settings, onError } = input;
  const set = registerMetrics(metrics.registry, sessionsMetricDefinitions);
  const reader = createFigureReader(pool, names, settings.monitoring.partitionLimits);
  const refreshes = createRefreshReader(pool);
  let collecting: Promise<void> | null = null;

  const collect = async () => {
    try {
      const figures = await reader.read();
      if (figures.keeper !== null) for (const took of await refreshes.read()) set.statsRefresh.observe(took);
      showFigures(set, figures, settings);
      metrics.databaseUp.set(1);
    } catch (error) {
      metrics.databaseUp.set(0);
      forgetDatabase(set, sessionsMetricDefinitions);
      onError(error);
    }
  };
  return {
    collect: () => {
      collecting ??= collect().finally(() => {
        collecting = null;
      });
      return collecting;
    },
    probed: ({ language, seconds, error }) => {
      if (error === null) set.probe.observe({ language }, seconds);
      else set.probeFailures.inc({ language });
    },
  };
}
