import type { ColumnKind } from '../engine/report.ts';

/** A value as people read it: `1,234`, `3.4 MB`, `0.24 ms`; a dash where there is none. */
export function formatCell(kind: ColumnKind, value: string | number | boolean | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'number') return String(value);
  switch (kind) {
    case 'bytes':
      return formatSize(value);
    case 'milliseconds':
      return formatMilliseconds(value);
    default:
      return value.toLocaleString('en');
  }
}

function formatMilliseconds(value: number): string {
  if (value < 1) return `${value.toFixed(2)} ms`;
  if (value < 1000) return `${value.toFixed(1)} ms`;
  return `${(value / 1000).toFixed(1)} s`;
}

function formatSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const unit = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** unit;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Whether a column says anything at all in this report. */
export function isFilled(rows: readonly Readonly<Record<string, unknown>>[], key: string): boolean {
  return rows.some((row) => row[key] !== null && row[key] !== undefined);
}
