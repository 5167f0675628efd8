import { Hono } from 'hono';
import { listAlerts } from '../../../plans/sessions/keeper/alert-records.ts';
import type { Dashboard } from '../context.ts';
import { hasTable } from '../installed.ts';
import type { Signed } from '../sign-in.ts';

const SHOWN = 200;

export function alertsRoutes({ pool }: Dashboard) {
  return new Hono<Signed>().get('/', async (context) =>
    context.json({ alerts: (await hasTable(pool, 'alerts')) ? await listAlerts(pool, SHOWN) : [] }),
  );
}
