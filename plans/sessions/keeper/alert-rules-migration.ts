import type { AlertRule } from './alert-rules.ts';
import { thresholds as t } from './alert-thresholds.ts';

const MINUTE = 60;
/** In the other phases a run may wait for somebody's decision as long as it likes. */
const WORKING = ['preparing', 'copying', 'draining'];

export const migrationRules: readonly AlertRule[] = [
  {
    name: 'TandemMigrationStuck',
    severity: 'warning',
    holds: 15 * MINUTE,
    expr: `max by (job) (tandem_migration_phase{phase=~"${WORKING.join('|')}"}) == 1 and on (job) (max by (job) (tandem_migration_runner) == 0 or time() - max by (job) (tandem_migration_progress_timestamp_seconds) > ${t.migrationIdle}) unless on (job) max by (job) (tandem_throttled{work="migration", reason="paused"}) == 1`,
    summary: 'The migration is open, and does not go on',
    find: ({ now, migration }) => {
      const { phase, hasRunner, progressAt, waitingFor } = migration;
      if (!WORKING.includes(phase) || waitingFor?.startsWith('paused')) return [];
      if (!hasRunner) return [{ label: '', summary: `The migration is ${phase}, and no command works on it` }];
      const idle = (now.getTime() - (progressAt?.getTime() ?? 0)) / 1000;
      if (idle <= t.migrationIdle) return [];
      return [
        {
          label: '',
          summary: `The migration is ${phase}, and has not moved for ${(idle / MINUTE).toFixed(0)} minutes`,
        },
      ];
    },
  },
  {
    name: 'TandemQuarantine',
    severity: 'warning',
    holds: 5 * MINUTE,
    expr: 'max by (job) (tandem_migration_quarantined_rows) > 0',
    summary: '{{ $value }} rows are in quarantine, and hold up the cutover or the way back',
    find: ({ migration: { quarantined } }) =>
      quarantined > 0 ? [{ label: '', summary: `${quarantined} rows are in quarantine` }] : [],
  },
];
