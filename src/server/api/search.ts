import { Hono } from 'hono';
import { readSamples } from '../../../plans/sessions/keeper/samples.ts';
import { TandemError } from '../../engine/errors.ts';
import { body } from '../body.ts';
import type { Dashboard } from '../context.ts';
import { hasTable } from '../installed.ts';
import type { Signed } from '../sign-in.ts';
import { hours, since } from '../since.ts';
import { trial, trySearch } from '../try-search.ts';

const MOST_TRIALS = 2;

export function searchRoutes(dashboard: Dashboard) {
  const { pool } = dashboard;
  let trying = 0;
  return new Hono<Signed>()
    .get('/', since, async (context) => {
      const sampled = await hasTable(pool, 'samples');
      const seconds = sampled ? await readSamples(pool, 'search_seconds', hours(context.req.valid('query'))) : [];
      return context.json({ seconds });
    })
    .post('/try', body(trial), async (context) => {
      // Each takes a connection and a processor of the server that other people's applications work on.
      if (trying >= MOST_TRIALS)
        throw new TandemError('TD026', `${MOST_TRIALS} queries are being tried already.`, {
          hint: 'Try again in a moment.',
        });
      trying++;
      try {
        return context.json(await trySearch(dashboard, context.var.actor, context.req.valid('json')));
      } finally {
        trying--;
      }
    });
}
