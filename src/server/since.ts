import { z } from 'zod';
import { query } from './body.ts';

const span = z.object({ hours: z.coerce.number().positive().max(720).default(24) });

/** `?hours=24`: how far back a chart goes. */
export const since = query(span);

export function hours({ hours: back }: z.infer<typeof span>): Date {
  return new Date(Date.now() - back * 3_600_000);
}
