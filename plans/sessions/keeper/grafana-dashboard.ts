import type { AnnotationQuery, Dashboard, Panel as GrafanaPanel, RowPanel, VariableModel } from '@grafana/schema';

interface Panel {
  readonly title: string;
  /** As Grafana calls it. */
  readonly unit: string;
  readonly kind: 'timeseries' | 'stat';
  /** PromQL by legend; `$job` is the database that is looked at. */
  readonly queries: Readonly<Record<string, string>>;
}

const J = 'job="$job"';
const latest = (name: string, by: string) => `max by (${by}) (${name}{${J}})`;
const quantile = (q: number, name: string, by: string) =>
  `histogram_quantile(${q}, sum by (le${by && `, ${by}`}) (rate(${name}_bucket{${J}}[$__rate_interval])))`;
const age = (name: string) => `time() - (max(${name}{${J}}) > 0)`;

const rows: Readonly<Record<string, readonly Panel[]>> = {
  Overview: [
    stat('Leaders', 'none', { leaders: `sum(tandem_leader{${J}})` }),
    stat('Alerts firing', 'none', { '{{severity}}': latest('tandem_alerts_firing', 'severity') }),
    stat('Age of session_stats', 's', { age: age('tandem_stats_snapshot_timestamp_seconds') }),
    stat('Age of the newest backup', 's', { age: age('tandem_backup_last_success_timestamp_seconds') }),
    stat('Age of the last restore drill', 's', { age: age('tandem_restore_drill_last_success_timestamp_seconds') }),
    stat('Sessions held', 'none', { held: `max(tandem_session_holds{${J}})` }),
  ],
  Partitions: [
    graph('Size', 'bytes', {
      '{{status}}': latest('tandem_partition_bytes', 'status'),
      'limit {{status}}': latest('tandem_partition_limit_bytes', 'status'),
    }),
    graph('Rows', 'none', { '{{status}}': latest('tandem_partition_rows', 'status') }),
  ],
  Archiving: [
    graph('Moved on', 'none', {
      '{{transition}}': `max by (transition) (increase(tandem_archive_sessions_total{${J}}[$__rate_interval]))`,
    }),
    graph('Due', 'none', { '{{transition}}': latest('tandem_archive_due_sessions', 'transition') }),
    graph('Due for', 's', {
      '{{transition}}': `time() - (max by (transition) (tandem_archive_oldest_due_timestamp_seconds{${J}}) > 0)`,
    }),
    graph('Rows deleted for good', 'none', {
      '{{table}}': `max by (table) (increase(tandem_purged_rows_total{${J}}[$__rate_interval]))`,
    }),
  ],
  Statistics: [
    graph('Duration of a refresh', 's', {
      median: quantile(0.5, 'tandem_stats_refresh_duration_seconds', ''),
      '95 %': quantile(0.95, 'tandem_stats_refresh_duration_seconds', ''),
      interval: `max(tandem_stats_refresh_interval_seconds{${J}})`,
    }),
    graph('Sessions not counted in yet', 'none', { dirty: `max(tandem_stats_dirty_sessions{${J}})` }),
    graph('Sessions that had drifted', 'none', { drifted: `max(tandem_stats_drifted_sessions{${J}})` }),
  ],
  Search: [
    graph('Duration of the probe, 95 %', 's', {
      '{{language}}': quantile(0.95, 'tandem_search_probe_duration_seconds', 'language'),
    }),
    graph('Probes that failed', 'none', {
      '{{language}}': `sum by (language) (increase(tandem_search_probe_failures_total{${J}}[$__rate_interval]))`,
    }),
    graph('Pages of the text index that wait', 'none', { pages: `max(tandem_search_index_pending_pages{${J}})` }),
  ],
  Backups: [
    graph('Size of the newest', 'bytes', { bytes: `max(tandem_backup_last_size_bytes{${J}})` }),
    graph('Last failure', 'dateTimeAsIso', {
      backup: `max(tandem_backup_last_failure_timestamp_seconds{${J}}) * 1000`,
      drill: `max(tandem_restore_drill_last_failure_timestamp_seconds{${J}}) * 1000`,
    }),
  ],
  Migration: [
    graph('Phase', 'none', { '{{phase}}': latest('tandem_migration_phase', 'phase') }),
    graph('Rows copied', 'none', { '{{table}}': latest('tandem_migration_copied_rows', 'table') }),
    graph('Changes not applied yet', 'none', { '{{table}}': latest('tandem_migration_lag_rows', 'table') }),
    graph('Held back by', 'none', { '{{work}}: {{reason}}': latest('tandem_throttled', 'work, reason') }),
    graph('In quarantine', 'none', { rows: `max(tandem_migration_quarantined_rows{${J}})` }),
  ],
  Keeper: [
    graph('Runs of the tasks', 'none', {
      '{{task}} {{outcome}}': `sum by (task, outcome) (increase(tandem_task_runs_total{${J}}[$__rate_interval]))`,
    }),
    graph('Duration of a task, 95 %', 's', { '{{task}}': quantile(0.95, 'tandem_task_duration_seconds', 'task') }),
    graph('Wait to the next run', 's', { '{{task}}': latest('tandem_task_interval_seconds', 'task') }),
  ],
};

function stat(title: string, unit: string, queries: Panel['queries']): Panel {
  return { title, unit, kind: 'stat', queries };
}

function graph(title: string, unit: string, queries: Panel['queries']): Panel {
  return { title, unit, kind: 'timeseries', queries };
}

const WIDTH = 24;
const source = { type: 'prometheus', uid: '$datasource' };

/** The dashboard for Grafana, as it imports it; typed by what Grafana publishes of its own schema. */
export function renderGrafanaDashboard(): string {
  const panels: (GrafanaPanel | RowPanel)[] = [];
  let y = 0;
  for (const [title, ofRow] of Object.entries(rows)) {
    const place = { x: 0, y, w: WIDTH, h: 1 };
    const row: RowPanel = { id: panels.length + 1, type: 'row', title, collapsed: false, gridPos: place, panels: [] };
    panels.push(row);
    y += 1;
    const height = ofRow.some(({ kind }) => kind === 'timeseries') ? 8 : 4;
    const w = Math.floor(WIDTH / ofRow.length);
    for (const [i, panel] of ofRow.entries())
      panels.push({ id: panels.length + 1, ...panelOf(panel), gridPos: { x: i * w, y, w, h: height } });
    y += height;
  }
  const dashboard: Dashboard = { ...frame, panels };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function panelOf({ title, unit, kind, queries }: Panel): GrafanaPanel {
  return {
    type: kind,
    title,
    datasource: source,
    fieldConfig: { defaults: { unit, ...(unit !== 'dateTimeAsIso' && { min: 0 }) }, overrides: [] },
    targets: Object.entries(queries).map(([legendFormat, expr], i) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + i),
      datasource: source,
      expr,
      legendFormat,
    })),
  };
}

const variables: readonly Pick<VariableModel, 'name' | 'type' | 'label' | 'query' | 'datasource' | 'refresh'>[] = [
  { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
  {
    name: 'job',
    type: 'query',
    label: 'Database',
    datasource: source,
    query: { query: 'label_values(tandem_up, job)', refId: 'job' },
    refresh: 2,
  },
];

const ALERTS = 'ALERTS{alertname=~"Tandem.*", alertstate="firing", job="$job"}';
/** Older versions of Grafana read `expr`, newer ones `target`, and none both. */
const alerts: AnnotationQuery<{ refId: string; expr: string }> & { expr: string; titleFormat: string } = {
  name: 'Alerts',
  enable: true,
  iconColor: 'red',
  datasource: source,
  expr: ALERTS,
  target: { refId: 'Anno', expr: ALERTS },
  titleFormat: '{{alertname}}',
};

const frame: Omit<Dashboard, 'panels'> = {
  title: 'Tandem',
  uid: 'tandem',
  tags: ['tandem', 'postgresql'],
  schemaVersion: 39,
  editable: true,
  refresh: '1m',
  time: { from: 'now-24h', to: 'now' },
  templating: { list: [...variables] },
  annotations: { list: [alerts] },
};
