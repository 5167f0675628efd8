/** For `pattern` of an input that takes an id, with what comes along when it is copied. */
export const ID = String.raw`\s*[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\s*`;
export const ID_TITLE = 'an id, such as 0a1b2c3d-4e5f-6789-abcd-ef0123456789';

export function count(n: number): string {
  return Math.round(n).toLocaleString('en');
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytes(n: number): string {
  const unit = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, Math.abs(n))) / 10)));
  const amount = n / 1024 ** unit;
  return `${Math.abs(amount) < 10 && unit > 0 ? amount.toFixed(1) : Math.round(amount)} ${UNITS[unit]}`;
}

/** `12.5 ms`, `340 ms`, `3.4 s`, `2 min 05 s`, `3 h 10 min`, `4 days`, `12 years`. */
export function duration(seconds: number): string {
  if (seconds < 1) {
    const ms = seconds * 1000;
    return `${ms < 100 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
  }
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const [minutes, rest] = [Math.floor(seconds / 60), Math.round(seconds % 60)];
  if (minutes < 60) return `${minutes} min ${String(rest).padStart(2, '0')} s`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
  const days = seconds / 86_400;
  return days < 3 * 365 ? `${count(days)} days` : `${count(days / 365)} years`;
}

const DAY = new Intl.DateTimeFormat('en', { year: 'numeric', month: 'short', day: 'numeric' });
const MOMENT = new Intl.DateTimeFormat('en', {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hour12: false,
});

export const day = (iso: string) => DAY.format(new Date(iso));
export const moment = (iso: string) => MOMENT.format(new Date(iso));

export function ago(iso: string): string {
  const seconds = (Date.now() - new Date(iso).getTime()) / 1000;
  if (seconds < 5) return 'just now';
  return `${seconds < 90 * 60 ? duration(Math.round(seconds)).replace(/ \d\d s$/, '') : duration(seconds).replace(/ \d\d min$/, '')} ago`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
