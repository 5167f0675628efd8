import { type Progress, rateOf } from '../engine/progress.ts';

export function formatCount(n: number): string {
  return Math.round(n).toLocaleString('en');
}

/** `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} min`;
}

/** `12 kB`, `3.4 MB`, `1.2 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Of what is done, 0 to 1; all of it where there is nothing to do. */
export function fractionOf({ done, total }: Progress): number {
  return total > 0 ? Math.min(1, done / total) : 1;
}

/** `public.messages   63 %  94,000 / 150,000 rows  210,000 rows/s  0.3 s left` */
export function formatProgress(progress: Progress, options: { subject: boolean } = { subject: true }): string {
  const { perSecond, secondsLeft } = rateOf(progress);
  const amount = progress.unit === 'bytes' ? formatBytes : formatCount;
  const unit = progress.unit === 'bytes' ? '' : ` ${progress.unit}`;
  const percent = `${Math.floor(fractionOf(progress) * 100)}`.padStart(3);
  const parts = [`${percent} %`, `${amount(progress.done)} / ${amount(progress.total)}${unit}`];
  if (options.subject) parts.unshift(progress.subject);
  if (perSecond > 0 && progress.unit !== 'statements') parts.push(`${amount(perSecond)}${unit}/s`);
  if (secondsLeft !== null && progress.done < progress.total) parts.push(`${formatDuration(secondsLeft)} left`);
  return parts.join('  ');
}
