import type { AlertRule } from './alert-rules.ts';
import { thresholds as t } from './alert-thresholds.ts';

const MINUTE = 60;
const HOUR = 3600;
const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
const mean = (range: string) =>
  `sum by (job, language) (rate(tandem_search_probe_duration_seconds_sum[${range}])) / sum by (job, language) (rate(tandem_search_probe_duration_seconds_count[${range}]))`;

/** What the new tables can get into: size, stale statistics, a slow search, sessions that stay. */
export const tableRules: readonly AlertRule[] = [
  {
    name: 'TandemPartitionNearLimit',
    severity: 'warning',
    holds: 15 * MINUTE,
    expr: `max by (job, status) (tandem_partition_bytes) > ${t.partitionShare} * max by (job, status) (tandem_partition_limit_bytes)`,
    summary: `The partition of {{ $labels.status }} sessions is above ${percent(t.partitionShare)} of its limit`,
    find: ({ partitions }) =>
      partitions.flatMap(({ status, bytes, limit_bytes }) => {
        const share = bytes / limit_bytes;
        if (share <= t.partitionShare) return [];
        return [{ label: status, summary: `The partition of ${status} sessions is at ${percent(share)} of its limit` }];
      }),
  },
  {
    name: 'TandemPartitionGrowth',
    severity: 'warning',
    holds: 6 * HOUR,
    expr: `max by (job, status) (predict_linear(tandem_partition_bytes[1d], ${t.growthAhead})) > max by (job, status) (tandem_partition_limit_bytes)`,
    summary: 'The partition of {{ $labels.status }} sessions reaches its limit within 7 days',
    find: ({ partitions, history }) =>
      partitions.flatMap(({ status, bytes, limit_bytes }) => {
        const ahead = bytes + (history.growth[status] ?? 0) * t.growthAhead;
        if (ahead <= limit_bytes) return [];
        return [{ label: status, summary: `The partition of ${status} sessions reaches its limit within 7 days` }];
      }),
  },
  {
    name: 'TandemStatisticsStale',
    severity: 'warning',
    holds: 15 * MINUTE,
    expr: `time() - max by (job) (tandem_stats_snapshot_timestamp_seconds) > ${t.statsAge}`,
    summary: 'session_stats is as of {{ $value | humanizeDuration }} ago',
    find: ({ now, statsAsOf }) => {
      const age = (now.getTime() - (statsAsOf?.getTime() ?? 0)) / 1000;
      if (age <= t.statsAge) return [];
      const since = statsAsOf === null ? 'was never refreshed' : `is as of ${(age / HOUR).toFixed(1)} hours ago`;
      return [{ label: '', summary: `session_stats ${since}` }];
    },
  },
  {
    name: 'TandemStatisticsDrifted',
    severity: 'warning',
    holds: 0,
    expr: 'max by (job) (tandem_stats_drifted_sessions) > 0',
    summary: 'The last recount found {{ $value }} sessions with wrong figures, and put them right',
    find: ({ driftedSessions }) =>
      driftedSessions === 0
        ? []
        : [
            {
              label: '',
              summary: `The last recount found ${driftedSessions.toLocaleString('en')} sessions with wrong figures, and put them right`,
            },
          ],
  },
  {
    name: 'TandemRefreshSlow',
    severity: 'warning',
    holds: 30 * MINUTE,
    expr: `sum by (job) (rate(tandem_stats_refresh_duration_seconds_sum[1h])) / sum by (job) (rate(tandem_stats_refresh_duration_seconds_count[1h])) > ${t.refreshShare} * max by (job) (tandem_stats_refresh_interval_seconds)`,
    summary: 'A refresh of session_stats takes {{ $value | humanizeDuration }}, over half of its interval',
    find: ({ history: { refreshSeconds }, statsEverySeconds }) =>
      refreshSeconds === null || refreshSeconds <= t.refreshShare * statsEverySeconds
        ? []
        : [
            {
              label: '',
              summary: `A refresh of session_stats takes ${refreshSeconds.toFixed(1)} s, over half of its interval`,
            },
          ],
  },
  {
    name: 'TandemSearchSlow',
    severity: 'warning',
    holds: 30 * MINUTE,
    expr: `${mean('1h')} > ${t.searchLeast} and ${mean('1h')} > ${t.searchTimes} * (${mean('7d')})`,
    summary:
      'A search in {{ $labels.language }} takes {{ $value | humanizeDuration }}, over twice as long as last week',
    find: ({ history }) =>
      Object.entries(history.search).flatMap(([language, { lately, before }]) => {
        if (lately === null || before === null) return [];
        if (lately <= t.searchLeast || lately <= t.searchTimes * before) return [];
        const times = `${(lately * 1000).toFixed(0)} ms; last week it was ${(before * 1000).toFixed(0)} ms`;
        return [{ label: language, summary: `A search in ${language} takes ${times}` }];
      }),
  },
  {
    name: 'TandemSearchFailing',
    severity: 'critical',
    holds: 5 * MINUTE,
    expr: 'sum by (job, language) (increase(tandem_search_probe_failures_total[15m])) > 0 unless sum by (job, language) (increase(tandem_search_probe_duration_seconds_count[15m])) > 0',
    summary: 'Every probe of the search in {{ $labels.language }} fails',
    find: ({ history }) =>
      history.searchFailing.map((language) => ({
        label: language,
        summary: `Every probe of the search in ${language} fails`,
      })),
  },
  {
    name: 'TandemArchivingBehind',
    severity: 'warning',
    holds: 3 * HOUR,
    expr: `time() - max by (job, transition) (tandem_archive_oldest_due_timestamp_seconds > 0) > ${t.archivingBehind}`,
    summary: 'Sessions that should be {{ $labels.transition }} are due for {{ $value | humanizeDuration }}',
    find: ({ now, overdue }) =>
      overdue.flatMap(({ transition, sessions, since }) => {
        const due = since === null ? 0 : (now.getTime() - since.getTime()) / 1000;
        if (due <= t.archivingBehind) return [];
        const what = `${sessions.toLocaleString('en')} sessions should be ${transition}`;
        return [{ label: transition, summary: `${what}, the first for ${(due / 86_400).toFixed(0)} days already` }];
      }),
  },
];
