import { Hono } from 'hono';
import { overview } from '../../../plans/sessions/keeper/overview.ts';
import { status } from '../../engine/status.ts';
import type { Dashboard } from '../context.ts';
import type { Signed } from '../sign-in.ts';

export function overviewRoutes({ pool, plan, names, config, database, environment, readOnly }: Dashboard) {
  return new Hono<Signed>()
    .get('/', async (context) => {
      const monitoring = config.monitoring;
      const makesBackups = config.backups !== undefined;
      const current = await status(pool, plan);
      const sentences = await overview({ pool, names, monitoring, status: current, makesBackups });
      return context.json({ at: new Date().toISOString(), phase: current.phase, sentences });
    })
    .get('/place', (context) => {
      const { actor, signedOut } = context.var;
      return context.json({
        database,
        environment,
        read_only: readOnly,
        actor,
        signed_in: signedOut !== undefined,
        backups_into: config.backups?.directory ?? null,
      });
    });
}
