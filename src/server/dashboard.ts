import { Hono } from 'hono';
import { installAudit } from '../../plans/sessions/keeper/audit.ts';
import { sessionsNames } from '../../plans/sessions/names.ts';
import { createStore } from '../client/store.ts';
import { hasState } from '../engine/run-state.ts';
import { currentHolder } from '../engine/runner-lock.ts';
import { alertsRoutes } from './api/alerts.ts';
import { archivingRoutes } from './api/archiving.ts';
import { auditRoutes } from './api/audit.ts';
import { backupsRoutes } from './api/backups.ts';
import { migrationRoutes } from './api/migration.ts';
import { overviewRoutes } from './api/overview.ts';
import { partitionsRoutes } from './api/partitions.ts';
import { searchRoutes } from './api/search.ts';
import { sessionsRoutes } from './api/sessions.ts';
import { statisticsRoutes } from './api/statistics.ts';
import { createBackgroundRun } from './background-run.ts';
import type { Dashboard } from './context.ts';
import { eventStream } from './event-stream.ts';
import { answerFailure } from './failure.ts';
import { changesFromOwnPagesOnly, ownPagesOnly } from './guard.ts';
import { createLagMeter } from './lag-meter.ts';
import { createLive, type Live } from './live.ts';
import { type MigrationView, readMigration } from './migration-view.ts';
import { servePages } from './pages.ts';
import type { Signed } from './sign-in.ts';
import { readVersions } from './versions.ts';

export type DashboardOptions = Pick<
  Dashboard,
  'pool' | 'plan' | 'config' | 'options' | 'database' | 'environment' | 'readOnly'
> &
  Partial<Pick<Dashboard, 'clients'>>;

export interface MountedDashboard {
  readonly mount: (app: Hono<Signed>) => void;
  /** Stops what runs in the background, and resolves once it has. */
  close(): Promise<void>;
}

/** The web application over a database, migrated or not. Without `readOnly`, the table of the audit is made. */
export async function createDashboard(options: DashboardOptions): Promise<MountedDashboard> {
  const { pool, plan, config, clients = () => null } = options;
  if (!options.readOnly) await installAudit(pool);
  const run = createBackgroundRun({
    changed: () => live.wake(),
    holder: async () => ((await hasState(pool)) ? ((await currentHolder(pool))?.command ?? null) : null),
  });
  const view = () => readMigration({ pool, plan, lag, run: run.view, clients });
  const lag = createLagMeter();
  const live: Live = createLive({
    migration: async () => JSON.stringify(await view()),
    versions: () => readVersions(pool),
  });
  const names = sessionsNames(config);
  const store = createStore(pool, { serviceRole: null, plan: config });
  const dashboard: Dashboard = { ...options, names, store, run, live, clients };
  return {
    mount: (app) => {
      app.route('/api', apiOf(dashboard, view));
      servePages(app);
    },
    close: async () => {
      live.close();
      await run.close();
    },
  };
}

function apiOf(dashboard: Dashboard, view: () => Promise<MigrationView>) {
  return new Hono<Signed>()
    .onError(answerFailure)
    .use(ownPagesOnly, changesFromOwnPagesOnly)
    .use(async (context, next) => {
      if (!dashboard.readOnly || context.req.method === 'GET') return next();
      const hint = 'It was started with --read-only.';
      return context.json({ code: 'TD009', message: 'This dashboard only reads.', hint, detail: null }, 403);
    })
    .get('/live', eventStream(dashboard.live))
    .route('/overview', overviewRoutes(dashboard))
    .route('/migration', migrationRoutes(dashboard, view))
    .route('/partitions', partitionsRoutes(dashboard))
    .route('/statistics', statisticsRoutes(dashboard))
    .route('/search', searchRoutes(dashboard))
    .route('/archiving', archivingRoutes(dashboard))
    .route('/backups', backupsRoutes(dashboard))
    .route('/alerts', alertsRoutes(dashboard))
    .route('/sessions', sessionsRoutes(dashboard))
    .route('/audit', auditRoutes(dashboard));
}

/** What the pages' client is typed by. */
export type Api = ReturnType<typeof apiOf>;
