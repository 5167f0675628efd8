import { Hono } from 'hono';
import { z } from 'zod';
import { writeAudit } from '../../../plans/sessions/keeper/audit.ts';
import { backupDirectory } from '../../../plans/sessions/keeper/backup-directory.ts';
import type { BackupSettings } from '../../../plans/sessions/keeper/monitoring-config.ts';
import { inTransaction } from '../../db/connect.ts';
import { parseThrottle, requestCutover, setPaused, setThrottles, type Throttles } from '../../engine/control.ts';
import { TandemError } from '../../engine/errors.ts';
import { finish } from '../../engine/finish.ts';
import { checkPlan, migrate } from '../../engine/migrate.ts';
import { rollback } from '../../engine/rollback.ts';
import { hasState, isOpen, maybeLatestRun } from '../../engine/run-state.ts';
import { currentHolder } from '../../engine/runner-lock.ts';
import type { BackgroundWork } from '../background-run.ts';
import { body } from '../body.ts';
import { assertConfirmed } from '../confirmed.ts';
import type { Dashboard } from '../context.ts';
import type { MigrationView } from '../migration-view.ts';
import type { Signed } from '../sign-in.ts';

const confirmation = z.strictObject({ confirm: z.string() });
/** SQL of one's own is said by those who may run it anyway, by the command, and by no page. */
const throttling = confirmation.extend({
  throttles: z
    .array(z.string().refine((text) => !/^\s*sql\s*=(?!\s*off\s*$)/.test(text), '`tandem throttle` takes SQL'))
    .min(1),
});
const beginning = confirmation.extend({
  /** Everything but the swap, until it is asked for. */
  waitForCutover: z.boolean(),
  createAuth: z.boolean(),
  /** Into a new folder beside the keeper's own: no page says where this machine writes to. */
  backup: z.boolean(),
});
const goingBack = confirmation.extend({
  /** After a cutover: the new tables stay beside, and follow. */
  keep: z.boolean(),
});

type Tell = Parameters<typeof inTransaction<void>>[1];

/**
 * What runs is told by way of the database, as the commands tell it; what takes longer than a request runs in this
 * process, by the same functions as the commands'.
 */
export function migrationRoutes(dashboard: Dashboard, view: () => Promise<MigrationView>) {
  const { pool, plan, database, config, run, live } = dashboard;
  const basis = (options = dashboard.options) => ({ pool, plan, options });

  /** Refused at once, rather than in the background, where somebody else is at work. */
  const begin = async (work: BackgroundWork, action: string, detail = {}) => {
    const holder = (await hasState(pool)) ? await currentHolder(pool) : null;
    if (holder !== null && holder.command !== 'serve')
      throw new TandemError(
        'TD010',
        `This database is being worked on by \`tandem ${holder.command}\` on ${holder.host} (pid ${holder.pid}, since ${holder.since.toISOString()}).`,
        { hint: 'Wait for it to end, or stop it there.' },
      );
    await writeAudit(pool, { actor: work.actor, action, subject: database, detail });
    run.start(work);
  };
  const tell = async (actor: string, action: string, work: Tell, detail = {}) => {
    if (!(await hasState(pool)) || !isOpen(await maybeLatestRun(pool)))
      throw new TandemError('TD012', 'No run is open in this database.', { hint: 'Begin the migration first.' });
    await inTransaction(pool, async (client) => {
      await writeAudit(client, { actor, action, subject: database, detail });
      await work(client);
    });
    live.wake();
  };

  return new Hono<Signed>()
    .get('/', async (context) => context.json(await view()))
    .get('/findings', async (context) => context.json({ findings: await checkPlan(pool, plan, dashboard.options) }))
    .post('/pause', body(confirmation), async (context) => {
      assertConfirmed(context.req.valid('json').confirm, 'pause');
      await tell(context.var.actor, 'migration.pause', (client) => setPaused(client, true));
      return context.json({ done: true });
    })
    .post('/resume', body(confirmation), async (context) => {
      assertConfirmed(context.req.valid('json').confirm, 'resume');
      await tell(context.var.actor, 'migration.resume', (client) => setPaused(client, false));
      return context.json({ done: true });
    })
    .post('/throttle', body(throttling), async (context) => {
      const { confirm, throttles } = context.req.valid('json');
      assertConfirmed(confirm, 'throttle');
      const parsed: Throttles = Object.assign({}, ...throttles.map(parseThrottle));
      await tell(context.var.actor, 'migration.throttle', (client) => setThrottles(client, parsed), { throttles });
      return context.json({ done: true });
    })
    .post('/start', body(beginning), async (context) => {
      const { confirm, waitForCutover, createAuth, backup } = context.req.valid('json');
      assertConfirmed(confirm, database);
      const backupDir = backup ? newBackup(config.backups, database) : null;
      await begin(
        {
          title: 'Migrate',
          actor: context.var.actor,
          work: async (emit, signal) => {
            const stopBefore = waitForCutover ? 'cutover' : null;
            const gzip = config.backups?.gzip ?? false;
            const options = { ...dashboard.options, createAuth, backupDir, gzip };
            const result = await migrate({ ...basis(options), emit, signal, stopBefore, waitForCutover });
            return `Migrated: ${result.rows.toLocaleString('en')} rows moved${result.cutoverLockMs === null ? '' : `, locks held ${result.cutoverLockMs.toFixed(1)} ms`}.`;
          },
        },
        'migration.start',
        { waitForCutover, createAuth, ...(backupDir !== null && { backup: backupDir }) },
      );
      return context.json({ done: true });
    })
    .post('/cutover', body(confirmation), async (context) => {
      assertConfirmed(context.req.valid('json').confirm, database);
      const { actor } = context.var;
      const holder = (await hasState(pool)) ? await currentHolder(pool) : null;
      if (holder !== null && holder.command !== 'serve') {
        await tell(actor, 'migration.cutover', (client) => requestCutover(client, true));
        return context.json({ done: true });
      }
      await begin(
        {
          title: 'Cut over',
          actor,
          work: async (emit, signal) => {
            const { cutoverLockMs } = await migrate({ ...basis(), emit, signal, stopBefore: null });
            return `Cut over${cutoverLockMs === null ? '' : `, locks held ${cutoverLockMs.toFixed(1)} ms`}.`;
          },
        },
        'migration.cutover',
      );
      return context.json({ done: true });
    })
    .post('/rollback', body(goingBack), async (context) => {
      const { confirm, keep } = context.req.valid('json');
      assertConfirmed(confirm, database);
      await begin(
        {
          title: 'Roll back',
          actor: context.var.actor,
          work: async (emit, signal) => {
            await rollback({ ...basis(), emit, signal, keep });
            const done = 'Rolled back: the flat tables are live, with every write.';
            return keep ? `${done} The new ones stand beside, and follow them.` : done;
          },
        },
        'migration.rollback',
        keep ? { keep } : {},
      );
      return context.json({ done: true });
    })
    .post('/finish', body(confirmation), async (context) => {
      assertConfirmed(context.req.valid('json').confirm, database);
      await begin(
        {
          title: 'Finish',
          actor: context.var.actor,
          work: async (emit, signal) => {
            await finish({ ...basis(), emit, signal });
            return 'Finished: the new tables stand alone.';
          },
        },
        'migration.finish',
      );
      return context.json({ done: true });
    })
    .post('/stop', body(confirmation), async (context) => {
      assertConfirmed(context.req.valid('json').confirm, 'stop');
      await writeAudit(pool, { actor: context.var.actor, action: 'migration.stop', subject: database });
      return context.json({ done: run.stop() });
    });
}

/** @throws TD008 where the plan file says nothing about backups */
function newBackup(settings: BackupSettings | undefined, database: string): string {
  if (settings !== undefined) return backupDirectory(settings.directory, `${database}-before`, new Date());
  throw new TandemError('TD008', 'The plan file names no directory for backups.', {
    hint: 'Say it in `backups.directory`, or begin by `tandem migrate --backup-dir`.',
  });
}
