import { z } from 'zod';

/** As far as a `Date` reaches, in milliseconds from 1970 either way. */
const REACH = 8.64e15;

/**
 * PostgreSQL's timestamps reach further, and know infinity, which anybody may write into a row of their own: what no `Date`
 * can say becomes the last one, or the first. A list must not end because of one row.
 */
export const timestamp = z.preprocess((value) => {
  // As `pg` gives them: infinity as a number, and what it cannot parse as a Date that is none. There is none too early.
  if (typeof value === 'number') return new Date(Math.min(Math.max(value, -REACH), REACH));
  if (value instanceof Date && Number.isNaN(value.getTime())) return new Date(REACH);
  return typeof value === 'string' ? ofText(value) : value;
}, z.date());

/** As PostgREST gives them. A `Date` wants years beyond four digits, and those before the first one, with a sign. */
function ofText(text: string): Date {
  if (text === 'infinity' || text === '-infinity') return new Date(text === 'infinity' ? REACH : -REACH);
  const [, digits = '', rest = '', bc] = /^(\d{4,})(-.*?)( BC)?$/.exec(text) ?? [];
  if (digits.length <= 4 && bc === undefined) return new Date(text);
  const year = bc === undefined ? Number(digits) : 1 - Number(digits);
  const date = new Date(`${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}${rest}`);
  return Number.isNaN(date.getTime()) ? new Date(REACH) : date;
}
