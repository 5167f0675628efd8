import { Hono } from 'hono';
import { z } from 'zod';
import { listAudit } from '../../../plans/sessions/keeper/audit.ts';
import { query } from '../body.ts';
import type { Dashboard } from '../context.ts';
import { hasTable } from '../installed.ts';
import type { Signed } from '../sign-in.ts';

const PAGE = 50;
const page = z.object({ before: z.coerce.number().int().positive().optional() });

export function auditRoutes({ pool }: Dashboard) {
  return new Hono<Signed>().get('/', query(page), async (context) => {
    if (!(await hasTable(pool, 'audit'))) return context.json({ entries: [], next: null });
    const found = await listAudit(pool, PAGE + 1, context.req.valid('query').before ?? null);
    const entries = found.slice(0, PAGE);
    return context.json({ entries, next: found.length > PAGE ? (entries.at(-1)?.id ?? null) : null });
  });
}
