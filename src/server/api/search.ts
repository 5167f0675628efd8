import { Hono } from 'hono';
import { assertMigrated, isMigrated } from '../../../plans/sessions/keeper/install.ts';
import { readSamples } from '../../../plans/sessions/keeper/samples.ts';
import { atMost } from '../at-most.ts';
import { body } from '../body.ts';
import type { Dashboard } from '../context.ts';
import { hasTable } from '../installed.ts';
import type { Signed } from '../sign-in.ts';
import { hours, since } from '../since.ts';
import { trial, trySearch } from '../try-search.ts';

export function searchRoutes(dashboard: Dashboard) {
  const { pool, names } = dashboard;
  const trying = atMost(2, 'Two queries are being tried already.');
  return new Hono<Signed>()
    .get('/', since, async (context) => {
      const sampled = await hasTable(pool, 'samples');
      const seconds = sampled ? await readSamples(pool, 'search_seconds', hours(context.req.valid('query'))) : [];
      return context.json({ ready: await isMigrated(pool, names), seconds });
    })
    .post('/try', body(trial), async (context) => {
      await assertMigrated(pool, names);
      const asked = context.req.valid('json');
      return context.json(await trying(() => trySearch(dashboard, context.var.actor, asked)));
    });
}
