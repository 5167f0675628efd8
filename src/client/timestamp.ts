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
  return typeof value === 'string' ? new Date(value) : value;
}, z.date());
