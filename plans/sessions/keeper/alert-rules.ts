import type { AlertFigures } from './alert-figures.ts';
import { backupRules } from './alert-rules-backups.ts';
import { migrationRules } from './alert-rules-migration.ts';
import { tableRules } from './alert-rules-tables.ts';

/** A condition, once for Prometheus and once over the figures that the keeper itself reads. */
export interface AlertRule {
  readonly name: `Tandem${string}`;
  readonly severity: 'warning' | 'critical';
  /** Seconds that the condition has to hold. */
  readonly holds: number;
  /** PromQL over series of docs/metrics.md. */
  readonly expr: string;
  /** For Prometheus; `{{ $labels.status }}` is filled in by it. */
  readonly summary: string;
  /** What is wrong now; null where nobody can tell but from outside: a keeper that is not there tells nothing. */
  readonly find: ((figures: AlertFigures) => readonly Finding[]) | null;
}

export interface Finding {
  /** What of; '' where there is only one. */
  readonly label: string;
  readonly summary: string;
}

const MINUTE = 60;

const keeperRules: readonly AlertRule[] = [
  {
    name: 'TandemNoLeader',
    severity: 'critical',
    holds: 2 * MINUTE,
    expr: 'sum by (job) (tandem_leader) == 0 or absent(tandem_leader)',
    summary: 'No keeper runs the tasks: nothing is archived, refreshed or backed up',
    find: null,
  },
  {
    name: 'TandemTwoLeaders',
    severity: 'critical',
    holds: MINUTE,
    expr: 'sum by (job) (tandem_leader) > 1',
    summary: '{{ $value }} keepers take themselves for the leader',
    find: null,
  },
  {
    name: 'TandemDatabaseUnreadable',
    severity: 'critical',
    holds: 5 * MINUTE,
    expr: 'max by (job) (tandem_database_up) == 0',
    summary: 'No keeper can read the figures of the database',
    find: null,
  },
];

export const alertRules: readonly AlertRule[] = [...tableRules, ...keeperRules, ...backupRules, ...migrationRules];

/** Where the runbook speaks of an alert. */
export function runbookOf(name: string): string {
  return `docs/runbook.md#${name.toLowerCase()}`;
}

export interface FoundAlert extends Finding {
  readonly rule: AlertRule;
}

/** Every condition that holds now. */
export function findAlerts(figures: AlertFigures, rules: readonly AlertRule[] = alertRules): FoundAlert[] {
  return rules.flatMap((rule) => rule.find?.(figures).map((finding) => ({ rule, ...finding })) ?? []);
}
