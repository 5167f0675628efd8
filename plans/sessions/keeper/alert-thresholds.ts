const HOUR = 3600;
const DAY = 24 * HOUR;

/** What both the rules for Prometheus and the built-in alerting are made of. Seconds, and shares. */
export const thresholds = {
  partitionShare: 0.8,
  growthAhead: 7 * DAY,
  statsAge: 2 * HOUR,
  refreshShare: 0.5,
  searchTimes: 2,
  /** A search that takes less is quick enough, whatever it took before. */
  searchLeast: 0.1,
  archivingBehind: DAY,
  /** Beyond the interval of backups: with one a day, 26 hours. */
  backupGrace: 2 * HOUR,
  backupShare: 0.5,
  /** Beyond the interval of drills: with one a week, 8 days. */
  drillGrace: DAY,
  migrationIdle: HOUR,
} as const;
